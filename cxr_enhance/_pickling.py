"""Pickles of older versions of frozen records with slots."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def reads_older_pickles(
    complete: Callable[[list[Any]], list[Any]],
) -> Callable[[type[T]], type[T]]:
    """Return a decorator for a frozen dataclass with slots that gained fields.

    Use it above ``@dataclass``. A method ``__setstate__`` in the class would not be enough:
    `dataclass` replaces it in Python 3.11.3 and older.

    Parameters
    ----------
    complete : callable
        Function that takes the pickled values, in the order of the fields of that version, and
        returns a value for each present field, in order.
    """

    def decorator(record: type[T]) -> type[T]:
        def set_state(self: T, state: list[Any]) -> None:
            fields = dataclasses.fields(record)  # type: ignore[arg-type]
            for field, value in zip(fields, complete(state), strict=True):
                object.__setattr__(self, field.name, value)

        record.__setstate__ = set_state  # type: ignore[attr-defined]
        return record

    return decorator
