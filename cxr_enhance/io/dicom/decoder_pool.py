"""Decode frames in child processes, with limits of time and memory.

For many damaged JPEG files, gdcm ends its process or writes outside its memory. For some JPEG 2000
files, pydicom never returns. Such a file must not end or block a run over a million files. Child
processes are kept for further frames: one for each thread that decodes.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

if sys.platform == "linux":
    import fcntl

_SCRIPT = str(Path(__file__).with_name("decoder_process.py"))
_TIMEOUT_S = 60.0  # plus a microsecond per pixel, for the largest images on the slowest machines
_MEMORY_BYTES = 1 << 30  # plus `_BYTES_A_SAMPLE`, where the system can limit memory
_BYTES_A_SAMPLE = 64
_PIPE_BYTES = 1 << 20
_GRACE_S = 5.0
_idle: list[_Process] = []
_alive: set[_Process] = set()


def decode_in_child_process(
    transfer_syntax: str,
    plugin: str,
    capsule: bytes,
    options: dict[str, Any],  # keyword arguments of pydicom
) -> Any:
    """Decode a frame with a plugin of pydicom.

    Parameters
    ----------
    transfer_syntax : str
        UID of the transfer syntax.
    plugin : str
        pydicom's name of the plugin.
    capsule : bytes
        The frame as encapsulated pixel data.
    options : dict
        Options of pydicom's decoder, as JSON types.

    Returns
    -------
    ndarray
        The array that the plugin returned.

    Raises
    ------
    ValueError
        If the plugin cannot decode the frame, if its process died, or if it took more than a
        minute (a little more for large images).
    MemoryError
        If the plugin needs more memory than there is.
    """
    process = _idle_or_new()
    pixels = options["rows"] * options["columns"]
    samples = pixels * options["samples_per_pixel"]
    question = {
        "transfer_syntax": transfer_syntax,
        "plugin": plugin,
        "options": options,
        "memory": _MEMORY_BYTES + _BYTES_A_SAMPLE * samples + 4 * len(capsule),
    }
    try:
        answer, body = process.ask(question, capsule, _TIMEOUT_S + pixels / 1e6)
    except BaseException:  # the pipes may still hold bytes of this frame
        process.end()
        raise
    _idle.append(process)
    if "error" not in answer:
        return np.frombuffer(body, answer["dtype"]).reshape(answer["shape"])
    raise (MemoryError if answer["memory"] else ValueError)(answer["error"])


def kill_decoders() -> None:
    """Kill all child processes, also those at work, before this process ends at once."""
    for process in list(_alive):
        process.kill()


def _idle_or_new() -> _Process:
    """Return an idle child process; start one if there is none that still runs."""
    while True:
        try:
            process = _idle.pop()
        except IndexError:
            return _Process()
        if process.is_running():
            return process
        process.end()  # killed while it was idle, as systems do that run out of memory


class _Process:
    def __init__(self) -> None:
        # Ctrl-C does not reach the child, which is in a new session; it ends with this process.
        self._process = subprocess.Popen(
            [sys.executable, "-P", _SCRIPT, json.dumps(list(map(str, sys.path)))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._out_of_time = False
        self._source = cast("IO[bytes]", self._process.stdout)
        self._target = cast("IO[bytes]", self._process.stdin)
        _widen(self._source, self._target)
        _alive.add(self)

    def ask(
        self, question: dict[str, Any], body: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytearray]:
        """Send a question and wait for its answer, but no longer than `seconds`."""
        timer = threading.Timer(seconds, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            # The child also ends itself a little later, in case this process is gone by then.
            request = {**question, "size": len(body), "seconds": seconds + _GRACE_S}
            self._target.write(json.dumps(request).encode("ascii") + b"\n")
            self._target.write(body)
            self._target.flush()
            answer = json.loads(self._source.readline())
            data = bytearray(answer["size"])
            if self._source.readinto(data) < len(data):  # type: ignore[attr-defined]
                raise EOFError
        except (OSError, EOFError, ValueError):  # the child is dead, and its pipes are closed
            raise self._death_error(seconds) from None
        finally:
            timer.cancel()
        return answer, data

    def is_running(self) -> bool:
        """Return whether the process has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the process without waiting for its end."""
        self._process.kill()

    def _give_up(self) -> None:
        self._out_of_time = True
        self._process.kill()

    def _death_error(self, seconds: float) -> ValueError | MemoryError:
        """Return the error with the reason why the process died."""
        status = self._process.wait()
        if self._out_of_time:
            return ValueError(f"took more than {seconds:.0f} s")
        if sys.platform != "win32" and status == -signal.SIGKILL:
            return MemoryError("The decoder was killed, as systems do that run out of memory.")
        return ValueError(f"died over it with status {status}")

    def end(self) -> None:
        """End the process and close its pipes."""
        self._process.kill()
        for pipe in (self._target, self._source):
            try:
                pipe.close()
            except OSError:  # bytes to be flushed, to a dead process
                continue
        self._process.wait()
        _alive.discard(self)


def _widen(*pipes: IO[bytes]) -> None:
    """Enlarge the buffers of pipes, where the system can, so that frames pass in fewer pieces."""
    if sys.platform == "linux":
        for pipe in pipes:
            with contextlib.suppress(OSError):  # the system allows each user less
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


if hasattr(os, "register_at_fork"):
    # Only the parent may use its decoders. The list keeps the objects alive in the child, because
    # their deletion would close the parent's pipes.
    _of_parent: list[_Process] = []

    def _leave_to_parent() -> None:
        _of_parent.extend(_alive)
        _idle.clear()
        _alive.clear()

    os.register_at_fork(after_in_child=_leave_to_parent)
