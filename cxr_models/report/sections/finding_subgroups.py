"""Section on the subgroups of a set with several findings, and on the gaps between subgroups.

Plots show the gaps of all findings. The plots and tables of each finding are in a section that
starts closed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.evaluation.finding_subgroups import GAPS
from cxr_models.evaluation.results import GAP_TITLES
from cxr_models.report.blocks import Block, Charts, Dot, DotPlot, Section, Table
from cxr_models.report.sections.subgroups import (
    CHANCE,
    cell,
    description,
    dot,
    empty_cells,
    gap_table,
    lowest,
    method,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.evaluation.findings_results import (
        FindingsGroup,
        FindingsSet,
        FindingSubgroups,
    )
    from cxr_models.evaluation.results import Gap, GapValue, Measured

_METHOD = (
    "Each finding is evaluated where its label is known. A group has a value "
    "where at least 10 patients with the finding, or without it, as the value needs, are in it; "
    "other cells are empty. The best and the worst group are picked after their values are known, "
    "so a gap is too large on average. Beside it stand gaps of groups that do not differ: the "
    "names of the groups were exchanged between patients of the same known label."
)
_EMPTY = Dot(value=None, interval=None)


def finding_subgroup_sections(
    name: str, values: FindingsSet, units: str = "images"
) -> list[Section]:
    """Return a list of the section on the subgroups of a set; an empty list without subgroups.

    Parameters
    ----------
    name : str
        Name of the set.
    values : FindingsSet
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
                        _counts(by, units),
                        Charts(charts=tuple(_gap_plots(name, values, by))),
                    ),
                    sections=(
                        Section(
                            title=f"Each finding by {by.column}",
                            folded="Plots and tables of each finding",
                            blocks=tuple(
                                block
                                for finding in values.findings
                                for block in _finding(name, values, by, finding, units)
                            ),
                        ),
                    ),
                )
                for by in values.subgroups
            ),
        )
    ]


def _counts(by: FindingSubgroups, units: str) -> Table:
    patients = "patients, tied ones once" if units == "patients" else "patients"
    return Table(
        caption=f"Groups by {by.column}",
        head=(by.column, units, patients),
        rows=tuple(
            (name, f"{group.images:,}", f"{group.patients:,}") for name, group in by.groups.items()
        ),
    )


def _gap_plots(name: str, values: FindingsSet, by: FindingSubgroups) -> Iterator[DotPlot]:
    """Yield, for each kind of value, a plot of the gaps of all findings and of gaps by chance."""
    for title in GAPS:
        gaps = {gap.label: gap for gap in by.gaps if gap.value == title}
        rows = tuple((finding, _gap_dots(gaps.get(finding))) for finding in values.findings)
        shown = [gap for gap in gaps.values() if gap.chance is not None]
        found = "No two groups can be compared."
        if shown:
            above = [
                g.label for g in shown if g.chance and (g.difference.value or 0) > g.chance.high
            ]
            found = (
                f"Best group minus worst, with 95 % intervals, of "
                f"{counted(len(shown), 'finding')}. Larger than 19 of 20 gaps of chance: "
                f"{', '.join(above) or 'none'}."
            )
        yield DotPlot(
            title=f"{name} by {by.column}: gap in {GAP_TITLES[title]}",
            description=found,
            x_label=f"gap in {GAP_TITLES[title]}",
            x_range=_range_of(shown),
            series=("gap", CHANCE),
            rows=rows,
            marks=(None, None),
        )


def _gap_dots(gap: Gap | None) -> tuple[Dot, Dot]:
    if gap is None:
        return Dot(value=None, interval=None, text="no operating point"), _EMPTY
    if gap.chance is None:
        return Dot(value=None, interval=None, text="fewer than two groups have a value"), _EMPTY
    return dot(gap.difference), Dot(value=gap.chance.high, interval=None)


def _range_of(gaps: list[Gap]) -> tuple[float, float]:
    """Return the ends of an axis that includes 0, the gaps, their intervals and gaps by chance."""
    ends = [0.0, 0.1]
    for gap in gaps:
        ends += gap.difference.interval or (gap.difference.value or 0.0,)
        ends += [gap.chance.high] if gap.chance is not None else []
    return math.floor(min(ends) * 10) / 10, math.ceil(max(ends) * 10) / 10


def _finding(
    name: str, values: FindingsSet, by: FindingSubgroups, finding: str, units: str
) -> Iterator[Block]:
    gaps = [gap for gap in by.gaps if gap.label == finding]
    yield Charts(charts=tuple(_plots(name, values, by, finding)))
    yield _table(by, finding, units)
    yield gap_table(gaps, f"Gaps in {finding} by {by.column}: best group minus worst")


def _plots(name: str, values: FindingsSet, by: FindingSubgroups, finding: str) -> Iterator[DotPlot]:
    """Yield a plot for each kind of value of a finding, with a row for each subgroup."""
    groups = by.groups.items()
    dots = {
        title: [(group_name, dot(_value_of(group, title, finding))) for group_name, group in groups]
        for title in GAPS
    }
    low = lowest(one for rows in dots.values() for _, one in rows)
    for title in GAPS:
        of_set = _value_of(values, title, finding)
        yield DotPlot(
            title=f"{name}, {finding} by {by.column}: {GAP_TITLES[title]}",
            description=description(
                gap for gap in by.gaps if (gap.value, gap.label) == (title, finding)
            ),
            x_label=GAP_TITLES[title],
            x_range=(low, 1.0),
            series=("",),
            rows=tuple((group_name, (one,)) for group_name, one in dots[title]),
            marks=(None if of_set is None else of_set.value,),
        )


def _value_of(group: FindingsGroup, title: GapValue, finding: str) -> Measured | None:
    """Return the value `title` of a finding in a subgroup."""
    of = group.findings[finding]
    if title == "roc_auc":
        return of.roc_auc
    point = of.operating_point
    return point.sensitivity if title == "sensitivity" else point.specificity


def _table(by: FindingSubgroups, finding: str, units: str) -> Table:
    """Return a table of the values and the counts of a finding in each subgroup."""
    tied = ", tied ones once" if units == "patients" else ""
    rows = []
    for name, group in by.groups.items():
        of = group.findings[finding]
        counts = of.images, of.present, of.patients, of.patients_present
        values = (cell(_value_of(group, title, finding)) for title in GAPS)
        rows.append((name, *values, *(f"{count:,}" for count in counts)))
    return Table(
        caption=f"{finding} by {by.column}, over the {units} whose label for it is known",
        head=(
            by.column,
            *(GAP_TITLES[title] for title in GAPS),
            f"{units} known",
            "with it",
            f"patients{tied}",
            f"patients with it{tied}",
        ),
        rows=tuple(rows),
        notes=empty_cells(
            (name, title, _value_of(group, title, finding))
            for name, group in by.groups.items()
            for title in GAPS
        ),
    )
