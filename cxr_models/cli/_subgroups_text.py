"""Values by group and the gaps between groups as lines for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.cli._evaluation_text import table, value
from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_models.evaluation.results import (
        ClassAtThreshold,
        Evaluation,
        Gap,
        Group,
        Measured,
        Subgroups,
    )

_EMPTY = "-"


def subgroup_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines of the groups of every column and set; none without groups."""
    sets = {name: values.subgroups for name, values in evaluation.sets.items() if values.subgroups}
    for name, by in sets.items():
        for subgroups in by:
            yield ""
            yield f"{name} by {subgroups.column}"
            for line in _column_lines(subgroups, evaluation.class_names, evaluation.units):
                yield f"  {line}"
    gaps = [gap for by in sets.values() for subgroups in by for gap in subgroups.gaps]
    shown = sum(gap.chance is not None for gap in gaps)
    if shown:
        yield ""
        yield (
            f"{shown} gaps; the best and the worst group are picked after the fact, which makes a "
            'gap too large. "chance" is the mean gap of groups that do not differ; 1 in 20 of such '
            'gaps is above "1 in 20". "smallest seen" would be seen in 4 of 5 sets of this size.'
        )


def _column_lines(subgroups: Subgroups, class_names: Sequence[str], units: str) -> Iterator[str]:
    patients = "patients, tied ones once" if units == "patients" else "patients"
    rows = [[subgroups.column, units, patients, "accuracy", "macro ROC-AUC"]]
    for name, group in subgroups.groups.items():
        overall = group.overall
        counts = (str(group.images), str(group.patients))
        rows.append([name, *counts, _shown(overall.accuracy), _shown(overall.macro_roc_auc)])
    yield from table(rows)
    for label in class_names:
        rows = [[label, "ROC-AUC", "sensitivity", "specificity"]]
        rows += [
            [name, *map(_shown, _of_class(group.classes[label]))]
            for name, group in subgroups.groups.items()
        ]
        yield from table(rows)
    yield from _gap_lines(subgroups.gaps)
    if any(_is_empty(group) for group in subgroups.groups.values()):
        yield (
            f"{_EMPTY}: fewer than {FEWEST_PATIENTS} patients of the class concerned, or no value"
        )


def _gap_lines(gaps: Sequence[Gap]) -> Iterator[str]:
    rows = [["gap in", "best", "worst", "gap", "chance", "1 in 20", "p", "smallest seen"]]
    for gap in gaps:
        if gap.chance is None:
            continue
        rows.append(
            [
                gap.title(),
                gap.best,
                gap.worst,
                value(gap.difference, sign=True),
                f"{gap.chance.mean:.3f}",
                f"{gap.chance.high:.3f}",
                f"{gap.chance.p_value:.3f}",
                _EMPTY if gap.smallest_seen is None else f"{gap.smallest_seen:.3f}",
            ]
        )
    if len(rows) > 1:
        yield from table(rows)
    else:
        yield "no gap: " + (gaps[0].difference.reason if gaps else "no values")


def _shown(measured: Measured | None) -> str:
    return _EMPTY if measured is None else value(measured)


def _of_class(values: ClassAtThreshold) -> tuple[Measured | None, ...]:
    point = values.operating_point
    return values.roc_auc, point.sensitivity, point.specificity


def _is_empty(group: Group) -> bool:
    shown = [group.overall.accuracy, group.overall.macro_roc_auc]
    shown += [m for of_class in group.classes.values() for m in _of_class(of_class) if m]
    return any(measured.value is None for measured in shown)
