"""The section on groups of images in a set, such as women and men, and on the gaps between them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from cxr_models.evaluation.results import GAP_TITLES
from cxr_models.report.blocks import Block, Charts, Dot, DotPlot, Section, Table, Text
from cxr_models.report.formatting import NONE, counted, number, signed, value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cxr_models.evaluation.results import (
        GapValue,
        Group,
        Measured,
        SetEvaluation,
        Subgroups,
    )

_OF_CLASS: tuple[GapValue, ...] = ("roc_auc", "sensitivity", "specificity")
_METHOD = (
    "A group has a value where at least 10 patients of the class concerned are in it; other cells "
    "are empty. The best and the worst group are picked after their values are known, so a gap is "
    "too large on average. Beside it stand gaps of groups that do not differ: the names of the "
    "groups were exchanged between patients of the same class."
)


def subgroup_sections(name: str, values: SetEvaluation, units: str = "images") -> list[Section]:
    """Return the section on the groups of a set; none where no groups were asked for.

    Parameters
    ----------
    name : str
        Name of the set.
    values : SetEvaluation
        Its values.
    units : str, default "images"
        What is counted.
    """
    if not values.subgroups:
        return []
    gaps = [gap for by in values.subgroups for gap in by.gaps if gap.chance is not None]
    blocks: list[Block] = [Text(text=_METHOD)]
    if gaps:
        verb = "is" if len(gaps) == 1 else "are"
        text = (
            f"{counted(len(gaps), 'gap')} {verb} shown. Of gaps that chance alone makes, 1 in "
            "20 is above the value in the column by chance, 1 in 20 above."
        )
        blocks.append(Text(text=text, tone="note"))
    return [
        Section(
            title="Subgroups",
            blocks=tuple(blocks),
            sections=tuple(
                Section(
                    title=f"By {by.column}",
                    blocks=(
                        Charts(charts=tuple(_plots(name, values, by))),
                        _table(by, units),
                        *_class_tables(by, values, units),
                        _gap_table(by),
                    ),
                )
                for by in values.subgroups
            ),
        )
    ]


def _plots(name: str, values: SetEvaluation, by: Subgroups) -> Iterator[DotPlot]:
    """Yield a plot of accuracy, and of each value of the classes."""
    classes = tuple(values.classes)
    wanted: list[tuple[GapValue, tuple[str, ...]]] = [("accuracy", ("",))]
    wanted += [(title, classes) for title in _OF_CLASS]
    dots = {
        title: [
            (group_name, tuple(_dot(_value_of(group, title, label)) for label in series))
            for group_name, group in by.groups.items()
        ]
        for title, series in wanted
    }
    low = _lowest(dot for rows in dots.values() for _, of_row in rows for dot in of_row)
    for title, series in wanted:
        of_set = [_value_of(values, title, label) for label in series]
        yield DotPlot(
            title=f"{name} by {by.column}: {GAP_TITLES[title]}",
            description=_description(by, title),
            x_label=GAP_TITLES[title],
            x_range=(low, 1.0),
            series=series,
            rows=tuple(dots[title]),
            marks=tuple(None if measured is None else measured.value for measured in of_set),
        )


def _description(by: Subgroups, title: GapValue) -> str:
    """State the gaps in a value in a sentence."""
    gaps = [
        f"{gap.label + ': ' if gap.label else ''}{gap.best} {signed(gap.difference.value)} over "
        f"{gap.worst}"
        for gap in by.gaps
        if gap.value == title and gap.chance is not None
    ]
    found = f"Largest gap: {'; '.join(gaps)}." if gaps else "No two groups can be compared."
    return f"{found} Dots with 95 % intervals; upright lines mark the value of the whole set."


def _lowest(dots: Iterable[Dot]) -> float:
    """Return where the axis of the plots starts: a tenth, at most 0.8."""
    ends = [dot.interval[0] if dot.interval else dot.value for dot in dots]
    lowest = min((end for end in ends if end is not None), default=0.0)
    return min(math.floor(lowest * 10) / 10, 0.8)


def _value_of(group: Group, title: GapValue, label: str) -> Measured | None:
    """Return a value of a group, of a class or of all."""
    if not label:
        overall = group.overall
        return overall.accuracy if title == "accuracy" else overall.macro_roc_auc
    of_class = group.classes[label]
    if title == "roc_auc":
        return of_class.roc_auc
    point = of_class.operating_point
    return point.sensitivity if title == "sensitivity" else point.specificity


def _dot(measured: Measured | None) -> Dot:
    if measured is None:
        return Dot(value=None, interval=None, text="no operating point")
    return Dot(value=measured.value, interval=measured.interval, text=measured.reason)


def _table(by: Subgroups, units: str) -> Table:
    """Count rows and patients of each group, and show its overall values."""
    rows = []
    for name, group in by.groups.items():
        labels = ", ".join(f"{label} {count}" for label, count in group.labels.items())
        shown = value(group.overall.accuracy), value(group.overall.macro_roc_auc)
        rows.append((name, labels, f"{group.patients:,}", *shown))
    return Table(
        caption=f"Groups by {by.column}",
        head=(by.column, f"{units} by label", "patients", "accuracy", "macro ROC-AUC"),
        rows=tuple(rows),
        notes=_empty_cells(by, ("accuracy", "macro_roc_auc"), ""),
    )


def _class_tables(by: Subgroups, values: SetEvaluation, units: str) -> list[Table]:
    """Show the values of each class in each group."""
    return [
        Table(
            caption=f"{label} by {by.column}",
            head=(by.column, units, "ROC-AUC", "sensitivity", "specificity"),
            rows=tuple(
                (
                    name,
                    f"{group.classes[label].images:,}",
                    *(_cell(_value_of(group, title, label)) for title in _OF_CLASS),
                )
                for name, group in by.groups.items()
            ),
            notes=_empty_cells(by, _OF_CLASS, label),
        )
        for label in values.classes
    ]


def _cell(measured: Measured | None) -> str:
    return NONE if measured is None else value(measured)


def _empty_cells(by: Subgroups, titles: Sequence[GapValue], label: str) -> tuple[str, ...]:
    """Say why cells are empty, or which intervals to read with care."""
    notes: dict[tuple[str, str], list[str]] = {}
    for (name, group), title in itertools.product(by.groups.items(), titles):
        measured = _value_of(group, title, label)
        if measured is None:
            continue
        reason = measured.reason or (measured.remark and f"read with care, {measured.remark}")
        if reason:
            notes.setdefault((name, reason), []).append(GAP_TITLES[title])
    return tuple(
        f"{name}, {' and '.join(of_group)}: {reason}." for (name, reason), of_group in notes.items()
    )


def _gap_table(by: Subgroups) -> Table:
    """Show the gaps, what chance alone shows, and the smallest gap that would be seen."""
    rows, reasons = [], {}
    for gap in by.gaps:
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
        caption=f"Gaps by {by.column}: best group minus worst",
        head=(
            "gap in",
            "best",
            "worst",
            "gap",
            "by chance, mean",
            "by chance, 1 in 20 above",
            "p",
            "smallest seen",
        ),
        rows=tuple(rows),
        notes=tuple(notes),
    )
