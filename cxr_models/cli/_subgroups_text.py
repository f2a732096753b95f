"""Lines about the values of subgroups and the gaps between subgroups, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.cli._evaluation_text import indented, table, value
from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_models.evaluation.findings_results import (
        FindingsEvaluation,
        FindingSubgroups,
        FindingValues,
    )
    from cxr_models.evaluation.results import (
        ClassAtThreshold,
        Evaluation,
        Gap,
        Group,
        Measured,
        Subgroups,
    )

_EMPTY = "-"
_WHY_EMPTY = f"{_EMPTY}: fewer than {FEWEST_PATIENTS} patients of the class concerned, or no value"


def subgroup_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines of the subgroups of every set and column; nothing without subgroups."""
    gaps: list[Gap] = []
    for name, values in evaluation.sets.items():
        for subgroups in values.subgroups:
            gaps += subgroups.gaps
            yield ""
            yield f"{name} by {subgroups.column}"
            yield from indented(_column_lines(subgroups, evaluation.class_names, evaluation.units))
    yield from _note(gaps)


def finding_subgroup_lines(evaluation: FindingsEvaluation) -> Iterator[str]:
    """Yield the lines of the subgroups of every set and column of a run with several findings."""
    gaps: list[Gap] = []
    for name, values in evaluation.sets.items():
        for subgroups in values.subgroups:
            gaps += subgroups.gaps
            yield ""
            yield f"{name} by {subgroups.column}, each finding over the images of known label"
            yield from indented(_finding_lines(subgroups, evaluation.findings))
    yield from _note(gaps)


def _note(gaps: Sequence[Gap]) -> Iterator[str]:
    """Yield an explanation of how to read gaps; nothing without a gap."""
    shown = sum(gap.chance is not None for gap in gaps)
    if shown:
        yield ""
        yield (
            f"{counted(shown, 'gap')}; the best and the worst group are picked "
            'after the fact, which makes a gap too large. "chance" is the mean gap of groups that '
            'do not differ; 1 in 20 of such gaps is above "1 in 20". "smallest seen" would be seen '
            "in 4 of 5 sets of this size."
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
        yield _WHY_EMPTY


def _finding_lines(subgroups: FindingSubgroups, findings: Sequence[str]) -> Iterator[str]:
    for finding in findings:
        rows = [[finding, "known", "present", "patients", "ROC-AUC", "sensitivity", "specificity"]]
        for name, group in subgroups.groups.items():
            of = group.findings[finding]
            counts = str(of.images), str(of.present), str(of.patients)
            rows.append([name, *counts, *map(_shown, _of_class(of))])
        yield from table(rows)
    yield from _gap_lines(subgroups.gaps)
    shown = [
        measured
        for group in subgroups.groups.values()
        for of in group.findings.values()
        for measured in _of_class(of)
    ]
    if any(measured is None or measured.value is None for measured in shown):
        yield _WHY_EMPTY


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


def _of_class(values: ClassAtThreshold | FindingValues) -> tuple[Measured | None, ...]:
    point = values.operating_point
    return values.roc_auc, point.sensitivity, point.specificity


def _is_empty(group: Group) -> bool:
    shown = [group.overall.accuracy, group.overall.macro_roc_auc]
    shown += [m for of_class in group.classes.values() for m in _of_class(of_class) if m]
    return any(measured.value is None for measured in shown)
