"""The command line `cxr-models`: it parses options, calls other packages and prints results."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING

from cxr_enhance.cli.program import run_program
from cxr_models.cli._extras import sentence_of

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
        Exit status: 0 success, 1 some work failed, 2 wrong usage, 130 interrupted.
    """
    try:
        with warnings.catch_warnings():  # restores warning filters and `showwarning` at the end
            return run_program("cxr-models", _load, arguments, extra="models")
    except ModuleNotFoundError as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        sys.stderr.write(f"Error: {sentence}\n")
        return 1


def _load() -> typer.Typer:
    # Set before TensorFlow is loaded, which reads the variable then. It hides TensorFlow's own
    # messages, unless the user has set the variable.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from cxr_models.cli._app import app
    from cxr_models.cli._console import shows_as_notes

    warnings.showwarning = shows_as_notes(warnings.showwarning)
    return app
