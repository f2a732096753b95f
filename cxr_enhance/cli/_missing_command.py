"""Help for a call without a command, such as `cxr-enhance one.jpg out.png`."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from cxr_enhance.archive.job import is_image_ending
from cxr_enhance.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer


def stop_at_files(app: typer.Typer, words: Sequence[str]) -> None:
    """If the arguments contain files but do not begin with a command, print the command and exit.

    Raises
    ------
    SystemExit
        With the exit status of wrong usage, after the command was printed.
    """
    names = [
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback is not None
    ]
    if not words or words[0] in (*names, "-h", "--help", "--version"):
        return
    file = next((word for word in words if _is_file(word)), None)
    if file is None:
        return
    command = shlex.join(["cxr-enhance", "run", *_with_out_option(words)])
    console.complain(
        f"Error: `COMMAND` must be one of {', '.join(names)}; got {console.printable(words[0])!r}. "
        f"Enhance files with: {console.printable(command)}"
    )
    raise SystemExit(console.WRONG_USAGE)


def _is_file(word: str) -> bool:
    if word.startswith("-"):
        return False
    return is_image_ending(os.path.splitext(word)[1]) or os.path.lexists(word)


def _with_out_option(words: Sequence[str]) -> list[str]:
    if any(word == "--out" or word.startswith("--out=") for word in words):
        return list(words)
    if any(word.startswith("-") for word in words):  # an option's values look like files
        return [*words, "--out", "DIR"]
    if len(words) > 1:
        return [*words[:-1], "--out", words[-1]]
    stem, ending = os.path.splitext(words[0].rstrip(os.sep))
    if os.path.isdir(words[0]):
        return [words[0], "--out", f"{stem}{ending}-enhanced"]
    return [words[0], "--out", f"{stem}-enhanced.png"]
