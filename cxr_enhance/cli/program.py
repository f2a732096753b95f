"""Common parts of both command lines: help, version and exit status, but no command."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer

_NEEDED = ("typer", "tqdm", "matplotlib")


def new_program(name: str, summary: str) -> typer.Typer:
    """Make a program without commands, with ``--help`` and ``--version``."""
    import typer

    from cxr_enhance._version import __version__

    program = typer.Typer(
        name=name,
        help=summary,
        epilog="Research software, not a medical device.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def print_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"{name} {__version__}")
            raise typer.Exit

    @program.callback(help=summary)
    def options_of_the_program(
        version: bool = typer.Option(
            False, "--version", callback=print_version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        pass

    return program


def run_program(
    name: str, load: Callable[[], typer.Typer], arguments: Sequence[str] | None, *, extra: str
) -> int:
    """Run a program and return its exit status.

    Parameters
    ----------
    name : str
        Name of the program in the help.
    load : callable
        Function that imports and returns the program.
    arguments : sequence of str or None
        Arguments after the name of the program. None uses the arguments of the process.
    extra : str
        Name of the extra to install if a package is missing.

    Returns
    -------
    int
        Exit status: 0 success, 1 some work failed, 2 wrong usage, 130 interrupted, or another
        status that a command exits with.

    Raises
    ------
    ModuleNotFoundError
        If a module other than typer, tqdm and matplotlib is missing.
    OSError
        If a command does not handle an error of the system, except for a closed pipe and a full
        disk behind standard output.
    """
    try:
        load()(args=None if arguments is None else list(arguments), prog_name=name)
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
            f'Install it with: pip install "cxr-enhance[{extra}]"\n'
        )
        return 1
    return _flushed(0)


def _flushed(status: int) -> int:
    """Flush standard output and return the exit status; 1 for a failed flush after status 0.

    The flush is done here, because Python prints an error if it flushes a closed pipe at its exit.
    """
    try:
        sys.stdout.flush()
    except OSError:  # the pipe is closed, or the disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status or 1
    return status
