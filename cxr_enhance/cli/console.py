"""Words to the terminal: printable names, errors with their exit status, quiet codecs."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn

import typer

from cxr_enhance.io.dicom.decode_apart import kill_decoders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

FAILED, WRONG_USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def printable(path: str) -> str:
    """Show a file's name on one line, whatever bytes it holds."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def say(text: str) -> None:
    """Print to standard output."""
    typer.echo(text)


def complain(text: str) -> None:
    """Print to standard error."""
    typer.echo(text, err=True)


@contextlib.contextmanager
def errors_exit_with(status: int) -> Iterator[None]:
    """Turn a foreseen error into its sentence and an exit status."""
    try:
        yield
    except (TypeError, ValueError, ImportError) as error:
        complain("Error: " + "\n".join(map(printable, str(error).split("\n"))))
        raise typer.Exit(status) from error
    except OSError as error:
        name = "" if error.filename is None else f"{printable(os.fsdecode(error.filename))}: "
        complain(f"Error: {name}{error.strerror or error}.")
        raise typer.Exit(status) from error


class TerminatedError(KeyboardInterrupt):
    """SIGTERM, as batch schedulers send it; takes the way of Ctrl-C, which leaves no half file."""


_INTERRUPTS = {
    signal.SIGINT: (KeyboardInterrupt, INTERRUPTED),
    signal.SIGTERM: (TerminatedError, TERMINATED),
}
_LAST_RESORT_S = 5.0


@contextlib.contextmanager
def termination_interrupts() -> Iterator[None]:
    """Raise `TerminatedError` at SIGTERM within the block, and end the process for certain.

    An interrupt can get lost, in a finalizer or in a library that catches it. A process that is
    still in the block some seconds after one ends where it stands.
    """
    last_resorts: list[threading.Timer] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        error, status = _INTERRUPTS[signal.Signals(number)]
        last_resort = threading.Timer(_LAST_RESORT_S, os._exit, [status])
        last_resort.daemon = True
        last_resort.start()
        last_resorts.append(last_resort)
        raise error

    replaced = {}
    try:
        for number in _INTERRUPTS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as under nohup
                replaced[number] = signal.signal(number, interrupt)
    except ValueError:  # not in the main thread, where signals are none of our business
        yield
        return
    try:
        yield
    finally:
        for number, previous in replaced.items():
            signal.signal(number, previous)
        for last_resort in last_resorts:
            last_resort.cancel()


def load_quiet_opencv() -> None:
    """Load OpenCV and keep its own log off the terminal; its errors come back as ours.

    Only for the command line, which owns the process: the setting is global.
    """
    from cxr_enhance.io.opencv import load_cv2

    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # for processes started by this one
    cv2 = load_cv2()
    with contextlib.suppress(AttributeError):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def keep_dask_quiet() -> None:
    """Keep what Dask says of workers that end off the terminal; outcomes come back as ours.

    Only for the command line, which owns the process. Dask mutes a local cluster by itself, but
    not its last moments: tasks that outlive a closed cluster speak again, and the helper process
    of `multiprocessing` counts what killed workers left.
    """
    import logging

    filters = [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"]
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, filters))  # for that helper process
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL + 1)


def leave_at_once(status: int) -> NoReturn:
    """End the process without waiting for its threads, or leaving decoders at work."""
    kill_decoders()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def is_terminal() -> bool:
    """Tell whether a person is likely to watch standard error."""
    return sys.stderr.isatty()
