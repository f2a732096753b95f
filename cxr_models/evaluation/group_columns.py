"""Division of images into groups by a column of their records.

Ages and numbers make bands; every value of other columns makes a group. This module does not use
predictions.
"""

from __future__ import annotations

import bisect
import itertools
import math
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.results import NOT_STATED
from cxr_models.records.choices import names_of
from cxr_models.records.layouts.values import age_of, sex_of
from cxr_models.records.manifest import FINDING
from cxr_models.records.selection import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from cxr_models.records.manifest import Record

    Ints = npt.NDArray[np.int64]

MOST_GROUPS = 20  # largest number of groups that a column without bands may make
AGE_EDGES = (18.0, 40.0, 60.0, 80.0)  # default edges of the age bands, in years
_AGE = "age"
_STATED = ("sex", "age", "view", "source", "manufacturer", "modality", "study", "date", "label")
_UNITS_A_YEAR = {"Y": 1.0, "M": 12.0, "W": 52.0, "D": 365.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupColumn:
    """A column whose values make groups of images.

    Parameters
    ----------
    name : str
        A column of the manifest, including ``finding:NAME`` and kept columns.
    edges : tuple of float, default ()
        Lower edges of all bands except the first, in ascending order. If empty, every value is a
        group; the column ``age`` has the edges of `AGE_EDGES` instead.

    Raises
    ------
    ValueError
        If the name is empty, or the edges are not finite and ascending.
    """

    name: str
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("`--by` must name columns; got an empty name.")
        rising = all(low < high for low, high in itertools.pairwise(self.edges))
        if not rising or not all(map(math.isfinite, self.edges)):
            shown = ":".join(map(_shown, self.edges))
            raise ValueError(
                f"`--by` must give the edges of bands as rising numbers; got {self.name}:{shown}."
            )

    def is_stated(self, records: Iterable[Record]) -> bool:
        """Return whether at least one record has a value in this column."""
        return any(value_of(record, self.name).strip() for record in records)

    def groups(self, records: Sequence[Record]) -> tuple[tuple[str, ...], Ints]:
        """Return the names of the groups, in order, and the number of each record's group.

        Parameters
        ----------
        records : sequence of Record
            The images.

        Returns
        -------
        names : tuple of str
            Names of the groups that have images: bands in ascending order, other values sorted.
            The last group, ``not stated``, has the images without a readable value.
        places : ndarray of shape (N,), dtype int64
            The index of each record's group in `names`.

        Raises
        ------
        ValueError
            If a column without bands has more than `MOST_GROUPS` different values.
        """
        values = [value_of(record, self.name).strip() for record in records]
        edges = self._band_edges
        if edges:
            bands = _bands(edges, integers=self.name == _AGE)
            numbers = map(self._read, values)
            groups = [
                NOT_STATED if math.isnan(number) else bands[bisect.bisect_right(edges, number)]
                for number in numbers
            ]
            order = [*bands, NOT_STATED]
        else:
            if self.name == "sex":
                values = [sex_of(value) or value for value in values]
            groups = [value or NOT_STATED for value in values]
            order = [*sorted(set(groups) - {NOT_STATED}), NOT_STATED]
            self._check_few(order[:-1])
        present = set(groups)
        names = tuple(name for name in order if name in present)
        numbers_of = {name: number for number, name in enumerate(names)}
        return names, np.array([numbers_of[group] for group in groups], np.int64)

    def check_readable(self, records: Iterable[Record]) -> None:
        """Raise ValueError if the column makes bands, but no value can be read as a number."""
        values = {value_of(record, self.name).strip() for record in records} - {""}
        if not self._band_edges or not all(math.isnan(self._read(value)) for value in values):
            return
        shown = ":".join([self.name, *map(_shown, self.edges)])
        what = "ages, such as 34, 034Y or 6M" if self.name == _AGE else "numbers, to have edges"
        cure = " Leave its edges out: every value is a group then." if self.name != _AGE else ""
        raise ValueError(
            f"`--by` must name a column of {what}; got {shown}, whose values are none, such as "
            f"{reprlib.repr(min(values))}.{cure}"
        )

    @property
    def _band_edges(self) -> tuple[float, ...]:
        return self.edges or (AGE_EDGES if self.name == _AGE else ())

    def _read(self, text: str) -> float:
        return _years(text) if self.name == _AGE else _number(text)

    def _check_few(self, values: Sequence[str]) -> None:
        """Raise ValueError if there are too many values for a table of groups."""
        if len(values) <= MOST_GROUPS:
            return
        numbers = [number for number in map(_number, values) if not math.isnan(number)]
        cure = "Name a column of fewer values."
        if len(numbers) > len(values) / 2:
            middle = sorted(numbers)[len(numbers) // 2]
            edge = f"{self.name}:{_shown(middle)}"
            cure = f"Make bands of its numbers by their edges, such as --by {edge}."
        raise ValueError(
            f"`--by` must name columns of at most {MOST_GROUPS} values; got {self.name}, which has "
            f"{len(values):,}, such as {reprlib.repr(values[0])}. {cure}"
        )


def parse_columns(text: str | None) -> tuple[GroupColumn, ...]:
    """Return the columns that are named in a text.

    Parameters
    ----------
    text : str or None
        Names of columns, separated by commas. Each name may be followed by the edges of its bands,
        each after a colon, as in ``sex,dose:10:50``. None gives no columns.

    Raises
    ------
    ValueError
        If the text names no column, a name is empty or occurs twice, or edges are not ascending.

    Examples
    --------
    >>> parse_columns("sex,dose:10:50")[1]
    GroupColumn(name='dose', edges=(10.0, 50.0))
    """
    columns = []
    for word in names_of(text):
        pieces, edges = word.split(":"), list[float]()
        while len(pieces) > 1 and not math.isnan(_number(pieces[-1])):
            edges.insert(0, _number(pieces.pop()))
        columns.append(GroupColumn(name=":".join(pieces).strip(), edges=tuple(edges)))
    if text is not None and not columns:
        raise ValueError(f"`--by` must name columns; got {text!r}.")
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"`--by` must name different columns; got {', '.join(twice)} twice.")
    return tuple(columns)


def check_columns(
    columns: Sequence[GroupColumn], sets: Sequence[Sequence[Record]], *, cure: str = ""
) -> None:
    """Check that each column has values and can divide the tested images into groups.

    Parameters
    ----------
    columns : sequence of GroupColumn
        The columns.
    sets : sequence of sequence of Record
        The records of each tested set.
    cure : str, default ""
        A sentence that is added to the error message if a column has no values.

    Raises
    ------
    ValueError
        If no record has a value in a column, a column makes too many groups, or a column with
        bands has no value that is a number.
    """
    for column in columns:
        if not any(map(column.is_stated, sets)):
            there = _stated_columns(sets)
            known = f"There are {', '.join(there)}." if there else "There are none."
            raise ValueError(
                "`--by` must name columns of which an image of a tested set states a value; got "
                f"{column.name}. {known}{f' {cure}' if cure else ''}"
            )
        column.check_readable(record for records in sets for record in records)
        for records in sets:
            if records:
                column.groups(records)


def _stated_columns(sets: Iterable[Sequence[Record]]) -> list[str]:
    """Return the columns in which a record has a value, except file names and patient ids."""
    stated: dict[str, None] = {}
    for records in sets:
        for record in records:
            stated |= {name: None for name in _STATED if getattr(record, name)}
            stated |= {FINDING + name: None for name, value in record.findings if value}
            stated |= {name: None for name, value in record.kept if value.strip()}
    return sorted(stated)


def _bands(edges: Sequence[float], *, integers: bool) -> list[str]:
    """Return the names of the bands between edges; bands of whole numbers are like 18-39."""
    if integers and all(edge == int(edge) for edge in edges):
        starts = [0, *map(int, edges)]
        inner = [f"{low}-{high - 1}" for low, high in itertools.pairwise(starts)]
        return [*inner, f"{starts[-1]}+"]
    inner = [f"{_shown(low)} to below {_shown(high)}" for low, high in itertools.pairwise(edges)]
    return [f"below {_shown(edges[0])}", *inner, f"{_shown(edges[-1])} and above"]


def _shown(edge: float) -> str:
    """Return the shortest text that is read as this number, so that edges have different names."""
    short = f"{edge:g}"
    return short if float(short) == edge else repr(edge).removesuffix(".0")


def _years(text: str) -> float:
    """Return an age in years; NaN if the text is not an age."""
    age = age_of(text)
    return int(age[:-1]) / _UNITS_A_YEAR[age[-1]] if age else math.nan


def _number(text: str) -> float:
    """Return a text as a finite number; NaN if the text is not one."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
