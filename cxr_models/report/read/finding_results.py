"""Reading of the results of runs with several findings for a report.

The module `cxr_models.report.read.results` reads the results of runs with classes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._typed_json import from_json, read_object
from cxr_models.audit.findings_results import FindingsAudit, FindingsRobustness
from cxr_models.audit.results import Audit
from cxr_models.config import RunConfig
from cxr_models.evaluation.aggregate_findings import aggregated_findings
from cxr_models.evaluation.finding_predictions import (
    FindingPredictions,
    read_finding_predictions,
)
from cxr_models.evaluation.finding_statistics import FindingStatistics, outcomes_of
from cxr_models.evaluation.findings_results import MULTILABEL, FindingsEvaluation, FindingsSet
from cxr_models.evaluation.results import FORMAT
from cxr_models.report.read.clinic import finding_clinic_agrees
from cxr_models.report.read.results import (
    TOLERANCE,
    Results,
    agrees,
    check_evaluated,
    check_unchanged,
    own_audit,
    read_audit,
    read_results,
    table_of,
)
from cxr_models.report.read.robustness import read_finding_robustness
from cxr_models.report.read.subgroups import finding_subgroups_agree
from cxr_models.report.read.values import finding_values_by_name
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingResults:
    """Results of a run with several findings, or of a third-party model, for a report."""

    name: str
    folder: RunFolder
    config: RunConfig | None  # None for a third-party model
    facts: RunFacts | None  # split, seed, weights, versions; None for a third-party model
    history: tuple[EpochRow, ...]  # a row for each epoch
    evaluation: FindingsEvaluation
    sets: dict[str, FindingPredictions]  # the tables that the evaluation was computed from, by set
    audit: FindingsAudit | None = None  # the values of shortcut models on the run's split
    robustness: FindingsRobustness | None = None  # the predictions of the run for changed images

    @property
    def split_sha256(self) -> str:
        """The hash of the run's split; for a third-party model, the hash of its records."""
        if self.facts is not None:
            return self.facts.split_sha256
        return next(iter(self.sets.values())).origin.records_sha256

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings that the run predicts."""
        return self.evaluation.findings

    @property
    def test(self) -> FindingsSet | None:
        """The evaluation of the test set; None if there is no test set."""
        return self.evaluation.sets.get("test")

    @property
    def externals(self) -> dict[str, FindingsSet]:
        """The evaluations of sets from other sources, by name."""
        sets = self.evaluation.sets
        return {name: values for name, values in sets.items() if values.kind == "external"}

    @property
    def tested(self) -> dict[str, FindingsSet]:
        """The evaluations of the sets that the run was not trained or chosen on, by name."""
        return ({} if self.test is None else {"test": self.test}) | self.externals


AnyResults = Results | FindingResults
AnyAudit = Audit | FindingsAudit


def read_any_results(
    path: str | os.PathLike[str], *, name: str, audits: Sequence[AnyAudit] = ()
) -> AnyResults:
    """Read the results of a run with classes or with findings.

    Parameters
    ----------
    path, name, audits
        As for `cxr_models.report.read.results.read_results`.

    Raises
    ------
    ValueError
        If a file is missing, was changed, belongs to other weights or another split, or lies
        outside of the folder.
    OSError
        If a file cannot be read.
    """
    folder = RunFolder(path=Path(path))
    check_evaluated(path)
    folder.check_confined()
    stored = read_object(folder.evaluation_file)
    if stored.get("task") != MULTILABEL:
        of_classes = tuple(audit for audit in audits if isinstance(audit, Audit))
        return read_results(path, name=name, audits=of_classes)
    if stored.get("format") != FORMAT:
        raise ValueError(
            f"`evaluation.json` must be an evaluation of format {FORMAT}; got format "
            f"{stored.get('format')!r} in {str(path)!r}. Evaluate the run again, with its "
            f"predictions: cxr-models evaluate {path} --from-predictions."
        )
    try:
        evaluation = from_json(FindingsEvaluation, stored)
    except ValueError as error:
        raise ValueError(
            f"`evaluation.json` must be as cxr-models wrote it; got a file in {str(path)!r} where "
            f"{error}. Make it again with: cxr-models evaluate {path} --from-predictions."
        ) from error
    sets = {name: _predictions(folder, evaluation, name) for name in evaluation.sets}
    foreign = bool(sets) and all(one.origin.is_foreign for one in sets.values())
    run = FindingResults(
        name=name,
        folder=folder,
        config=None if foreign else folder.read_config(),
        facts=None if foreign else folder.read_facts(),
        history=() if foreign else tuple(folder.read_history()),
        evaluation=evaluation,
        sets=sets,
    )
    check_unchanged(run.folder, list(run.sets.values()))
    if run.facts is not None:
        robustness = read_finding_robustness(run.folder, run.facts, run.evaluation)
        run = dataclasses.replace(run, robustness=robustness)
    if folder.audit_file.is_file():
        audit = read_audit(folder.audit_file)
        if not isinstance(audit, FindingsAudit) or not _is_of_run(audit, run):
            raise ValueError(own_audit(folder))
        return dataclasses.replace(run, audit=audit)
    of_findings = (audit for audit in audits if isinstance(audit, FindingsAudit))
    return dataclasses.replace(
        run, audit=next((audit for audit in of_findings if _is_of_run(audit, run)), None)
    )


def by_kind(runs: Sequence[AnyResults]) -> tuple[list[FindingResults], list[Results]]:
    """Return a list of the runs with findings and a list of the runs with classes.

    One of the lists is empty, because a page shows one kind of runs.

    Raises
    ------
    ValueError
        If there are runs of both kinds.
    """
    of_findings = [run for run in runs if isinstance(run, FindingResults)]
    of_classes = [run for run in runs if isinstance(run, Results)]
    if of_findings and of_classes:
        raise ValueError(
            "`RUN` must name runs with classes, or runs with findings; got "
            f"{of_classes[0].name} with classes and {of_findings[0].name} with findings. Make a "
            "page of each kind."
        )
    return of_findings, of_classes


def _is_of_run(audit: FindingsAudit, run: FindingResults) -> bool:
    return (
        audit.split_sha256 == run.split_sha256
        and sorted(audit.findings) == sorted(run.findings)
        and audit.weights_sha256 in ("", run.evaluation.weights_sha256)
    )


def _predictions(
    folder: RunFolder, evaluation: FindingsEvaluation, name: str
) -> FindingPredictions:
    """Return the predictions of a set.

    Raises
    ------
    ValueError
        If the evaluation was computed from another table than the table in the folder.
    """
    values = evaluation.sets[name]
    table = table_of(folder, name, values.kind)
    predictions = aggregated_findings(read_finding_predictions(table), evaluation.aggregate)
    same = (
        predictions.origin.weights_sha256 == evaluation.weights_sha256
        and predictions.findings == evaluation.findings
        and predictions.kind == values.kind
        and _values_agree(folder, predictions, values, evaluation)
    )
    if not same:
        raise ValueError(
            "`evaluation.json` must be computed from the tables beside it; got another "
            f"{table.name} in {str(table.parent)!r}, or other values, as those "
            "of an earlier version may be. Make the evaluation again: cxr-models "
            f"evaluate {folder.path} --from-predictions."
        )
    return predictions


def _values_agree(
    folder: RunFolder,
    predictions: FindingPredictions,
    stored: FindingsSet,
    evaluation: FindingsEvaluation,
) -> bool:
    """Return whether stored values equal those computed from the table, intervals excepted."""
    names = predictions.findings
    temperatures = tuple(evaluation.temperatures[name] for name in names)
    thresholds = tuple(stored.findings[name].operating_point.threshold for name in names)
    outcomes = outcomes_of(predictions, temperatures, thresholds)
    if stored.clinic is not None and not finding_clinic_agrees(outcomes, stored.clinic, TOLERANCE):
        return False
    statistics = FindingStatistics(outcomes)
    computed = statistics(np.ones((1, statistics.num_patients)))
    values = finding_values_by_name(stored, names)
    for name in names:
        of_finding = stored.findings[name]
        known = predictions.targets[:, names.index(name)]
        if (of_finding.images, of_finding.present) != ((known >= 0).sum(), (known == 1).sum()):
            return False
    if not finding_subgroups_agree(folder.path, predictions, outcomes, stored, TOLERANCE):
        return False
    return statistics.in_means == stored.means.over and all(
        agrees(float(computed[name][0]), measured) for name, measured in values.items()
    )
