"""A finished run as `predict` and `export` take it: confined to its folder, and calibrated.

Imports no framework until the model is built. The folder may come from someone else: nothing in it
is executed, and no path that it states is opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
from cxr_models._typed_json import from_json, read_object
from cxr_models.evaluation.calibration import TEMPERATURES, softmax
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.results import (
    FORMAT,
    Aggregation,
    OperatingPoints,
    TemperatureScaling,
)
from cxr_models.runs.finished import FinishedRun, file_sha256, read_run

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the logits are divided by, and from which probability on a class is called."""

    temperature: float = 1.0  # of classes; 1 where there is none
    # of each finding, in the place of `temperature`; empty for classes and where there are none
    temperatures: tuple[float, ...] = ()
    missing: str = ""  # why there is none, or none of some findings; empty where there is one
    # of each class or finding, of the probabilities that temperatures give; empty where there are
    # none
    thresholds: tuple[float | None, ...] = ()
    rule: str = ""  # how they were chosen
    uncalled: str = ""  # why there are none; empty where there are
    subject: str = "class"  # or finding

    @property
    def line(self) -> str:
        """One line on the temperature."""
        if self.missing and not self.temperatures:
            return f"not calibrated: {self.missing}"
        if self.temperatures:
            but = f", but not of {self.missing}" if self.missing else ""
            return f"calibrated: a temperature of each finding, fitted on val by evaluate{but}"
        return f"calibrated: temperature {self.temperature:.4g}, fitted on val by evaluate"

    @property
    def line_on_calls(self) -> str:
        """One line on the operating points."""
        if self.uncalled:
            return f"no {self.subject} is called: {self.uncalled}"
        return f"called at the operating points of evaluate: {self.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The keys of an evaluation that a calibration comes from."""

    format: int
    weights_sha256: str
    aggregate: Aggregation | None = None
    calibration: TemperatureScaling
    operating_points: OperatingPoints


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredFindings:
    """The same of an evaluation of findings."""

    format: int
    weights_sha256: str
    aggregate: Aggregation | None = None
    calibration: dict[str, TemperatureScaling]
    operating_points: OperatingPoints


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRun:
    """A run to predict with."""

    run: FinishedRun
    calibration: Calibration  # from its evaluation

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the probabilities are of: classes, or findings."""
        return self.run.class_names

    @property
    def multilabel(self) -> bool:
        """Whether they are of findings, each by itself."""
        return self.run.config.model.task == "multilabel"

    @property
    def divisors(self) -> Floats:
        """What the logits of each class or finding are divided by, of shape (K,)."""
        calibration = self.calibration
        same = (calibration.temperature,) * len(self.class_names)
        return np.array(calibration.temperatures or same, np.float64)

    def probabilities(self, logits: Floats) -> Floats:
        """Return the calibrated probabilities of logits, both of shape (N, K)."""
        if self.multilabel:
            return sigmoid(logits / self.divisors)
        return softmax(logits, self.calibration.temperature)

    def load(self, *, augmented: bool = True) -> Any:
        """Build the classifier, with the layers that augment or not, and fill it with weights."""
        from cxr_models.networks.load import load_classifier

        return load_classifier(self.run, augmented=augmented)

    def metadata(self) -> dict[str, object]:
        """Return what describes the model beside its numbers, as JSON types."""
        config = self.run.config
        params = None if config.data.enhance is None else config.data.enhance.to_dict()
        return {
            "format": 1,
            "cxr_enhance_version": cxr_enhance.__version__,
            "task": config.model.task,
            "class_names": list(self.class_names),
            "temperature": dict(zip(self.class_names, self.divisors.tolist(), strict=True))
            if self.multilabel
            else self.calibration.temperature,
            "calibrated": not self.calibration.missing,
            "operating_points": {
                "rule": self.calibration.rule,
                "thresholds": dict(zip(self.class_names, self.calibration.thresholds, strict=True)),
            }
            if self.calibration.thresholds
            else None,
            "backbone": config.model.backbone,
            "image_size": list(config.data.image_size),
            "fit": config.data.fit,
            "crop_border": config.data.crop_border,
            "order": config.data.order,
            "enhance": params,
            "enhance_sha256": hashlib.sha256(
                json.dumps(params, sort_keys=True).encode()
            ).hexdigest(),
            "config_sha256": file_sha256(self.run.folder.config_file),
            "weights_sha256": self.run.weights_sha256,
        }


def read_served_run(
    path: str | os.PathLike[str],
    *,
    split: str | os.PathLike[str] | None = None,
    aggregation: Aggregation | None = None,
) -> ServedRun:
    """Read a run to predict with.

    Parameters
    ----------
    path : str or PathLike
        Its folder, from whomever.
    split : str or PathLike, optional
        As for `cxr_models.runs.finished.read_run`; predicting does not need it.
    aggregation : Aggregation, optional
        How images are joined; temperature and operating points of an evaluation that joined them
        otherwise are not used.

    Raises
    ------
    ValueError
        If the folder is none of a run that has ended, one of its files lies elsewhere, or a label
        is no plain name.
    OSError
        If a file cannot be read.

    Notes
    -----
    The settings hold paths of the machine that the run was trained on: of its images, of a cache,
    of the weights it began with. None of them is opened.
    """
    run = read_run(path, split=split)
    for label in run.labels:  # `split` asks for more; earlier versions did not
        if not label.isprintable() or set(label) & set("/\\"):
            raise ValueError(
                f"`class_names` must be names without slashes; got {label!r} in "
                f"{str(run.folder.facts_file)!r}."
            )
    calibration = calibration_of(run, aggregation)
    if run.config.model.task == "multilabel":
        calibration = dataclasses.replace(calibration, subject="finding")
    return ServedRun(run=run, calibration=calibration)


def calibration_of(run: FinishedRun, aggregation: Aggregation | None = None) -> Calibration:
    """Return the calibration that a run's evaluation holds, or why there is none.

    Parameters
    ----------
    run : FinishedRun
        The run.
    aggregation : Aggregation, optional
        As for `read_served_run`.

    Raises
    ------
    ValueError
        If the evaluation is not as `cxr-models evaluate` writes it.
    OSError
        If it cannot be read.
    """
    path = run.folder.evaluation_file
    if not path.is_file():
        cure = "find one with: cxr-models evaluate RUN"
        return Calibration(
            missing=f"no temperature yet; {cure}",
            uncalled=f"no operating point yet; {cure}",
        )
    stored = read_object(path)
    of_findings = run.config.model.task == "multilabel"
    evaluation: _Stored | _StoredFindings
    try:
        evaluation = (
            from_json(_StoredFindings, stored) if of_findings else from_json(_Stored, stored)
        )
    except ValueError as error:
        raise ValueError(
            f"`evaluation.json` must be what evaluate wrote; got {str(path)!r}, where {error}. "
            "Evaluate the run again."
        ) from error
    if evaluation.weights_sha256 != run.weights_sha256:
        changed = "the run's weights have changed since its evaluation"
        return Calibration(missing=changed, uncalled=changed)
    if evaluation.aggregate != aggregation:
        other = _other_rows(evaluation.aggregate, aggregation)
        return Calibration(missing=other, uncalled=other)
    if isinstance(evaluation, _StoredFindings):
        return _calibration_of_findings(evaluation, run.class_names, path)
    _check_temperature(evaluation.calibration.temperature, path)
    calls = _calls(evaluation, run.class_names, path)
    if evaluation.calibration.reason:
        return dataclasses.replace(calls, missing=evaluation.calibration.reason)
    return dataclasses.replace(calls, temperature=float(evaluation.calibration.temperature))


def _calibration_of_findings(
    evaluation: _StoredFindings, findings: tuple[str, ...], path: Path
) -> Calibration:
    if tuple(evaluation.calibration) != findings:
        raise ValueError(
            f"`calibration` must hold a temperature for each of {', '.join(findings)}; got others "
            f"in {str(path)!r}. Evaluate the run again."
        )
    scalings = evaluation.calibration.values()
    for scaling in scalings:
        _check_temperature(scaling.temperature, path)
    missing = [f"{name} ({s.reason})" for name, s in evaluation.calibration.items() if s.reason]
    return dataclasses.replace(
        _calls(evaluation, findings, path),
        temperatures=tuple(1.0 if s.reason else float(s.temperature) for s in scalings),
        missing="; ".join(missing),
    )


def _check_temperature(temperature: float, path: Path) -> None:
    low, high = TEMPERATURES
    if not low <= temperature <= high:
        raise ValueError(
            f"`temperature` must be a number from {low} to {high}; got {temperature!r} in "
            f"{str(path)!r}. Evaluate the run again."
        )


def _other_rows(evaluated: Aggregation | None, wanted: Aggregation | None) -> str:
    """Say that an evaluation was of other rows, and how to make one of these."""
    names = ["an image" if one is None else f"a {one.name}" for one in (evaluated, wanted)]
    options = "" if wanted is None else f" --aggregate {wanted.of} --aggregate-by {wanted.by}"
    return (
        f"a row of the run's evaluation is {names[0]}, not {names[1]}; make one of these with: "
        f"cxr-models evaluate RUN{options}"
    )


def _calls(
    evaluation: _Stored | _StoredFindings, class_names: tuple[str, ...], path: Path
) -> Calibration:
    """Return the operating points in an evaluation, or why there are none."""
    if evaluation.format == 1:  # its thresholds are of probabilities that nothing gives
        return Calibration(
            uncalled="the evaluation is of an earlier version; make it again with: cxr-models "
            "evaluate RUN --from-predictions"
        )
    points = evaluation.operating_points
    thresholds = tuple(points.thresholds.values())
    in_range = all(t is None or 0.0 <= t <= 1.0 for t in thresholds)
    if evaluation.format != FORMAT or tuple(points.thresholds) != class_names or not in_range:
        raise ValueError(
            f"`operating_points` must hold a rule, and a threshold from 0 to 1 or null for each of "
            f"{', '.join(class_names)}; got others in {str(path)!r}. Evaluate the run again."
        )
    of_classes = isinstance(evaluation, _Stored)
    deciding = thresholds[1:] if of_classes and len(thresholds) == 2 else thresholds
    if all(threshold is None for threshold in deciding):
        what = "a class and others" if of_classes else "a finding and its absence"
        return Calibration(uncalled=f"validation does not hold both {what}")
    return Calibration(thresholds=thresholds, rule=points.rule)
