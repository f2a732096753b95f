"""Tables and charts of the values of a run with several findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.evaluation.results import NOT_STATED
from cxr_models.report.blocks import Block, Chart, Table, Text
from cxr_models.report.formatting import NONE, number, value
from cxr_models.report.sections.charts import Drawn, curve_charts, reliability_lines
from cxr_models.report.sections.values import _ROLES, _joined, _merged, joined_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cxr_models.evaluation.findings_results import (
        FindingMeans,
        FindingsGroup,
        FindingsSet,
        FindingValues,
    )
    from cxr_models.evaluation.results import Reliability
    from cxr_models.report.read.finding_results import FindingResults

_LINES = 6  # most lines of a chart, as many as there are colours


def means(run: FindingResults) -> list[Block]:
    """Return a table of the means over findings of every set, and a text on their intervals."""
    sets, units = run.evaluation.sets, run.evaluation.units
    joined = run.evaluation.aggregate
    of_rows = (
        "" if joined is None else f" Every value is of rows, of which each is a {joined.name}."
    )
    columns = {name: values.means.titled() for name, values in sets.items()}
    rows = [
        ("role", *(_ROLES[values.kind] for values in sets.values())),
        (units, *(f"{values.images:,}" for values in sets.values())),
        *joined_images(sets),
        *(
            [("patients", *(f"{values.patients:,}" for values in sets.values()))]
            if units != "patients"
            else []
        ),
        ("findings in the means", *(f"{len(v.means.over)}" for v in sets.values())),
        *(
            (row[0][0], *(value(measured) for _, measured in row))
            for row in zip(*columns.values(), strict=True)
        ),
    ]
    notes = [
        *(note for name, values in sets.items() for note in left_out(name, values.means)),
        *(note for name, column in columns.items() for note in _merged(f"{name}, ", column)),
    ]
    method = run.evaluation.bootstrap
    return [
        Text(
            text=f"{100 * method.level:g} % intervals from {method.draws:,} draws of "
            f"patients (seed {method.seed}), the same for all findings. A finding is evaluated "
            f"over the {units} whose label for it is known. In a mean every finding counts the "
            f"same; those of fewer than 10 patients with it, or without it, are left out.{of_rows}"
        ),
        Table(
            caption="Means over findings, of every set",
            head=("value", *sets),
            rows=tuple(rows),
            notes=_joined(notes),
        ),
    ]


def left_out(name: str, values: FindingMeans) -> Iterator[str]:
    """Yield a note on each finding that is left out of the means of a set."""
    for finding, why in values.left_out.items():
        yield f"{name}, left out of the means: {finding}, {why}."


def of_findings(run: FindingResults, values: FindingsSet) -> list[Block]:
    """Return tables of the values, the operating points and the calibration of each finding."""
    means, units = values.means, run.evaluation.units
    mean: list[tuple[str, ...]] = []
    if means.over:
        count = counted(len(means.over), "finding")
        areas = value(means.roc_auc), value(means.pr_auc)
        mean = [(f"mean of {count}", *areas, *(NONE,) * 3)]
    findings = values.findings.items()
    return [
        Table(
            caption=f"Each finding, over the {units} whose label for it is known",
            head=("finding", "ROC-AUC", "PR-AUC", f"{units} known", "with it", "patients with it"),
            rows=(
                *(
                    (
                        name,
                        value(of.roc_auc),
                        value(of.pr_auc),
                        f"{of.images:,}",
                        f"{of.present:,}",
                        f"{of.patients_present:,}",
                    )
                    for name, of in findings
                ),
                *mean,
            ),
            notes=_joined(
                [
                    *(f"Left out of the mean: {n}, {why}." for n, why in means.left_out.items()),
                    *_merged("ROC-AUC of ", ((name, of.roc_auc) for name, of in findings)),
                ]
            ),
        ),
        _points(run, values.findings),
        _calibration(run, values.findings),
    ]


def _points(run: FindingResults, findings: Mapping[str, FindingValues]) -> Table:
    points = {name: of.operating_point for name, of in findings.items()}
    of_run = run.evaluation.operating_points
    notes = [f"{'Chosen' if of_run.chosen_on else 'Not chosen'} on validation: {of_run.rule}."]
    notes += [f"{name}: {point.reason}." for name, point in points.items() if point.reason]
    return Table(
        caption="At the operating point of each finding",
        head=("finding", "threshold", "sensitivity", "specificity", "precision"),
        rows=tuple(
            (
                name,
                number(point.threshold),
                *(value(measured) if measured else NONE for measured in point.values()),
            )
            for name, point in points.items()
        ),
        notes=tuple(notes),
    )


def _calibration(run: FindingResults, findings: Mapping[str, FindingValues]) -> Table:
    scalings = run.evaluation.calibration
    fitted = bool(run.evaluation.operating_points.chosen_on)
    return Table(
        caption="Calibration of each finding, before and after its temperature",
        head=(
            "finding",
            "temperature",
            "Brier score, before",
            "Brier score, after",
            "calibration error, before",
            "calibration error, after",
        ),
        rows=tuple(
            (
                name,
                number(scalings[name].temperature),
                value(of.brier),
                value(of.brier_calibrated),
                value(of.ece),
                value(of.ece_calibrated),
            )
            for name, of in findings.items()
        ),
        notes=(
            *(["Temperatures were fitted on validation."] if fitted else []),
            *(
                f"{name}: no temperature could be fitted: {scaling.reason}."
                for name, scaling in scalings.items()
                if scaling.reason
            ),
        ),
    )


def finding_curve_charts(name: str, values: FindingsSet) -> tuple[Chart, ...]:
    """Return charts of ROC and precision-recall curves, each with at most six findings."""
    drawn = [
        Drawn(finding, both, values.findings[finding].roc_auc, values.findings[finding].pr_auc)
        for finding, both in values.curves.items()
    ]
    starts = range(0, len(drawn), _LINES)
    return tuple(
        chart for start in starts for chart in curve_charts(name, drawn[start : start + _LINES])
    )


def reliability_charts(name: str, values: FindingsSet) -> tuple[Chart, ...]:
    """Return a reliability chart for each finding.

    It shows the share of images with the finding against the predicted probability.
    """
    return tuple(
        _reliability(f"{name}, {finding}: reliability", values.findings[finding], bins)
        for finding, bins in values.reliability.items()
    )


def _reliability(title: str, of: FindingValues, bins: Reliability) -> Chart:
    return Chart(
        title=title,
        description=f"Calibration error {number(of.ece.value)} before temperature scaling, "
        f"{number(of.ece_calibrated.value)} after it. On the diagonal, the share of images "
        "with the finding equals its probability.",
        x_label="probability",
        y_label="share with the finding",
        lines=reliability_lines(bins),
    )


def groups(values: FindingsSet, units: str = "images") -> list[Block]:
    """Return tables of the ROC-AUC of each finding by source and by view.

    A single group gives a sentence instead of a table.
    """
    return [
        _by_group(title, of_title, units)
        for title, of_title in (("source", values.by_source), ("view", values.by_view))
        if of_title
    ]


def _by_group(title: str, groups: Mapping[str, FindingsGroup], units: str) -> Block:
    if len(groups) == 1:  # its values equal those of the set, which another table shows
        name = next(iter(groups))
        return Text(
            text=f"No image states its {title}."
            if name == NOT_STATED
            else f"All images have one {title}: {name}.",
            tone="note",
        )
    findings = list(next(iter(groups.values())).findings)
    patients = "patients, tied ones once" if units == "patients" else "patients"
    return Table(
        caption=f"ROC-AUC by {title}",
        head=(title, "mean", *findings, units, patients),
        rows=tuple(
            (
                name,
                value(group.means.roc_auc),
                *(value(group.findings[finding].roc_auc) for finding in findings),
                f"{group.images:,}",
                f"{group.patients:,}",
            )
            for name, group in groups.items()
        ),
        notes=_joined(
            [
                *(note for name, group in groups.items() for note in left_out(name, group.means)),
                *(
                    note
                    for name, group in groups.items()
                    for note in _merged(
                        f"{name}, ", ((f, group.findings[f].roc_auc) for f in findings)
                    )
                ),
            ]
        ),
    )
