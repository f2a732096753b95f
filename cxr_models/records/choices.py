"""What a user chooses of a set: its labels, views, rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cxr_models.records.layouts.reduce import RULES
from cxr_models.records.layouts.values import FRONTAL, VIEWS

UNCERTAIN_RULES = ("ignore", "zero", "one")
BLANK_RULES = ("unknown", "absent")
RADIOGRAPHS = frozenset(("CR", "DX", "DR", "RG", "RF", "OT", "SC"))
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Which images of a set become records, and with which labels.

    Parameters
    ----------
    label_from : str, default ""
        One finding against the rest; empty: labels are the set's classes, or its findings.
    priority : tuple of str, default ()
        Findings of which the first that is present is the label.
    uncertain : {"ignore", "zero", "one"}, default "ignore"
        Whether uncertain findings are left out of labels, absent, or present.
    blank : {"unknown", "absent"}, default "unknown"
        What a finding is that the set leaves blank, in an image of which it states another one.
    harmonise : bool, default False
        Whether findings take the names of `cxr_models.records.layouts.harmony`.
    official_split : bool, default False
        Whether the set's own parts become the split.
    views : frozenset of str, optional
        Views to keep; None keeps frontal and unknown views.
    modalities : frozenset of str, optional
        Modalities to keep; None keeps radiographs and images of unknown modality.
    where : mapping of str to frozenset of str, default {}
        Columns of the manifest or the set, each with its allowed values.
    keep : tuple of str, default ()
        Columns of the set that the manifest keeps.
    rows : str, default ""
        How several rows of an image become one; empty: the set's own rule.
    patient_pattern : str, default ""
        Regular expression that finds the patient in a file's path, in place of the set's own.

    Raises
    ------
    ValueError
        If a choice is not allowed.
    """

    label_from: str = ""
    priority: tuple[str, ...] = ()
    uncertain: str = "ignore"
    blank: str = "unknown"
    harmonise: bool = False
    official_split: bool = False
    views: frozenset[str] | None = None
    modalities: frozenset[str] | None = None
    where: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    keep: tuple[str, ...] = ()
    rows: str = ""
    patient_pattern: str = ""

    def __post_init__(self) -> None:
        if self.label_from and self.priority:
            raise ValueError(
                f"`--label-from` is only allowed without --priority; got {self.label_from!r} and "
                f"{','.join(self.priority)!r}."
            )
        if self.uncertain not in UNCERTAIN_RULES:
            raise ValueError(
                f"`--uncertain` must be one of {', '.join(UNCERTAIN_RULES)}; got "
                f"{self.uncertain!r}."
            )
        if self.blank not in BLANK_RULES:
            raise ValueError(
                f"`--blank` must be one of {', '.join(BLANK_RULES)}; got {self.blank!r}."
            )
        if self.rows and self.rows not in RULES:
            raise ValueError(f"`--rows` must be one of {', '.join(RULES)}; got {self.rows!r}.")
        unknown = sorted((self.views or frozenset()) - {*VIEWS, ALL})
        if unknown:
            raise ValueError(
                f"`--views` must be all, or some of {', '.join(VIEWS)}; got {', '.join(unknown)}."
            )

    def columns(self) -> tuple[str, ...]:
        """Return the columns of a set to read: the columns of `keep` and of `where`."""
        return tuple(dict.fromkeys((*self.keep, *self.where)))

    def takes_view(self, view: str) -> bool:
        """Tell whether images of a view, one of `VIEWS` or empty, are kept."""
        if self.views is None:
            return not view or view in FRONTAL
        return ALL in self.views or view in self.views

    def takes_modality(self, modality: str) -> bool:
        """Tell whether images of a modality, such as "DX" or empty, are kept."""
        if self.modalities is None:
            return not modality or modality in RADIOGRAPHS
        return ALL in self.modalities or modality in self.modalities


def names_of(text: str | None) -> tuple[str, ...]:
    """Return the names in a text, which commas separate."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def conditions(texts: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return columns with their allowed values, from texts COLUMN=VALUE.

    Raises
    ------
    ValueError
        If a text has no ``=``.
    """
    allowed: dict[str, frozenset[str]] = {}
    for text in texts:
        column, equal, value = text.partition("=")
        if not equal or not column.strip():
            raise ValueError(f"`--where` must be COLUMN=VALUE; got {text!r}.")
        column = column.strip()
        allowed[column] = allowed.get(column, frozenset()) | {value.strip()}
    return allowed
