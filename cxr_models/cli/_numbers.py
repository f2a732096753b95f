"""Parsing of options that are lists of numbers with commas between them."""

from __future__ import annotations


def numbers_of(text: str | None, option: str) -> tuple[float, ...]:
    """Return the numbers in the value of an option; an empty tuple for None.

    Raises
    ------
    ValueError
        If a part of the text is not a number.
    """
    if text is None:
        return ()
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"`{option}` must be numbers with commas between them, such as 0.05,0.2; got {text!r}."
        ) from None
