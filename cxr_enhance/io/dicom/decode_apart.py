"""Frames decoded by processes of their own, with limits of time and memory.

gdcm ends the process it runs in, or writes beyond its memory, for many a damaged JPEG; pydicom
never returns from some JPEG 2000. Such a file must not end or stop a run over a million others.
Processes are kept for the next frame, one a thread that decodes at the same moment.
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
_TIMEOUT_S = 60.0  # and a microsecond a pixel, for the largest images on the slowest machines
_MEMORY_BYTES = 1 << 30  # and so many bytes a sample, where the system can limit them
_BYTES_A_SAMPLE = 64
_PIPE_BYTES = 1 << 20
_GRACE_S = 5.0
_idle: list[_Process] = []
_alive: set[_Process] = set()


def decode_apart(transfer_syntax: str, plugin: str, capsule: bytes, options: dict[str, Any]) -> Any:
    """Decode a frame with a plugin of pydicom.

    Parameters
    ----------
    transfer_syntax, plugin : str
        UID; pydicom's name of the plugin.
    capsule : bytes
        The frame as encapsulated pixel data.
    options : dict
        Those of pydicom's decoder, as JSON types.

    Returns
    -------
    ndarray
        As the plugin gives it.

    Raises
    ------
    ValueError
        If the plugin cannot decode the frame, died over it or took more than a minute, with
        large images a little longer.
    MemoryError
        If it wanted more memory than there is.
    """
    try:
        process = _idle.pop()
    except IndexError:
        process = _Process()
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
    except BaseException:  # what is left in the pipes belongs to nobody
        process.end()
        raise
    _idle.append(process)
    if "error" not in answer:
        return np.frombuffer(body, answer["dtype"]).reshape(answer["shape"])
    raise (MemoryError if answer["memory"] else ValueError)(answer["error"])


def kill_decoders() -> None:
    """Kill all processes, also those at work: for a process that is about to end at once."""
    for process in list(_alive):
        process.kill()


class _Process:
    def __init__(self) -> None:
        # A session of its own: Ctrl-C is for us, who then have no further question.
        self._process = subprocess.Popen(
            [sys.executable, "-P", _SCRIPT, json.dumps(sys.path)],
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
            # The process ends by itself a little later, should nobody be left to kill it.
            request = {**question, "size": len(body), "seconds": seconds + _GRACE_S}
            self._target.write(json.dumps(request).encode("ascii") + b"\n")
            self._target.write(body)
            self._target.flush()
            answer = json.loads(self._source.readline())
            data = bytearray(answer["size"])
            if self._source.readinto(data) < len(data):  # type: ignore[attr-defined]
                raise EOFError
        except (OSError, EOFError, ValueError):  # its end of a pipe is closed
            raise self._why(seconds) from None
        finally:
            timer.cancel()
        return answer, data

    def kill(self) -> None:
        """End the process without waiting for its end."""
        self._process.kill()

    def _give_up(self) -> None:
        self._out_of_time = True
        self._process.kill()

    def _why(self, seconds: float) -> ValueError | MemoryError:
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
            except OSError:  # something was still to be flushed
                continue
        self._process.wait()
        _alive.discard(self)


def _widen(*pipes: IO[bytes]) -> None:
    """Let pipes hold more at once, where the system can: frames pass in fewer turns."""
    if sys.platform == "linux":
        for pipe in pipes:
            with contextlib.suppress(OSError):  # a system that allows each user less
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


if hasattr(os, "register_at_fork"):
    # Those of the parent answer to it alone. Kept, as their end would be the parent's loss.
    _strangers: list[_Process] = []

    def _leave_to_parent() -> None:
        _strangers.extend(_alive)
        _idle.clear()
        _alive.clear()

    os.register_at_fork(after_in_child=_leave_to_parent)
