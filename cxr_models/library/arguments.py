"""Arguments that are one item or several."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterable

    Path = str | os.PathLike[str]


@overload
def items_of(given: str | Iterable[str]) -> list[str]: ...
@overload
def items_of(given: Path | Iterable[Path]) -> list[Path]: ...
def items_of(given: Path | Iterable[Path]) -> list[str] | list[Path]:
    """Return the items of an argument; a single str or path is one item, not its letters.

    Examples
    --------
    >>> items_of("a.csv"), items_of(("a.csv", "b.csv")), items_of(())
    (['a.csv'], ['a.csv', 'b.csv'], [])
    """
    return [given] if isinstance(given, str | os.PathLike) else list(given)
