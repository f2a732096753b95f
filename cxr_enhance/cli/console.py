"""Output to the terminal, exit statuses of errors, and silencing of libraries."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, NoReturn

import typer

from cxr_enhance.io.dicom.decoder_pool import kill_decoders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

FAILED, WRONG_USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def printable(path: str) -> str:
    """Return a file name or another text as one line of printable text.

    Characters that cannot be printed, and bytes that are not UTF-8, are escaped.
    """
    return "".join(map(_printable_character, path))


def _printable_character(char: str) -> str:
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":  # a byte of a file name that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def say(text: str) -> None:
    """Print to standard output."""
    typer.echo(text)


def complain(text: str) -> None:
    """Print to standard error."""
    typer.echo(text, err=True)


@contextlib.contextmanager
def errors_exit_with(status: int) -> Iterator[None]:
    """Print an expected error of the block as a sentence, and exit with `status`.

    Expected errors are TypeError, ValueError, ImportError and OSError.
    """
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
    """Error for SIGTERM, which batch schedulers send; it ends a run like Ctrl-C."""


_INTERRUPTS = {
    signal.SIGINT: (KeyboardInterrupt, INTERRUPTED),
    signal.SIGTERM: (TerminatedError, TERMINATED),
}
_LAST_RESORT_S = 5.0


@contextlib.contextmanager
def termination_interrupts() -> Iterator[None]:
    """Raise `TerminatedError` at SIGTERM and `KeyboardInterrupt` at SIGINT during the block.

    A finalizer or a library can swallow such an error. If the block still runs 5 seconds after the
    signal, the process ends without further steps. A signal that the process ignores stays ignored.
    In another thread than the main thread, the function changes nothing.
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
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # nohup ignores a signal
                replaced[number] = signal.signal(number, interrupt)
    except ValueError:  # only the main thread may handle signals
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
    """Load OpenCV and silence its log; OpenCV's errors are reported as outcomes instead.

    The setting is global, so only the command line, which owns the process, calls this function.
    """
    from cxr_enhance.io.opencv import load_cv2

    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # for processes started by this one
    cv2 = load_cv2()
    with contextlib.suppress(AttributeError):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextlib.contextmanager
def standard_error_kept_back() -> Iterator[None]:
    """Hold back all output to standard error during the block; print it if the block fails.

    C++ libraries write to standard error before any log level is set. The output of a successful
    block is discarded. A missing module and an interruption do not count as failures. If the
    process crashes in the block, as TensorFlow does on a CPU that it was not built for, the
    traceback of the crash is printed, unless `faulthandler` was enabled before. The effect is
    global, so only the command line, which owns the process, calls this function.
    """
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    sys.stderr.flush()
    enabled = faulthandler.is_enabled()
    with tempfile.TemporaryFile() as held, open(kept, "wb", buffering=0) as terminal:
        os.dup2(held.fileno(), 2)
        if not enabled:
            faulthandler.enable(terminal)
        failed = False
        try:
            yield
        except Exception as error:
            failed = not isinstance(error, ModuleNotFoundError)
            raise
        finally:
            if not enabled:
                faulthandler.disable()
            sys.stderr.flush()
            os.dup2(terminal.fileno(), 2)
            if failed:
                held.seek(0)
                terminal.write(held.read())


def keep_dask_quiet() -> None:
    """Silence Dask's messages about ending workers; failures are reported as outcomes instead.

    Dask silences a local cluster only until the cluster closes. Tasks that still run then log
    again, and the resource tracker of `multiprocessing` warns of resources that killed workers
    left. The effect is global, so only the command line, which owns the process, calls this
    function.
    """
    import logging

    filters = [os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"]
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, filters))  # for the resource tracker
    for handler in logging.getLogger("distributed").handlers:
        handler.setLevel(logging.CRITICAL + 1)


def leave_at_once(status: int) -> NoReturn:
    """End the process without waiting for its threads; kill running decoder processes."""
    kill_decoders()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()
