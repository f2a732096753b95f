"""Conversion of frozen dataclasses to JSON and back, checked by the types of the fields.

A field without a default is always written, and reading requires its key. The key of a field with
a default may be missing from a file; such a field is not written while it has its default value,
unless its metadata is `WRITTEN`. Reading ignores keys without a field.
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

from cxr_enhance.io.atomic import write_content_atomically
from cxr_models._json import parse_json

if typing.TYPE_CHECKING:
    from pathlib import Path

R = TypeVar("R")
Integer = Annotated[int, "an integer"]  # may be negative; a field of type int holds a count
WRITTEN = types.MappingProxyType({"written": True})  # metadata of fields that are always written
_LARGEST_FLOAT = sys.float_info.max  # JSON can hold larger integers
# for each type of a field: the Python types that JSON gives, and the rule in words
_SCALARS: dict[Any, tuple[Any, str]] = {
    str: (str, "text"),
    int: (int, "a count"),
    float: ((int, float), "a finite number"),
}


def to_json(value: Any) -> Any:
    """Return a record and the values of its fields as JSON types.

    The keys are the names of the fields, in their order. Fields that the class lists in ``FIRST``
    come before all other fields, inherited fields included.
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
    """Return the record of class `cls` that `value` holds as JSON types.

    Raises
    ------
    ValueError
        If a key is missing or its value does not fit the type of the field. The message states
        the key, the value and the rule, as a clause that a caller can put after "where".
    """
    record: R = _read(cls, value, ())
    return record


def write_record(path: Path, record: Any) -> None:
    """Write a record as a JSON file, atomically."""
    write_content_atomically(path, json.dumps(to_json(record), allow_nan=False) + "\n")


def read_object(path: Path) -> dict[str, object]:
    """Read a JSON file that holds an object.

    Raises
    ------
    ValueError
        If the file is not JSON or does not hold an object.
    OSError
        If the file cannot be read.
    """
    return parse_object(path.read_bytes(), path.name, path)


def parse_object(text: str | bytes, name: str, path: Path) -> dict[str, object]:
    """Parse UTF-8 JSON that holds an object; error messages contain `name` and `path`."""
    try:
        value = parse_json(text)
    except ValueError as error:
        raise ValueError(f"`{name}` must be JSON; got {str(path)!r}: {error}.") from error
    if not isinstance(value, dict):
        raise ValueError(f"`{name}` must hold one JSON object; got {str(path)!r}.")
    return value


def converted(cls: type[R], base: Any, **values: Any) -> R:
    """Return a record of class `cls` with `values`; other fields are copied from `base`.

    Fields that `base` does not have keep their defaults.
    """
    names = {field.name for field in _fields(cls)} - values.keys()
    return cls(**{name: getattr(base, name) for name in names if hasattr(base, name)}, **values)


def _fields(cls: Any) -> list[dataclasses.Field[Any]]:
    """Return the fields of a record's class in the order of the JSON keys."""
    first = getattr(cls, "FIRST", ())
    return sorted(dataclasses.fields(cls), key=lambda field: field.name not in first)


@functools.cache
def _hints(cls: type) -> dict[str, object]:
    return typing.get_type_hints(cls, include_extras=True)


def _read(rule: Any, value: Any, keys: tuple[str, ...]) -> Any:
    """Return `value` converted to the type `rule`; `keys` is the path to the value."""
    kind, inner = typing.get_origin(rule), typing.get_args(rule)
    if kind in (types.UnionType, typing.Union):  # every union is with None
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
            raise _mismatch(value, f"a list of {len(inner)}", keys)
        return kind(
            _read(item_rule, item, (*keys, str(index)))
            for index, (item_rule, item) in enumerate(zip(inner, items, strict=True))
        )
    if kind is Literal and value not in inner:
        raise _mismatch(value, f"one of {', '.join(inner)}", keys)
    if rule in _SCALARS:
        _checked(value, *_SCALARS[rule], keys)
        if (rule is int and value < 0) or (rule is float and not abs(value) <= _LARGEST_FLOAT):
            raise _mismatch(value, _SCALARS[rule][1], keys)
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
    except ValueError as error:  # raised by the record's own checks
        raise ValueError(f"{'.'.join(keys)}: {error}" if keys else str(error)) from error


def _checked(value: Any, kind: Any, rule: str, keys: tuple[str, ...]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _mismatch(value, rule, keys)
    return value


def _mismatch(value: object, rule: str, keys: tuple[str, ...]) -> ValueError:
    key = ".".join(keys) or "the JSON value"
    return ValueError(f"{key} is {reprlib.repr(value)}, not {rule}")
