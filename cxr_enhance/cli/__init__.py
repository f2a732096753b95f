"""The command line: words to calls and calls to words, no work of its own."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED = ("typer", "tqdm", "matplotlib")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str or None
        The words after the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 some work failed, 2 wrong usage, 130 interrupted.
    """
    try:
        from cxr_enhance.cli._app import app

        app(args=None if arguments is None else list(arguments), prog_name="cxr-enhance")
    except SystemExit as error:
        return _flushed(error.code if isinstance(error.code, int) else int(error.code is not None))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _flushed(1)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        sys.stderr.write(f"Error: standard output cannot be written: {error.strerror}.\n")
        return _flushed(1)
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write(
            f"Error: {error.name} is needed for the command line. "
            'Install it with: pip install "cxr-enhance[cli]"\n'
        )
        return 1
    return _flushed(0)


def _flushed(status: int) -> int:
    """Flush standard output here, where a reader that has gone can still be handled quietly."""
    try:
        sys.stdout.flush()
    except OSError:  # the reader has gone, or the disk below it is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status or 1
    return status
