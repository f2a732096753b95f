"""Error messages for Python: the command line's ``--out`` is the argument ``out`` there.

An option that is a setting, such as ``--epochs-head``, is the setting ``training.epochs_head`` in a
function that takes settings as `config`.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cxr_models._json import parse_json
from cxr_models._settings import setting_names
from cxr_models.config import RunConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

P = ParamSpec("P")
R = TypeVar("R")

_COMMAND = re.compile(r"cxr-(?:models|enhance) ")  # what follows on the line is for the shell
_SETTING = re.compile(r"--set (?:'([\w.]+)=([^']+)'|([\w.]+)=(\S+?)(?=[.,;]?(?:\s|$)))")
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
        settings = _settings_of(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except (TypeError, ValueError, OSError, ImportError) as error:
                if len(error.args) == 1 and isinstance(error.args[0], str):
                    error.args = (in_python(error.args[0], names, settings),)
                raise

        return call

    return decorator


def in_python(
    sentence: str, names: Mapping[str, str], settings: Mapping[str, str] | None = None
) -> str:
    """Return an error message with options replaced by arguments. Commands in it are kept.

    Parameters
    ----------
    sentence : str
        Message of the command.
    names : mapping of str to str
        Arguments of a function, by the positional arguments of the command.
    settings : mapping of str to str, optional
        Settings by the words of their options, such as ``training.seed`` by ``seed``. None means
        that the function takes no settings.

    Examples
    --------
    >>> in_python("`--out` must not exist; got 'a'. Replace it with --overwrite", {})
    "`out` must not exist; got 'a'. Replace it with overwrite=True"
    >>> in_python("`RUN` must be one. Make it with: cxr-models train --seed 1", {"RUN": "run"})
    '`run` must be one. Make it with: cxr-models train --seed 1'
    >>> in_python("Give --seed 1.", {}, {"seed": "training.seed"})
    'Give `training.seed` 1.'
    """
    return "\n".join(_line_in_python(line, names, settings or {}) for line in sentence.split("\n"))


def _line_in_python(line: str, names: Mapping[str, str], settings: Mapping[str, str]) -> str:
    def argument(option: str) -> str:
        word = option.replace("-", "_")
        return settings.get(word, word)

    command = _COMMAND.search(line)
    end = len(line) if command is None else command.start()
    text, rest = line[:end], line[end:]
    text = _SETTING.sub(lambda m: f"config={{{m[1] or m[3]!r}: {_value(m[2] or m[4])!r}}}", text)
    text = _QUOTED.sub(lambda m: f"`{argument(m[1])}", text)
    text = _OPTION.sub(lambda m: _FLAGS.get(m[0]) or f"`{argument(m[1])}`", text)
    for name, replacement in names.items():
        text = text.replace(f"`{name}`", f"`{replacement}`")
    return text + rest


def _value(text: str) -> object:
    """Return the value that ``--set`` reads from a text: of JSON, or else the text itself."""
    try:
        return parse_json(text)
    except ValueError:
        return text


def _settings_of(function: Callable[..., object]) -> dict[str, str]:
    """Return the settings that are no arguments of a function; none if it takes no `config`."""
    arguments = inspect.signature(function).parameters
    if "config" not in arguments:
        return {}
    by_word = {name.rpartition(".")[2]: name for name in setting_names(RunConfig)}
    return {word: name for word, name in by_word.items() if word not in arguments}
