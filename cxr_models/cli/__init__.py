"""The command line: words to calls and calls to words, no work of its own."""

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
        The words after the program's name; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 some work failed, 2 wrong usage, 130 interrupted.
    """
    try:
        with warnings.catch_warnings():  # filters and words of this command alone
            return run_program("cxr-models", _load, arguments, extra="models")
    except ModuleNotFoundError as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        sys.stderr.write(f"Error: {sentence}\n")
        return 1


def _load() -> typer.Typer:
    # Before any library is loaded that reads it. What TensorFlow says of itself is not what was
    # asked for, unless this is set already.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from cxr_models.cli._app import app
    from cxr_models.cli._console import shows_as_notes

    warnings.showwarning = shows_as_notes(warnings.showwarning)
    return app
