"""The command line `cxr-enhance`: it parses options, calls other packages and prints results."""

from __future__ import annotations

import sys
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
        Arguments after the name of the program. None uses the arguments of the process.

    Returns
    -------
    int
        Exit status: 0 success, 1 some work failed, 2 wrong usage, 130 interrupted, 143 terminated.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)

    def load() -> typer.Typer:
        from cxr_enhance.cli._app import app
        from cxr_enhance.cli._missing_command import stop_at_files

        stop_at_files(app, words)
        return app

    return run_program("cxr-enhance", load, arguments, extra="cli")
