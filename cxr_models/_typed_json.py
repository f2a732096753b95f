"""Frozen dataclasses to JSON and back; the type of a field is the rule of its key.

A field without a default is always written and must be there. A field with a default may be
missing, and is left out where it has that value unless its metadata is `WRITTEN`. Keys that no
field names are passed over.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import reprlib
import sys
import types
import typing
from typing import Annotated, Any, Literal, TypeVar

from cxr_enhance.io.atomic import write_whole
from cxr_models._json import parse_json

if typing.TYPE_CHECKING:
    from pathlib import Path

R = TypeVar("R")
Integer = Annotated[int, "an integer"]  # of any sign; a plain int is a count
WRITTEN = types.MappingProxyType({"written": True})
_LARGEST = sys.float_info.max
_PLAIN: dict[Any, tuple[Any, str]] = {
    str: (str, "text"),
    int: (int, "a count"),
    float: ((int, float), "a finite number"),
}


def to_json(value: Any) -> Any:
    """Return a record, and what is in it, as JSON types.

    The keys of a record are its fields, in their order; those that its class names in ``FIRST``
    come first, before the fields that it inherits.
    """
    if dataclasses.is_dataclass(value):
        items = ((field, getattr(value, field.name)) for field in _fields(type(value)))
        return {
            field.name: to_json(item)
            for field, item in items
            if item != field.default or field.metadata == WRITTEN
        }
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[R], value: object) -> R:
    """Return the record of a class that `value` holds as JSON types.

    Raises
    ------
    ValueError
        If a key is missing or its value does not follow the rule. The message names the key, the
        value and the rule; it fits after the word "where".
    """
    record: R = _read(cls, value, ())
    return record


def write_record(path: Path, record: Any) -> None:
    """Write a record as a file of JSON, whole or not at all."""
    write_whole(path, json.dumps(to_json(record), allow_nan=False) + "\n")


def read_object(path: Path) -> dict[str, object]:
    """Read a file of JSON that holds an object.

    Raises
    ------
    ValueError
        If it is no JSON or holds something else.
    OSError
        If it cannot be read.
    """
    return parse_object(path.read_bytes(), path.name, path)


def parse_object(text: str | bytes, name: str, path: Path) -> dict[str, object]:
    """Parse JSON in UTF-8 that holds an object; `name` says what of `path` it is."""
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ValueError(f"`{name}` must be JSON; got {str(path)!r}: {error}.") from error
    if not isinstance(value, dict):
        raise ValueError(f"`{name}` must hold one JSON object; got {str(path)!r}.")
    return value


def converted(cls: type[R], base: Any, **overrides: Any) -> R:
    """Return a record of `cls` with the values of another class's record, and `overrides`."""
    names = {field.name for field in _fields(cls)} - overrides.keys()
    return cls(**{name: getattr(base, name) for name in names if hasattr(base, name)}, **overrides)


def _fields(cls: Any) -> list[dataclasses.Field[Any]]:
    """Return the fields in the order of the keys."""
    first = getattr(cls, "FIRST", ())
    return sorted(dataclasses.fields(cls), key=lambda field: field.name not in first)


@functools.cache
def _hints(cls: type) -> dict[str, object]:
    return typing.get_type_hints(cls, include_extras=True)


def _read(rule: Any, value: Any, keys: tuple[str, ...]) -> Any:
    """Return `value` as the type `rule` asks for it; `keys` lead to it."""
    kind, inner = typing.get_origin(rule), typing.get_args(rule)
    if kind in (types.UnionType, typing.Union):  # with None, always
        return None if value is None else _read(inner[0], value, keys)
    if kind is Annotated:
        return _checked(value, inner[0], inner[1], keys)
    if dataclasses.is_dataclass(rule):
        return _read_record(rule, _checked(value, dict, "an object", keys), keys)
    if kind is dict:
        items = _checked(value, dict, "an object", keys).items()
        return {name: _read(inner[1], item, (*keys, name)) for name, item in items}
    if kind in (tuple, list):
        items = _checked(value, list, "a list", keys)
        if kind is list or inner[-1] is Ellipsis:
            inner = (inner[0],) * len(items)
        if len(items) != len(inner):
            raise _unfit(value, f"a list of {len(inner)}", keys)
        return kind(
            _read(rule, item, (*keys, str(place)))
            for place, (rule, item) in enumerate(zip(inner, items, strict=True))
        )
    if kind is Literal and value not in inner:
        raise _unfit(value, f"one of {', '.join(inner)}", keys)
    if rule in _PLAIN:
        _checked(value, *_PLAIN[rule], keys)
        if (rule is int and value < 0) or (rule is float and not abs(value) <= _LARGEST):
            raise _unfit(value, _PLAIN[rule][1], keys)
    return value


def _read_record(cls: Any, value: dict[str, object], keys: tuple[str, ...]) -> Any:
    values = {}
    for field in _fields(cls):
        if field.name in value:
            rule = _hints(cls)[field.name]
            values[field.name] = _read(rule, value[field.name], (*keys, field.name))
        elif field.default is dataclasses.MISSING:
            raise ValueError(f"{'.'.join((*keys, field.name))} is missing")
    try:
        return cls(**values)
    except ValueError as error:  # a rule of the record itself
        raise ValueError(f"{'.'.join(keys)}: {error}" if keys else str(error)) from error


def _checked(value: Any, kind: Any, rule: str, keys: tuple[str, ...]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _unfit(value, rule, keys)
    return value


def _unfit(value: object, rule: str, keys: tuple[str, ...]) -> ValueError:
    place = ".".join(keys) or "the whole"
    return ValueError(f"{place} is {reprlib.repr(value)}, not {rule}")
