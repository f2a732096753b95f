"""Descriptions of an optimizer or a loss of the caller, by which a resumed run compares them.

A description is the same in every process: it contains no address, and no name that Keras numbers.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import types
from typing import Any

import keras
import numpy as np

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def text_of(part: Any) -> str:
    """Return a description of an optimizer, a loss or a function.

    An optimizer or a loss object is described by the name of its class and its `get_config`; if a
    class of the caller has no `get_config` of its own, by its attributes, too. A function is
    described by its module and name, the values it encloses and its defaults, and a
    `functools.partial` by its function and arguments. A lambda is also described by its bytecode,
    which differs between versions of Python. Not described are the body of a function that has a
    name, and global variables.
    """
    return _text_of(part, ())


def earlier_text_of(part: Any) -> str:
    """Return the description that versions before `text_of` stored, which lacks most values.

    Compare two of these descriptions after `without_addresses`.
    """
    if hasattr(part, "get_config"):
        return (
            f"{type(part).__name__} {json.dumps(_own_config(part), sort_keys=True, default=repr)}"
        )
    name = getattr(part, "__qualname__", type(part).__qualname__)
    return f"{getattr(part, '__module__', '')}.{name}"


def without_addresses(text: str) -> str:
    """Return a description without the addresses that differ between processes."""
    return _ADDRESS.sub("", text)


def _own_config(part: Any) -> dict[str, Any]:
    """Return the `get_config` of a part without its name and without None."""
    return {
        name: value
        for name, value in part.get_config().items()
        if name != "name" and value is not None
    }


def lacks_options(part: Any) -> bool:
    """Return whether the class of `part` takes options of its own that `get_config` lacks."""
    return _defined_outside_keras(part, "__init__") and not _defined_outside_keras(
        part, "get_config"
    )


def _defined_outside_keras(part: Any, name: str) -> bool:
    classes = (cls for cls in type(part).__mro__ if name in vars(cls))
    return next(classes, object).__module__.partition(".")[0] not in ("keras", "builtins")


def _text_of(part: Any, above: tuple[int, ...]) -> str:
    if id(part) in above:  # a function that encloses itself
        return "itself"
    above = (*above, id(part))
    if isinstance(part, functools.partial):
        given: Any = {"args": list(part.args), "keywords": part.keywords}
        return f"partial of {_text_of(part.func, above)} {_json_of(given, above)}"
    if hasattr(part, "get_config"):
        given = _own_config(part)
        if lacks_options(part):
            base = vars(keras.losses.Loss(name="base"))
            given |= {name: value for name, value in vars(part).items() if name not in base}
        return f"{type(part).__name__} {_json_of(given, above)}"
    name = getattr(part, "__qualname__", type(part).__qualname__)
    given = _given_of(part)
    details = f" {_json_of(given, above)}" if given else ""
    return f"{getattr(part, '__module__', '')}.{name}{details}"


def _given_of(function: Any) -> dict[str, Any]:
    """Return what makes a function or callable object differ from others of the same name."""
    if isinstance(function, types.MethodType):
        return {"self": function.__self__, **_given_of(function.__func__)}
    if not isinstance(function, types.FunctionType):
        return dict(getattr(function, "__dict__", {}))
    given: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        given[name] = cell.cell_contents
    if function.__defaults__ or function.__kwdefaults__:
        given["defaults"] = [function.__defaults__, function.__kwdefaults__]
    if function.__name__ == "<lambda>":
        given["code"] = function.__code__
    return given


def _json_of(given: Any, above: tuple[int, ...]) -> str:
    return json.dumps(_plain(given, above), sort_keys=True)


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    """Return a value as JSON types, the same in every process."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(item, above) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, above) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(_plain(item, above)) for item in value)
    if isinstance(value, types.CodeType):
        parts = [value.co_code.hex(), list(value.co_names), list(value.co_consts)]
        return hashlib.sha256(_json_of(parts, above).encode()).hexdigest()[:16]
    if isinstance(value, type | keras.layers.Layer):  # Keras numbers layers
        kind = value if isinstance(value, type) else type(value)
        return f"{kind.__module__}.{kind.__qualname__}"
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        content = hashlib.sha256(array.tobytes()).hexdigest()[:16]
        return f"array {array.dtype} {array.shape} {content}"
    if hasattr(value, "get_config") or callable(value):
        return _text_of(value, above)
    return without_addresses(repr(value))
