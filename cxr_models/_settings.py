"""Base class of the sections of settings, and checks of their values.

The sections themselves and their defaults are in `cxr_models.config`.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Section:
    """Base class of settings that converts them to and from dictionaries of JSON types.

    A setting can itself be a section.
    """

    __slots__ = ()

    _NESTED: ClassVar[Mapping[str, Any]] = MappingProxyType({})  # settings that are sections

    def to_dict(self) -> dict[str, Any]:  # for users, who know the types of settings
        """Return the settings as a dictionary of JSON types; a section in it is a dictionary."""
        plain = {}
        for name in (f.name for f in dataclasses.fields(self)):  # type: ignore[arg-type]
            value = getattr(self, name)
            if name in self._NESTED and value is not None:
                value = value.to_dict()
            plain[name] = list(value) if isinstance(value, tuple) else value
        return plain

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Make the record from `settings`; a setting that is missing takes its default.

        Raises
        ------
        TypeError
            If a value has the wrong type.
        ValueError
            If a name is unknown or a value is out of range.
        """
        if not isinstance(settings, dict):
            raise TypeError(f"`settings` must be a dict; got {settings!r}.")
        names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
        unknown = sorted(set(settings) - set(names))
        if unknown:
            raise ValueError(
                f"`settings` must have only the names {', '.join(names)}; got "
                f"{', '.join(map(str, unknown))}.{suggestion(str(unknown[0]), setting_names(cls))}"
            )
        values: dict[str, Any] = {}  # each section checks the types of its own values
        for name, value in settings.items():
            section = cls._NESTED.get(name)
            if section is not None and isinstance(value, dict):
                value = cls.section_from(name, value)
            values[name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)

    @classmethod
    def section_from(cls, name: str, settings: Mapping[str, Any]) -> Any:
        """Make the nested section `name` from `settings`, as `from_dict` does."""
        return cls._NESTED[name].from_dict(settings)


def setting_names(section: Any) -> list[str]:
    """Return the names of all settings of a section; nested names are ``section.setting``."""
    nested = getattr(section, "_NESTED", {})
    names = []
    for name in (f.name for f in dataclasses.fields(section)):
        nested_names = setting_names(nested[name]) if name in nested else []
        names += [f"{name}.{nested_name}" for nested_name in nested_names] or [name]
    return names


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return a sentence that suggests the name most similar to `name`; empty if no name is similar.

    Examples
    --------
    >>> suggestion("epoch_head", ["training.epochs_head", "training.seed"])
    ' Did you mean training.epochs_head?'
    """
    last = name.rpartition(".")[2]
    by_last = {choice.rpartition(".")[2]: choice for choice in names}
    near = difflib.get_close_matches(name, names, 1, 0.8)
    near = near or [
        by_last[choice] for choice in difflib.get_close_matches(last, list(by_last), 1, 0.7)
    ]
    return f" Did you mean {near[0]}?" if near else ""


def is_int(value: object) -> bool:
    """Return whether `value` is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ValueError if `value` is not in `choices`."""
    if value not in choices:
        near = suggestion(value, choices) if isinstance(value, str) else ""
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}.{near}"
        )


def by_full_name(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the full name, such as ``training.seed``, and the value of every setting."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from by_full_name(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def check_names(name: str, value: object) -> None:
    """Raise TypeError unless a value is several names; a str would be read as its letters."""
    if isinstance(value, str):
        raise TypeError(f"`{name}` must be several names; got {value!r}. Write [{value!r}].")
    if not isinstance(value, Collection) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"`{name}` must be several names, each a str; got {value!r}.")


def check_text_by_name(name: str, value: object) -> None:
    """Raise TypeError unless a value is a mapping of str to str."""
    if not isinstance(value, Mapping) or not all(
        isinstance(item, str) for pair in value.items() for item in pair
    ):
        raise TypeError(
            f"`{name}` must be a dictionary of str to str, such as {{'covid': 'virus'}}; got "
            f"{value!r}."
        )


def check_bool(name: str, value: object) -> None:
    """Raise TypeError if `value` is not a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"`{name}` must be a bool; got {value!r}.")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise TypeError if `value` is not a number, and ValueError unless low <= value <= high."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{name}` must be a number; got {value!r}.")
    if not low <= value <= high:
        raise ValueError(f"`{name}` must be from {low} to {high}; got {value!r}.")
