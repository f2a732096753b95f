"""Words to the terminal, and errors with their exit status."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED, WRONG_USAGE = 1, 2


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
        complain(f"Error: {error}")
        raise typer.Exit(status) from error
    except OSError as error:
        name = "" if error.filename is None else f"{error.filename}: "
        complain(f"Error: {name}{error.strerror or error}")
        raise typer.Exit(status) from error
