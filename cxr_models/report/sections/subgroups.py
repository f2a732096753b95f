"""Section on the subgroups of a set, such as women and men, and on the gaps between subgroups."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.evaluation.results import GAP_TITLES
from cxr_models.report.blocks import Block, Charts, Dot, DotPlot, Section, Table, Text
from cxr_models.report.formatting import NONE, number, signed, value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cxr_models.evaluation.results import (
        ColumnGaps,
        Gap,
        GapValue,
        Group,
        Measured,
        SetEvaluation,
        Subgroups,
    )

_OF_CLASS: tuple[GapValue, ...] = ("roc_auc", "sensitivity", "specificity")
CHANCE = "by chance, 1 in 20 above"  # name of the gap that 1 in 20 gaps by chance exceed
_METHOD = (
    "A group has a value where at least 10 patients of the class concerned are in it; other cells "
    "are empty. The best and the worst group are picked after their values are known, so a gap is "
    "too large on average. Beside it stand gaps of groups that do not differ: the names of the "
    "groups were exchanged between patients of the same class."
)


def subgroup_sections(name: str, values: SetEvaluation, units: str = "images") -> list[Section]:
    """Return a list of the section on the subgroups of a set; an empty list without subgroups.

    Parameters
    ----------
    name : str
        Name of the set.
    values : SetEvaluation
        Values of the set.
    units : str, default "images"
        Plural name of the rows of the set: images, patients or studies.
    """
    if not values.subgroups:
        return []
    return [
        Section(
            title="Subgroups",
            blocks=tuple(method(_METHOD, values.subgroups)),
            sections=tuple(
                Section(
                    title=f"By {by.column}",
                    blocks=(
                        Charts(charts=tuple(_plots(name, values, by))),
                        _table(by, units),
                        *_class_tables(by, values, units),
                        gap_table(by.gaps, f"Gaps by {by.column}: best group minus worst"),
                    ),
                )
                for by in values.subgroups
            ),
        )
    ]


def method(text: str, columns: Iterable[ColumnGaps]) -> Iterator[Block]:
    """Yield texts on the evaluation of subgroups and on the number of gaps that are shown."""
    yield Text(text=text)
    gaps = [gap for by in columns for gap in by.gaps if gap.chance is not None]
    if gaps:
        verb = "is" if len(gaps) == 1 else "are"
        text = (
            f"{counted(len(gaps), 'gap')} {verb} shown. If groups do not differ, 1 gap in 20 is "
            f'above the value called "{CHANCE}".'
        )
        yield Text(text=text, tone="note")


def _plots(name: str, values: SetEvaluation, by: Subgroups) -> Iterator[DotPlot]:
    """Yield a plot of the accuracy, and a plot of each kind of value of the classes."""
    classes = tuple(values.classes)
    wanted: list[tuple[GapValue, tuple[str, ...]]] = [("accuracy", ("",))]
    wanted += [(title, classes) for title in _OF_CLASS]
    dots = {
        title: [
            (group_name, tuple(dot(_value_of(group, title, label)) for label in series))
            for group_name, group in by.groups.items()
        ]
        for title, series in wanted
    }
    low = lowest(one for rows in dots.values() for _, of_row in rows for one in of_row)
    for title, series in wanted:
        of_set = [_value_of(values, title, label) for label in series]
        yield DotPlot(
            title=f"{name} by {by.column}: {GAP_TITLES[title]}",
            description=description(gap for gap in by.gaps if gap.value == title),
            x_label=GAP_TITLES[title],
            x_range=(low, 1.0),
            series=series,
            rows=tuple(dots[title]),
            marks=tuple(None if measured is None else measured.value for measured in of_set),
        )


def description(gaps: Iterable[Gap]) -> str:
    """Return sentences on the gaps in a value."""
    texts = [
        f"{gap.label + ': ' if gap.label else ''}{gap.best} {signed(gap.difference.value)} over "
        f"{gap.worst}"
        for gap in gaps
        if gap.chance is not None
    ]
    found = f"Largest gap: {'; '.join(texts)}." if texts else "No two groups can be compared."
    return f"{found} Dots with 95 % intervals; upright lines mark the value of the whole set."


def lowest(dots: Iterable[Dot]) -> float:
    """Return the lower end of the axis of plots: a multiple of 0.1, at most 0.8; 0 without dots."""
    ends = [one.interval[0] if one.interval else one.value for one in dots]
    low = min((end for end in ends if end is not None), default=0.0)
    return min(math.floor(low * 10) / 10, 0.8)


def _value_of(group: Group, title: GapValue, label: str) -> Measured | None:
    """Return the value `title` of a class in a subgroup; an overall value for an empty `label`."""
    if not label:
        overall = group.overall
        return overall.accuracy if title == "accuracy" else overall.macro_roc_auc
    of_class = group.classes[label]
    if title == "roc_auc":
        return of_class.roc_auc
    point = of_class.operating_point
    return point.sensitivity if title == "sensitivity" else point.specificity


def dot(measured: Measured | None) -> Dot:
    """Return the dot of a value; an undefined value has its reason as text."""
    if measured is None:
        return Dot(value=None, interval=None, text="no operating point")
    return Dot(value=measured.value, interval=measured.interval, text=measured.reason)


def _table(by: Subgroups, units: str) -> Table:
    """Return a table of the rows, the patients and the overall values of each subgroup."""
    rows = []
    for name, group in by.groups.items():
        labels = ", ".join(f"{label} {count}" for label, count in group.labels.items())
        shown = value(group.overall.accuracy), value(group.overall.macro_roc_auc)
        rows.append((name, labels, f"{group.patients:,}", *shown))
    return Table(
        caption=f"Groups by {by.column}",
        head=(by.column, f"{units} by label", "patients", "accuracy", "macro ROC-AUC"),
        rows=tuple(rows),
        notes=_notes(by, ("accuracy", "macro_roc_auc"), ""),
    )


def _class_tables(by: Subgroups, values: SetEvaluation, units: str) -> list[Table]:
    """Return a table for each class of its values in each subgroup."""
    return [
        Table(
            caption=f"{label} by {by.column}",
            head=(by.column, units, "ROC-AUC", "sensitivity", "specificity"),
            rows=tuple(
                (
                    name,
                    f"{group.classes[label].images:,}",
                    *(cell(_value_of(group, title, label)) for title in _OF_CLASS),
                )
                for name, group in by.groups.items()
            ),
            notes=_notes(by, _OF_CLASS, label),
        )
        for label in values.classes
    ]


def _notes(by: Subgroups, titles: Sequence[GapValue], label: str) -> tuple[str, ...]:
    pairs = itertools.product(by.groups.items(), titles)
    return empty_cells(
        (name, title, _value_of(group, title, label)) for (name, group), title in pairs
    )


def cell(measured: Measured | None) -> str:
    """Return a value and its interval as text; a dash for None."""
    return NONE if measured is None else value(measured)


def empty_cells(cells: Iterable[tuple[str, GapValue, Measured | None]]) -> tuple[str, ...]:
    """Return notes on cells that are empty or must be read with care.

    `cells` contains the subgroup, the name of the value and the value of each cell.
    """
    notes: dict[tuple[str, str], list[str]] = {}
    for name, title, measured in cells:
        if measured is None:
            continue
        reason = measured.reason or (measured.remark and f"read with care, {measured.remark}")
        if reason:
            notes.setdefault((name, reason), []).append(GAP_TITLES[title])
    return tuple(
        f"{name}, {' and '.join(of_group)}: {reason}." for (name, reason), of_group in notes.items()
    )


def gap_table(gaps: Iterable[Gap], caption: str) -> Table:
    """Return a table of the gaps of a column, of gaps by chance, and of detectable gaps."""
    rows, reasons = [], {}
    for gap in gaps:
        if gap.chance is None:
            reasons[gap.title()] = gap.difference.reason
            continue
        rows.append(
            (
                gap.title(),
                gap.best,
                gap.worst,
                signed(gap.difference.value, gap.difference.interval),
                number(gap.chance.mean),
                number(gap.chance.high),
                number(gap.chance.p_value),
                number(gap.smallest_seen),
            )
        )
    notes = [f"{title}: no gap, {reason}." for title, reason in reasons.items()]
    if rows:
        notes.append(
            "The last column is the smallest difference of two groups with these standard errors "
            "that a test at the level of 5 % sees with a power of 80 %."
        )
    return Table(
        caption=caption,
        head=(
            "gap in",
            "best",
            "worst",
            "gap",
            "by chance, mean",
            CHANCE,
            "p",
            "smallest seen",
        ),
        rows=tuple(rows),
        notes=tuple(notes),
    )
