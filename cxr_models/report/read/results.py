"""Read the results of a run for a report: settings, history, evaluation, predictions, audit.

Needs neither weights nor images. Refuses files that do not belong together.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._typed_json import from_json, read_object
from cxr_models.audit.results import Audit
from cxr_models.config import RunConfig
from cxr_models.evaluation.aggregate import aggregated
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.metrics import (
    CLASS_METRICS,
    OVERALL_METRICS,
    POINT_METRICS,
    ImageStatistics,
)
from cxr_models.evaluation.predictions import Predictions, read_predictions
from cxr_models.evaluation.results import FORMAT, Evaluation, SetEvaluation
from cxr_models.report.read.clinic import clinic_agrees
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.finished import file_sha256
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt

_TOLERANCE = 1e-6  # between a stored value and the same value computed from the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that a report shows of a run."""

    name: str
    folder: RunFolder
    config: RunConfig
    facts: RunFacts  # split, seed, weights, versions
    history: tuple[EpochRow, ...]  # a row for each epoch
    evaluation: Evaluation
    sets: dict[str, Predictions]  # the tables that the evaluation was computed from, by name
    audit: Audit | None = None  # the accuracies of shortcuts on the run's split

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that the run predicts."""
        return self.evaluation.class_names

    @property
    def test(self) -> SetEvaluation | None:
        """The evaluation of the test set; None if the split has no test part."""
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
        return softmax(self.sets[name].logits, self.evaluation.calibration.temperature)


def check_evaluated(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a folder holds no evaluation."""
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
        Folder of the run, with ``evaluation/evaluation.json`` and the tables beside that file.
    name : str
        Name of the run on the page.
    audits : sequence of Audit, default ()
        Audits that `read_audit` returned. The first audit of the run's split and classes is used,
        unless the folder holds ``evaluation/audit.json``.

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
    if stored.get("format") != FORMAT:
        raise ValueError(
            f"`evaluation.json` must be an evaluation of format {FORMAT}; got format "
            f"{stored.get('format')!r} in {str(path)!r}. Evaluate the run again, with its "
            f"predictions: cxr-models evaluate {path} --from-predictions."
        )
    facts = folder.read_facts()
    try:
        evaluation = from_json(Evaluation, stored)
    except ValueError as error:
        raise ValueError(
            f"`evaluation.json` must be as cxr-models wrote it; got a file in {str(path)!r} where "
            f"{error}. Make it again with: cxr-models evaluate {path} --from-predictions."
        ) from error
    run = Results(
        name=name,
        folder=folder,
        config=folder.read_config(),
        facts=facts,
        history=tuple(folder.read_history()),
        evaluation=evaluation,
        sets={name: _predictions(folder, evaluation, name) for name in evaluation.sets},
    )
    _check_unchanged(run)
    if folder.audit_file.is_file():
        audit = read_audit(folder.audit_file)
        if not _is_of_run(audit, run):
            raise ValueError(
                f"`audit.json` must be of the run's split, classes and weights; got "
                f"{str(folder.audit_file)!r}, an audit of another split, other classes or other "
                f"weights. Audit the run again: cxr-models audit SPLIT --run {path}."
            )
        return dataclasses.replace(run, audit=audit)
    return dataclasses.replace(run, audit=next((a for a in audits if _is_of_run(a, run)), None))


def read_audit(path: str | os.PathLike[str]) -> Audit:
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
        return from_json(Audit, stored)
    except ValueError as error:
        raise ValueError(
            f"`--audit` must be what cxr-models audit --json prints; got {str(path)!r}, where "
            f"{error}."
        ) from error


def _check_unchanged(run: Results) -> None:
    """Raise ValueError if the settings or the weights changed after the run was evaluated."""
    origins = [predictions.origin for predictions in run.sets.values()]
    for content, path, hashes in (
        ("settings", run.folder.config_file, {origin.config_sha256 for origin in origins}),
        ("weights", run.folder.best_weights, {origin.weights_sha256 for origin in origins}),
    ):
        if path.is_file() and {file_sha256(path)} != hashes:
            folder = run.folder.path
            raise ValueError(
                f"`evaluation.json` must be of the run's {content}; got {str(folder)!r}, whose "
                f"{content} have changed since. Evaluate the run again: cxr-models evaluate "
                f"{folder}."
            )


def _is_of_run(audit: Audit, run: Results) -> bool:
    return (
        audit.split_sha256 == run.facts.split_sha256
        and sorted(audit.classes) == sorted(run.class_names)
        and audit.weights_sha256 in ("", run.evaluation.weights_sha256)
    )


def _predictions(folder: RunFolder, evaluation: Evaluation, name: str) -> Predictions:
    """Return the predictions of a set; refuse a table that the evaluation was not computed from."""
    values = evaluation.sets[name]
    table = folder.predictions_file(name, external=values.kind == "external")
    if table.resolve().parent != folder.evaluation_folder.resolve():  # a name with ../ in it
        raise ValueError(f"`evaluation.json` must name sets without folders; got {name!r}.")
    predictions = aggregated(read_predictions(table), evaluation.aggregate)
    same = (
        predictions.origin.weights_sha256 == evaluation.weights_sha256
        and predictions.class_names == evaluation.class_names
        and predictions.kind == values.kind
        and predictions.outcomes().confusion().counts == values.confusion.counts
        and _values_agree(predictions, values, evaluation.calibration.temperature)
    )
    if not same:
        raise ValueError(
            "`evaluation.json` must be computed from the tables beside it; got another "
            f"{table.name} in {str(table.parent)!r}. Make the evaluation again: cxr-models "
            f"evaluate {folder.path} --from-predictions."
        )
    return predictions


def _values_agree(predictions: Predictions, stored: SetEvaluation, temperature: float) -> bool:
    """Return whether the stored values equal those of the table; intervals are not checked."""
    points = {name: stored.classes[name].operating_point for name in predictions.class_names}
    thresholds = tuple(point.threshold for point in points.values())
    outcomes = predictions.outcomes(temperature=temperature, thresholds=thresholds)
    statistics = ImageStatistics(outcomes)
    computed = statistics(np.ones((1, statistics.num_patients)))
    values = {name: getattr(stored.overall, name) for name in OVERALL_METRICS}
    for name, point in points.items():
        of_class = stored.classes[name]
        values |= {f"{metric}/{name}": getattr(of_class, metric) for metric in CLASS_METRICS}
        if point.threshold is not None:
            at_point = {metric: getattr(point, metric) for metric in POINT_METRICS}
            values |= {f"point_{metric}/{name}": value for metric, value in at_point.items()}
    if stored.clinic is not None and not clinic_agrees(outcomes, stored.clinic, _TOLERANCE):
        return False
    return all(
        math.isnan(computed[name][0])
        if measured.value is None
        else abs(computed[name][0] - measured.value) < _TOLERANCE
        for name, measured in values.items()
    )
