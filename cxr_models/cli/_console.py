"""Output to the terminal, and exit statuses of errors; most functions are from `cxr-enhance`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from cxr_enhance.cli.console import (
    FAILED,
    INTERRUPTED,
    WRONG_USAGE,
    complain,
    is_terminal,
    leave_at_once,
    printable,
    say,
    standard_error_kept_back,
)
from cxr_enhance.cli.console import errors_exit_with as foreseen_errors_exit_with
from cxr_models.cli._extras import sentence_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "WRONG_USAGE",
    "complain",
    "errors_exit_with",
    "is_terminal",
    "leave_at_once",
    "note_on_terminal",
    "printable",
    "say",
    "shows_as_notes",
    "standard_error_kept_back",
]


@contextlib.contextmanager
def errors_exit_with(status: int) -> Iterator[None]:
    """Print an expected error as a sentence and exit with `status`.

    Expected errors are TypeError, ValueError, ImportError and OSError. For a missing package of an
    extra, the sentence states how to install it.
    """
    with foreseen_errors_exit_with(status):
        try:
            yield
        except ModuleNotFoundError as error:
            sentence = sentence_of(error)
            if sentence is None:
                raise
            raise ImportError(sentence) from error


def shows_as_notes(show: Callable[..., object]) -> Callable[..., None]:
    """Return a replacement of `warnings.showwarning` that prints a `UserWarning` as one line.

    Warnings of subclasses of `UserWarning` and all other warnings go to `show`.
    """

    def show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if category is UserWarning:
            complain(printable(f"note: {message}"))
        else:
            show(message, category, *where)

    return show_warning


def note_on_terminal(text: str) -> None:
    """Print a line about slow work if standard error is a terminal, and nothing otherwise."""
    if is_terminal():
        complain(printable(text))
