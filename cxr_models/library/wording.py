"""Error messages for Python: the command line's ``--out`` is the argument ``out`` there."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_COMMAND = re.compile(r"cxr-(?:models|enhance) ")  # what follows on the line is for the shell
_SETTING = re.compile(r"""--set (?:'([\w.]+)="?([^'"]+)"?'|([\w.]+)=(\S+))""")
_FLAGS = {  # options without a value, as what they are here
    "--border-cropped": "border_cropped=True",
    "--drop-split": "drop_split=True",
    "--from-predictions": "from_predictions=True",
    "--list-layouts": "cxr-models index --list-layouts",
    "--no-decode": "decode=False",
    "--official-split": "official_split=True",
    "--overwrite": "overwrite=True",
    "--white-balanced": "white_balanced=True",
    "--without-leaks": "without_leaks=True",
}
_QUOTED = re.compile(r"`--([a-z][a-z-]*)")  # at the head of a sentence, where it stands in quotes
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


def says_arguments(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that renames options of commands in a function's error messages.

    Parameters
    ----------
    **names : str
        Positional arguments of the command, which are in capitals there, each with the name of the
        function's argument, such as ``SOURCE="folder"``.
    """

    def decorator(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except (TypeError, ValueError, OSError, ImportError) as error:
                if len(error.args) == 1 and isinstance(error.args[0], str):
                    error.args = (in_python(error.args[0], names),)
                raise

        return call

    return decorator


def in_python(sentence: str, names: dict[str, str]) -> str:
    """Return an error message with options replaced by arguments. Commands in it are kept.

    Examples
    --------
    >>> in_python("`--out` must not exist; got 'a'. Replace it with --overwrite", {})
    "`out` must not exist; got 'a'. Replace it with overwrite=True"
    >>> in_python("`RUN` must be one. Make it with: cxr-models train --seed 1", {"RUN": "run"})
    '`run` must be one. Make it with: cxr-models train --seed 1'
    """
    return "\n".join(_line_in_python(line, names) for line in sentence.split("\n"))


def _line_in_python(line: str, names: dict[str, str]) -> str:
    command = _COMMAND.search(line)
    end = len(line) if command is None else command.start()
    text, rest = line[:end], line[end:]
    text = _SETTING.sub(lambda m: f"config={{{m[1] or m[3]!r}: {m[2] or m[4]!r}}}", text)
    text = _QUOTED.sub(lambda m: f"`{_argument(m[1])}", text)
    text = _OPTION.sub(lambda m: _FLAGS.get(m[0]) or f"`{_argument(m[1])}`", text)
    for name, argument in names.items():
        text = text.replace(f"`{name}`", f"`{argument}`")
    return text + rest


def _argument(option: str) -> str:
    return option.replace("-", "_")
