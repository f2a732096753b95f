"""Lines about an evaluation of findings for the terminal.

Test sets and external sets have all values; train and val have one line of means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.cli._clinic_text import finding_clinic_tables
from cxr_models.cli._evaluation_text import (
    ROLES,
    counted_rows,
    differing_lines,
    indented,
    left_out_lines,
    number,
    p_value,
    table,
    value,
)
from cxr_models.cli._seeds_text import seed_heading, seed_rows
from cxr_models.evaluation.results import NOT_STATED, UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cxr_models.evaluation.findings_results import (
        FindingMeans,
        FindingsComparison,
        FindingsEvaluation,
        FindingsGroup,
        FindingsSet,
        PooledFindings,
        SeveralFindingRuns,
    )


def findings_lines(evaluation: FindingsEvaluation) -> Iterator[str]:
    """Yield the lines of one run's evaluation."""
    bootstrap = evaluation.bootstrap
    yield (
        f"run {evaluation.run}; {bootstrap.level:.0%} intervals from {bootstrap.draws} "
        "draws of patients; a finding is evaluated over the images whose label for it is known"
    )
    points = evaluation.operating_points
    yield (
        f"temperatures fitted on val, thresholds chosen on val: {points.rule}"
        if points.chosen_on
        else f"thresholds not chosen on validation: {points.rule}"
    )
    for name, scaling in evaluation.calibration.items():
        if scaling.reason:
            yield f"{name}: no temperature fitted: {scaling.reason}"
    if evaluation.aggregate is not None:
        yield f"a row is a {evaluation.aggregate.name}; all counts are of {evaluation.units}"
    for name, values in evaluation.sets.items():
        yield ""
        role = ROLES.get(values.kind, "")
        yield f"{name}: {counted_rows(values, evaluation.units)}{': ' + role if role else ''}"
        if values.kind in ROLES:
            yield f"  {_means(values.means)}"
            continue
        yield from indented(_set_lines(evaluation, values))
        for title, groups in (("source", values.by_source), ("view", values.by_view)):
            yield from indented(_group_lines(title, groups, evaluation.units))


def _set_lines(evaluation: FindingsEvaluation, values: FindingsSet) -> Iterator[str]:
    rows = [["", "known", "present", "ROC-AUC", "PR-AUC"]]
    points = [["at its threshold", "threshold", "sensitivity", "specificity", "precision"]]
    gaps = [["calibrated", "temperature", "Brier score", "calibration error", "before"]]
    for name, of in values.findings.items():
        rows.append([name, str(of.images), str(of.present), value(of.roc_auc), value(of.pr_auc)])
        point = of.operating_point
        threshold = "-" if point.threshold is None else f"{point.threshold:.3f}"
        cells = (value(cell) if cell else "-" for cell in point.values())
        points.append([name, threshold, *cells])
        temperature = f"{evaluation.calibration[name].temperature:.3f}"
        errors = value(of.ece_calibrated), value(of.ece)
        gaps.append([name, temperature, value(of.brier_calibrated), *errors])
    yield from table(rows)
    yield _means(values.means)
    yield from table(points)
    yield from table(gaps)
    for clinic in finding_clinic_tables(values.clinic or {}, value):
        yield from table(clinic)
    for name, of in values.findings.items():
        if of.roc_auc.value is None or of.roc_auc.interval is None:
            yield f"{name}: no interval of ROC-AUC: {of.roc_auc.reason}"


def _means(means: FindingMeans) -> str:
    left_out = "".join(f"; left out: {name}, {why}" for name, why in means.left_out.items())
    if not means.over:
        return f"no mean over findings: {means.roc_auc.reason}{left_out}"
    return (
        f"mean of {counted(len(means.over), 'finding')}: ROC-AUC {value(means.roc_auc)}, PR-AUC "
        f"{value(means.pr_auc)}{left_out}"
    )


def _group_lines(title: str, groups: Mapping[str, FindingsGroup], units: str) -> Iterator[str]:
    if len(groups) < 2 and NOT_STATED in groups:
        return
    findings = list(next(iter(groups.values())).findings)
    rows = [[title, units, *(f"ROC-AUC of {finding}" for finding in findings)]]
    for name, group in groups.items():
        areas = (value(group.findings[finding].roc_auc) for finding in findings)
        rows.append([name, str(group.images), *areas])
    yield from table(rows)


def several_findings_lines(several: SeveralFindingRuns) -> Iterator[str]:
    """Yield the settings that differ between runs, then the lines of the comparisons and pools."""
    yield from differing_lines(several.differ)
    units = next((evaluation.units for evaluation in several.runs.values()), UNITS["image"])
    for pair in several.comparisons or ():
        yield from _comparison_lines(pair, units)
    yield from left_out_lines(several.left_out)
    for spread in several.seeds:
        yield ""
        yield seed_heading(spread)
        yield from indented(table(seed_rows(spread)))
    if several.pooled is not None:
        yield from _pooled_lines(several.pooled, units)


def _pooled_lines(pooled: PooledFindings, units: str) -> Iterator[str]:
    rows = [["test sets of", units, "mean ROC-AUC", "mean PR-AUC"]]
    for name, run in pooled.runs.items():
        rows.append([name, str(run.images), value(run.means.roc_auc), value(run.means.pr_auc)])
    yield ""
    yield from table(rows)
    yield f"pooled: {counted_rows(pooled, units)}"
    rows = [["", "known", "present", "ROC-AUC", "PR-AUC", "Brier score"]]
    for name, of in pooled.findings.items():
        values = value(of.roc_auc), value(of.pr_auc), value(of.brier)
        rows.append([name, str(of.images), str(of.present), *values])
    yield from indented(table(rows))
    yield f"  {_means(pooled.means)}"


def _comparison_lines(pair: FindingsComparison, units: str) -> Iterator[str]:
    yield ""
    yield f"{pair.first} minus {pair.second} on {pair.set}, {pair.images} {units}"
    if pair.over:
        yield (
            f"  means over {', '.join(pair.over)}: ROC-AUC {value(pair.mean_roc_auc, sign=True)}, "
            f"PR-AUC {value(pair.mean_pr_auc, sign=True)}"
        )
    rows = [["", "known", "ROC-AUC", "DeLong p", "p by Holm", "PR-AUC", "Brier score"]]
    for name, test in pair.findings.items():
        tested = "-" if test.p_value is None else p_value(test.p_value)
        adjusted = "-" if test.p_holm is None else p_value(test.p_holm)
        rows.append(
            [
                name,
                str(test.images),
                number(test.difference, test.interval, sign=True),
                tested,
                adjusted,
                value(test.pr_auc, sign=True),
                value(test.brier, sign=True),
            ]
        )
    yield from indented(table(rows))
    yield from (
        f"  {name}: not tested: {test.reason}"
        for name, test in pair.findings.items()
        if test.p_value is None
    )
