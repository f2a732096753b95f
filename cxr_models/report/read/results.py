"""Reading of the results of a run for a report: settings, history, evaluation and audit.

The module also reads the tables of predictions. It needs neither weights nor images. It raises an
error if files do not belong together.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._typed_json import from_json, read_object
from cxr_models.audit.findings_results import FindingsAudit
from cxr_models.audit.results import Audit, Robustness
from cxr_models.config import RunConfig
from cxr_models.evaluation.aggregate import aggregated
from cxr_models.evaluation.findings_results import MULTILABEL
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.predictions import Predictions, read_predictions
from cxr_models.evaluation.results import FORMAT, Evaluation, SetEvaluation
from cxr_models.report.read.clinic import clinic_agrees
from cxr_models.report.read.robustness import read_robustness
from cxr_models.report.read.subgroups import subgroups_agree
from cxr_models.report.read.values import values_by_name
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.finished import file_sha256
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.results import Kind, Measured

TOLERANCE = 1e-6  # largest difference of a stored value and the value computed from the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Results of a run with classes, or of a third-party model, for a report."""

    name: str
    folder: RunFolder
    config: RunConfig | None  # None for a third-party model
    facts: RunFacts | None  # split, seed, weights, versions; None for a third-party model
    history: tuple[EpochRow, ...]  # a row for each epoch
    evaluation: Evaluation
    sets: dict[str, Predictions]  # the tables that the evaluation was computed from, by name
    audit: Audit | None = None  # the values of shortcut models on the run's split
    robustness: Robustness | None = None  # the predictions of the run for changed test images

    @property
    def settings(self) -> RunConfig:
        """The settings of a run; raises ValueError for a third-party model, which has none."""
        if self.config is None:
            raise ValueError(f"`{self.name}` must be a run; got a third-party model.")
        return self.config

    @property
    def split_sha256(self) -> str:
        """The hash of the run's split; for a third-party model, the hash of its records."""
        if self.facts is not None:
            return self.facts.split_sha256
        return next(iter(self.sets.values())).origin.records_sha256

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that the run predicts."""
        return self.evaluation.class_names

    @property
    def test(self) -> SetEvaluation | None:
        """The evaluation of the test set; None if there is no test set."""
        return self.evaluation.sets.get("test")

    @property
    def externals(self) -> dict[str, SetEvaluation]:
        """The evaluations of sets from other sources, by name."""
        sets = self.evaluation.sets
        return {name: values for name, values in sets.items() if values.kind == "external"}

    @property
    def tested(self) -> dict[str, SetEvaluation]:
        """The evaluations of the sets that the run was not trained or chosen on, by name."""
        return ({} if self.test is None else {"test": self.test}) | self.externals

    def calibrated(self, name: str) -> npt.NDArray[np.float64]:
        """Return the probabilities of a set after temperature scaling, of shape (N, K)."""
        temperature = self.evaluation.calibration.temperature
        return self.sets[name].outcomes(temperature=temperature).calibrated


def check_evaluated(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a folder contains no evaluation."""
    evaluation = RunFolder(path=Path(path)).evaluation_file
    if not evaluation.is_file():
        raise ValueError(
            f"`RUN` must be a run that was evaluated; got {str(path)!r}, which lacks "
            f"{evaluation.relative_to(path)}. Make it with: cxr-models evaluate {path}."
        )


