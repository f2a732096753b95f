"""Counts in sentences: a number with its noun, in the singular or the plural."""

from __future__ import annotations


def counted(count: int, thing: str, plural: str = "") -> str:
    """Return a count and its noun, with a verb if both forms have one.

    Parameters
    ----------
    count : int
        Number of things.
    thing : str
        What one is.
    plural : str, default ""
        What several are. Empty adds ``s``, or replaces ``y`` by ``ies``.

    Examples
    --------
    >>> [counted(count, "study") for count in (0, 1, 2000)]
    ['0 studies', '1 study', '2,000 studies']
    >>> [counted(count, "image is", "images are") for count in (1, 2)]
    ['1 image is', '2 images are']
    """
    plural = plural or (f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s")
    return f"{count:,} {thing if count == 1 else plural}"
