"""A finished run with its calibration, as input of `predict` and `export`.

The folder of the run may come from an untrusted source. No code in it is executed, and no path in
its settings is opened. This module imports a deep-learning framework only to build the model.
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
    """The temperatures that divide the logits, and the operating points, of a run."""

    temperature: float = 1.0  # temperature of a run with classes; 1 if it has no temperature
    # temperature of each finding, used instead of `temperature`; empty for classes, and for
    # findings without a valid evaluation
    temperatures: tuple[float, ...] = ()
    # why the run, or some of its findings, has no temperature; empty if nothing is missing
    no_temperature_reason: str = ""
    # operating point of each class or finding, a calibrated probability; empty if the run has no
    # operating points
    thresholds: tuple[float | None, ...] = ()
    rule: str = ""  # description of the rule that chose the operating points
    no_thresholds_reason: str = ""  # why the run has no operating points; empty if it has some
    output_noun: str = "class"  # word for messages: class or finding

    @property
    def line(self) -> str:
        """One line for the user about the temperature."""
        if self.no_temperature_reason and not self.temperatures:
            return f"not calibrated: {self.no_temperature_reason}"
        if self.temperatures:
            but = f", but not of {self.no_temperature_reason}" if self.no_temperature_reason else ""
            return f"calibrated: a temperature of each finding, fitted on val by evaluate{but}"
        return f"calibrated: temperature {self.temperature:.4g}, fitted on val by evaluate"

    @property
    def line_on_calls(self) -> str:
        """One line for the user about the operating points."""
        if self.no_thresholds_reason:
            return f"no {self.output_noun} is called: {self.no_thresholds_reason}"
        return f"called at the operating points of evaluate: {self.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The keys of an evaluation of classes that are needed for a `Calibration`."""

    format: int
    weights_sha256: str
    aggregate: Aggregation | None = None
    calibration: TemperatureScaling
    operating_points: OperatingPoints


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredFindings:
    """The keys of an evaluation of findings that are needed for a `Calibration`."""

    format: int
    weights_sha256: str
    aggregate: Aggregation | None = None
    calibration: dict[str, TemperatureScaling]
    operating_points: OperatingPoints


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRun:
    """A finished run, ready for predictions, with the calibration from its evaluation."""

    run: FinishedRun
    calibration: Calibration

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes or findings, in the order of the probabilities."""
        return self.run.class_names

    @property
    def multilabel(self) -> bool:
        """Whether the run predicts findings, each with its own probability."""
        return self.run.config.model.task == "multilabel"

    @property
    def divisors(self) -> Floats:
        """The temperature that divides the logits of each class or finding, of shape (K,)."""
        calibration = self.calibration
        same = (calibration.temperature,) * len(self.class_names)
        return np.array(calibration.temperatures or same, np.float64)

    def probabilities(self, logits: Floats) -> Floats:
        """Return the calibrated probabilities (N, K) of logits (N, K)."""
        if self.multilabel:
            return sigmoid(logits / self.divisors)
        return softmax(logits, self.calibration.temperature)

    def load(self, *, augmented: bool = True) -> Any:
        """Build the classifier and load its weights.

        Parameters
        ----------
        augmented : bool, default True
            Whether the classifier has the augmentation layers.

        Returns
        -------
        keras.Model
            The classifier.

        Raises
        ------
        ValueError
            If the weights do not fit.
        """
        from cxr_models.networks.load import load_classifier

        return load_classifier(self.run, augmented=augmented)

    def metadata(self) -> dict[str, object]:
        """Return the metadata of an exported model as JSON types.

        The metadata are classes, temperature, operating points, input settings, hashes and version.
        """
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
            "calibrated": not self.calibration.no_temperature_reason,
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
    """Read a finished run for predictions.

    Parameters
    ----------
    path : str or PathLike
        Folder of the run; it may come from an untrusted source.
    split : str or PathLike, optional
        The split of the run; see `cxr_models.runs.finished.read_run`. Predictions do not need it.
    aggregation : Aggregation, optional
        The unit and the rule that joins its images. The temperature and the operating points are
        used only if the evaluation joined images in the same way. None joins no images.

    Raises
    ------
    ValueError
        If the folder is not that of a finished run, one of its files is a link to another folder,
        or a label contains slashes or unprintable characters.
    OSError
        If a file cannot be read.

    Notes
    -----
    The settings contain paths of the machine on which the run was trained: those of its images, of
    a cache and of the initial weights. These paths are not opened.
    """
    run = read_run(path, split=split)
    for label in run.labels:  # `split` checks labels more strictly; earlier versions did not
        if not label.isprintable() or set(label) & set("/\\"):
            raise ValueError(
                f"`class_names` must be names without slashes; got {label!r} in "
                f"{str(run.folder.facts_file)!r}."
            )
    calibration = calibration_of(run, aggregation)
    if run.config.model.task == "multilabel":
        calibration = dataclasses.replace(calibration, output_noun="finding")
    return ServedRun(run=run, calibration=calibration)


def calibration_of(run: FinishedRun, aggregation: Aggregation | None = None) -> Calibration:
    """Return the calibration from the evaluation of a run.

    A missing calibration has reasons instead of temperatures and operating points.

    Parameters
    ----------
    run : FinishedRun
        The run.
    aggregation : Aggregation, optional
        The unit and the rule that joins its images. The evaluation is used only if it joined images
        in the same way. None joins no images.

    Raises
    ------
    ValueError
        If the evaluation is not a valid result of `cxr-models evaluate`.
    OSError
        If the evaluation cannot be read.
    """
    path = run.folder.evaluation_file
    if not path.is_file():
        cure = "find one with: cxr-models evaluate RUN"
        return Calibration(
            no_temperature_reason=f"no temperature yet; {cure}",
            no_thresholds_reason=f"no operating point yet; {cure}",
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
        return Calibration(no_temperature_reason=changed, no_thresholds_reason=changed)
    if evaluation.aggregate != aggregation:
        other = _other_rows(evaluation.aggregate, aggregation)
        return Calibration(no_temperature_reason=other, no_thresholds_reason=other)
    if isinstance(evaluation, _StoredFindings):
        return _calibration_of_findings(evaluation, run.class_names, path)
    _check_temperature(evaluation.calibration.temperature, path)
    calls = _calls(evaluation, run.class_names, path)
    if evaluation.calibration.reason:
        return dataclasses.replace(calls, no_temperature_reason=evaluation.calibration.reason)
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
        no_temperature_reason="; ".join(missing),
    )


def _check_temperature(temperature: float, path: Path) -> None:
    low, high = TEMPERATURES
    if not low <= temperature <= high:
        raise ValueError(
            f"`temperature` must be a number from {low:f} to {high:,.0f}; got {temperature!r} in "
            f"{str(path)!r}. Evaluate the run again."
        )


def _other_rows(evaluated: Aggregation | None, wanted: Aggregation | None) -> str:
    """Return a text that an evaluation joined images in another way, with the command to run."""
    names = ["an image" if one is None else f"a {one.name}" for one in (evaluated, wanted)]
    options = "" if wanted is None else f" --aggregate {wanted.of} --aggregate-by {wanted.by}"
    return (
        f"a row of the run's evaluation is {names[0]}, not {names[1]}; make one of these with: "
        f"cxr-models evaluate RUN{options}"
    )


def _calls(
    evaluation: _Stored | _StoredFindings, class_names: tuple[str, ...], path: Path
) -> Calibration:
    """Return a calibration with the operating points of an evaluation, or why there are none."""
    if evaluation.format == 1:  # format 1 has thresholds of probabilities before calibration
        return Calibration(
            no_thresholds_reason="the evaluation is of an earlier version; make it again with: "
            "cxr-models evaluate RUN --from-predictions"
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
        return Calibration(no_thresholds_reason=f"validation does not hold both {what}")
    return Calibration(thresholds=thresholds, rule=points.rule)
