"""Options of two words that may be repeated, such as ``--percentiles LOW HIGH``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Number = TypeVar("_Number", int, float)
PAIR_OPTIONS = ("--percentiles", "--size", "--tile-grid-size", "--window")


class CommandWithPairs(TyperCommand):
    """A command that joins the two words after each of `PAIR_OPTIONS` into one text.

    typer has no lists of pairs: such an option is declared as a list of texts, which `pair_of`
    reads.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words after the command's name."""
        return super().parse_args(ctx, joined_pairs(args))


def joined_pairs(words: Sequence[str]) -> list[str]:
    """Join the two words after each of `PAIR_OPTIONS`, with a space between them."""
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
    """Split a text that `joined_pairs` made into two numbers.

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
