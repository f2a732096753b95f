"""The command line: words to calls and calls to words, no work of its own."""

from __future__ import annotations

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
        from cxr_models.cli._app import app

        app(args=None if arguments is None else list(arguments), prog_name="cxr-models")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write(
            f"Error: {error.name} is needed for the command line. "
            'Install it with: pip install "cxr-enhance[models]"\n'
        )
        return 1
    return 0
