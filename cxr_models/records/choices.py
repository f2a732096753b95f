"""Choices of the user about a data set: labels, views, modalities, rows and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cxr_models._settings import check_names
from cxr_models.records.layouts.reduce import RULES
from cxr_models.records.layouts.values import FRONTAL, VIEWS

UNCERTAIN_RULES = ("ignore", "zero", "one")
BLANK_RULES = ("unknown", "absent")
RADIOGRAPHS = frozenset(("CR", "DX", "DR", "RG", "RF", "OT", "SC"))
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Choice of the images of a data set that become records, and of their labels.

    Parameters
    ----------
    label_from : str, default ""
        Name of a finding. The label is then this finding or "no" and its name. An image without
        any known finding gets no label. Empty makes the labels from the classes of the set, or
        from all its findings.
    priority : tuple of str, default ()
        Names of findings, the most important first. The label is the first one that is present.
    uncertain : {"ignore", "zero", "one"}, default "ignore"
        How labels treat uncertain findings. ``zero`` counts them as absent and ``one`` as present.
        With ``ignore``, an image whose label depends on an uncertain finding gets no label or the
        label "uncertain"; see `cxr_models.records.labels`.
    blank : {"unknown", "absent"}, default "unknown"
        Value of a finding whose cell is blank in the set. ``absent`` applies only to images with
        a value for at least one other finding.
    harmonise : bool, default False
        Whether findings are renamed to the common names of `cxr_models.records.layouts.harmony`.
    official_split : bool, default False
        Whether the records get the parts (train, val, test) that the set defines. Records of CSVs
        of the user get the parts of the column ``split`` with either value, unless the function
        that reads the CSVs drops the split.
    views : frozenset of str, optional
        Views to keep: names from `cxr_models.records.layouts.values.VIEWS`, or `ALL`. None keeps
        frontal and unknown views of a folder, and all views of CSVs of the user.
    modalities : frozenset of str, optional
        DICOM modalities to keep, or `ALL`. None keeps `RADIOGRAPHS` and images of unknown
        modality of a folder, and all modalities of CSVs of the user.
    where : mapping of str to frozenset of str, default {}
        Allowed values by column, for columns of the manifest or of the set. Images with other
        values are left out.
    keep : tuple of str, default ()
        Columns of the set that are copied into the manifest.
    rows : str, default ""
        Name of the rule that reduces several rows of one image to one row: a key of
        `cxr_models.records.layouts.reduce.RULES`. Empty uses the rule of the set.
    patient_pattern : str, default ""
        Regular expression that finds the patient id in the path of a file. It replaces the patient
        ids of the set. An image in whose path it finds nothing keeps the id that the set states, if
        any. Empty uses the patient ids of the set.

    Raises
    ------
    TypeError
        If `priority`, `views`, `modalities`, `keep` or a value of `where` is not several names. A
        list is accepted, and a single str is not.
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
        for name, kind in (
            ("priority", tuple),
            ("views", frozenset),
            ("modalities", frozenset),
            ("keep", tuple),
        ):
            if (names := getattr(self, name)) is not None:
                check_names(name, names)
                object.__setattr__(self, name, kind(names))
        if not isinstance(self.where, Mapping):
            raise TypeError(
                "`where` must be a dictionary of the values of each column, such as "
                f"{{'sex': ['F']}}; got {self.where!r}."
            )
        for column, values in self.where.items():
            check_names(f"where[{column!r}]", values)
        where = {column: frozenset(values) for column, values in self.where.items()}
        object.__setattr__(self, "where", where)
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
        """Return the columns to read from the tables of a set: those in `keep` and `where`."""
        return tuple(dict.fromkeys((*self.keep, *self.where)))

    def takes_view(self, view: str) -> bool:
        """Return whether images of a view are kept; the view is one of `VIEWS`, or empty."""
        if self.views is None:
            return not view or view in FRONTAL
        return ALL in self.views or view in self.views

    def takes_modality(self, modality: str) -> bool:
        """Return whether images of a modality, such as "DX", are kept; empty means unknown."""
        if self.modalities is None:
            return not modality or modality in RADIOGRAPHS
        return ALL in self.modalities or modality in self.modalities


def names_of(text: str | None) -> tuple[str, ...]:
    """Return the names in a text of names separated by commas; None has no names."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def conditions(texts: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the allowed values by column, from texts COLUMN=VALUE.

    Raises
    ------
    ValueError
        If a text has no ``=`` or no column before it.
    """
    allowed: dict[str, frozenset[str]] = {}
    for text in texts:
        column, equal, value = text.partition("=")
        if not equal or not column.strip():
            raise ValueError(f"`--where` must be COLUMN=VALUE; got {text!r}.")
        column = column.strip()
        allowed[column] = allowed.get(column, frozenset()) | {value.strip()}
    return allowed
