"""The command line: words to calls and calls to words, no work of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_enhance.cli.program import run_program

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer


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
    return run_program("cxr-enhance", _load, arguments, extra="cli")


def _load() -> typer.Typer:
    from cxr_enhance.cli._app import app

    return app
