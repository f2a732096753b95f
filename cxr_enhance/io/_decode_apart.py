"""Frames decoded by processes of their own, for decoders that may take theirs down.

gdcm ends the process it runs in, or writes beyond its memory, for many a damaged JPEG: such a file
must not end a run over a million others. Processes are kept for the next frame, one a thread that
decodes at the same moment.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

_SCRIPT = str(Path(__file__).with_name("_decoder_process.py"))
_MOST_SECONDS = 60.0
_idle: list[_Process] = []


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
        If the plugin cannot decode the frame, died over it or took more than a minute.
    MemoryError
        If it wanted more memory than there is.
    """
    try:
        process = _idle.pop()
    except IndexError:
        process = _Process()
    try:
        answer, body = process.ask(
            {"transfer_syntax": transfer_syntax, "plugin": plugin, "options": options}, capsule
        )
    except BaseException:  # what is left in the pipes belongs to nobody
        process.end()
        raise
    _idle.append(process)
    if "error" not in answer:
        return np.frombuffer(body, answer["dtype"]).reshape(answer["shape"])
    raise (MemoryError if answer["memory"] else ValueError)(answer["error"])


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

    def ask(self, question: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Send a question and wait for its answer, but not for ever."""
        source, target = cast("IO[bytes]", self._process.stdout), self._process.stdin
        timer = threading.Timer(_MOST_SECONDS, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            line = json.dumps({**question, "size": len(body)}).encode("ascii") + b"\n"
            cast("IO[bytes]", target).write(line + body)
            cast("IO[bytes]", target).flush()
            answer = json.loads(source.readline())
            data = source.read(answer["size"])
            if len(data) < answer["size"]:
                raise EOFError
        except (OSError, EOFError, ValueError):  # its end of a pipe is closed
            raise self._why() from None
        finally:
            timer.cancel()
        return answer, data

    def _give_up(self) -> None:
        self._out_of_time = True
        self._process.kill()

    def _why(self) -> ValueError | MemoryError:
        status = self._process.wait()
        if self._out_of_time:
            return ValueError(f"took more than {_MOST_SECONDS:g} s")
        if sys.platform != "win32" and status == -signal.SIGKILL:
            return MemoryError("The decoder was killed, as systems do that run out of memory.")
        return ValueError(f"died over it with status {status}")

    def end(self) -> None:
        """End the process and close its pipes."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                cast("IO[bytes]", pipe).close()
            except OSError:  # something was still to be flushed
                continue
        self._process.wait()


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


if hasattr(os, "register_at_fork"):
    # Those of the parent answer to it alone. Kept, as their end would be the parent's loss.
    _strangers: list[_Process] = []

    def _leave_to_parent() -> None:
        _strangers.extend(_idle)
        _idle.clear()

    os.register_at_fork(after_in_child=_leave_to_parent)