def read_results(
    path: str | os.PathLike[str], *, name: str, audits: Sequence[Audit] = ()
) -> Results:
    """Read the results of a run.

    Parameters
    ----------
    path : str or PathLike
        Folder of the run. It contains ``evaluation/evaluation.json`` and the tables of predictions.
    name : str
        Name of the run on the page.
    audits : sequence of Audit, default ()
        Audits that `read_audit` returned. The first audit of the run's split and classes is used,
        unless the folder holds ``evaluation/audit.json``. An audit of other weights is not used; an
        audit without a run has no weights.

    Raises
    ------
    ValueError
        If a file is missing, was changed, has another format, belongs to other weights or another
        split, or lies outside of the folder.
    OSError
        If a file cannot be read.
    """
    folder = RunFolder(path=Path(path))
    check_evaluated(path)
    folder.check_confined()
    stored = read_object(folder.evaluation_file)
    if stored.get("format") != FORMAT:
        raise ValueError(
            f"`evaluation.json` must be an evaluation of format {FORMAT}; got format "
            f"{stored.get('format')!r} in {str(path)!r}. Evaluate the run again, with its "
            f"predictions: cxr-models evaluate {path} --from-predictions."
        )
    try:
        evaluation = from_json(Evaluation, stored)
    except ValueError as error:
        raise ValueError(
            f"`evaluation.json` must be as cxr-models wrote it; got a file in {str(path)!r} where "
            f"{error}. Make it again with: cxr-models evaluate {path} --from-predictions."
        ) from error
    sets = {name: _predictions(folder, evaluation, name) for name in evaluation.sets}
    foreign = bool(sets) and all(one.origin.is_foreign for one in sets.values())
    run = Results(
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
        robustness = read_robustness(run.folder, run.facts, run.evaluation)
        run = dataclasses.replace(run, robustness=robustness)
    if folder.audit_file.is_file():
        audit = read_audit(folder.audit_file)
        if not isinstance(audit, Audit) or not _is_of_run(audit, run):
            raise ValueError(own_audit(folder))
        return dataclasses.replace(run, audit=audit)
    return dataclasses.replace(run, audit=next((a for a in audits if _is_of_run(a, run)), None))


def own_audit(folder: RunFolder) -> str:
    """Return the error message for an audit in a run's folder that belongs to another run."""
    return (
        f"`audit.json` must be of the run's split, classes and weights; got "
        f"{str(folder.audit_file)!r}, an audit of another split, other classes or other "
        f"weights. Audit the run again: cxr-models audit SPLIT --run {folder.path}."
    )


def read_audit(path: str | os.PathLike[str]) -> Audit | FindingsAudit:
    """Read an audit.

    Parameters
    ----------
    path : str or PathLike
        A file that holds the output of ``cxr-models audit --json``.

    Raises
    ------
    ValueError
        If the file holds no audit.
    OSError
        If the file cannot be read.
    """
    stored = read_object(Path(path))
    try:
        if stored.get("task") == MULTILABEL:
            return from_json(FindingsAudit, stored)
        return from_json(Audit, stored)
    except ValueError as error:
        raise ValueError(
            f"`--audit` must be what cxr-models audit --json prints; got {str(path)!r}, where "
            f"{error}."
        ) from error


def check_unchanged(folder: RunFolder, sets: Sequence[AnyPredictions]) -> None:
    """Raise ValueError if the settings or the weights changed after the run was evaluated.

    A missing file counts as unchanged.
    """
    origins = [predictions.origin for predictions in sets]
    for content, path, hashes in (
        ("settings", folder.config_file, {origin.config_sha256 for origin in origins}),
        ("weights", folder.best_weights, {origin.weights_sha256 for origin in origins}),
    ):
        if path.is_file() and {file_sha256(path)} != hashes:
            raise ValueError(
                f"`evaluation.json` must be of the run's {content}; got {str(folder.path)!r}, "
                f"whose {content} have changed since. Evaluate the run again: cxr-models "
                f"evaluate {folder.path}."
            )


def _is_of_run(audit: Audit, run: Results) -> bool:
    return (
        audit.split_sha256 == run.split_sha256
        and sorted(audit.classes) == sorted(run.class_names)
        and audit.weights_sha256 in ("", run.evaluation.weights_sha256)
    )


def table_of(folder: RunFolder, name: str, kind: Kind) -> Path:
    """Return the path of a set's predictions, a file in the folder of the evaluation.

    Raises
    ------
    ValueError
        If the name of the set leads to another folder.
    """
    table = folder.predictions_file(name, external=kind == "external")
    if table.resolve().parent != folder.evaluation_folder.resolve():  # a name with ../ in it
        raise ValueError(f"`evaluation.json` must name sets without folders; got {name!r}.")
    return table


def _predictions(folder: RunFolder, evaluation: Evaluation, name: str) -> Predictions:
    """Return the predictions of a set.

    Raises
    ------
    ValueError
        If the evaluation was computed from another table than the table in the folder.
    """
    values = evaluation.sets[name]
    table = table_of(folder, name, values.kind)
    predictions = aggregated(read_predictions(table), evaluation.aggregate)
    same = (
        predictions.origin.weights_sha256 == evaluation.weights_sha256
        and predictions.class_names == evaluation.class_names
        and predictions.kind == values.kind
        and predictions.outcomes().confusion().counts == values.confusion.counts
        and _values_agree(folder, predictions, values, evaluation.calibration.temperature)
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
    folder: RunFolder, predictions: Predictions, stored: SetEvaluation, temperature: float
) -> bool:
    """Return whether stored values equal those computed from the table, intervals excepted."""
    points = (stored.classes[name].operating_point for name in predictions.class_names)
    thresholds = tuple(point.threshold for point in points)
    outcomes = predictions.outcomes(temperature=temperature, thresholds=thresholds)
    statistics = ImageStatistics(outcomes)
    computed = statistics(np.ones((1, statistics.num_patients)))
    if stored.clinic is not None and not clinic_agrees(outcomes, stored.clinic, TOLERANCE):
        return False
    if not subgroups_agree(folder.path, predictions, outcomes, stored, TOLERANCE):
        return False
    return all(
        agrees(float(computed[name][0]), measured)
        for name, measured in values_by_name(stored, predictions.class_names).items()
    )


def agrees(computed: float, stored: Measured) -> bool:
    """Return whether a stored value equals the computed value, with a difference below `TOLERANCE`.

    A stored value of None equals a computed NaN.
    """
    if stored.value is None:
        return math.isnan(computed)
    return abs(computed - stored.value) < TOLERANCE
