"""Options of two values that may be repeated, such as ``--percentiles LOW HIGH``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Number = TypeVar("_Number", int, float)
PAIR_OPTIONS = ("--percentiles", "--size", "--tile-grid-size", "--window")


class CommandWithPairs(TyperCommand):
    """A command that joins the two values after each of `PAIR_OPTIONS` into one text.

    typer does not support lists of pairs. Such an option is therefore declared as a list of texts,
    which `pair_of` parses.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments after the name of the command."""
        return super().parse_args(ctx, joined_pairs(args))


def joined_pairs(words: Sequence[str]) -> list[str]:
    """Return arguments in which the two values of each of `PAIR_OPTIONS` are one argument.

    ``--size 10 20`` becomes ``--size=10 20``.
    """
    joined: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*joined, word, *rest]
        name, equals, value = word.partition("=")
        if name in PAIR_OPTIONS:
            values = ([value] if equals else []) + rest[: 1 if equals else 2]
            del rest[: 1 if equals else 2]
            word = f"{name}={' '.join(values)}"
        joined.append(word)
    return joined


def pair_of(text: str, option: str, number: Callable[[str], _Number]) -> tuple[_Number, _Number]:
    """Parse the two numbers of a text that `joined_pairs` made.

    Raises
    ------
    ValueError
        If the text is not two numbers of the type `number`.
    """
    try:
        first, second = map(number, text.split())
    except ValueError:
        kind = "whole numbers" if number is int else "numbers"
        raise ValueError(f"`{option}` must be two {kind}; got {text!r}.") from None
    return first, second
