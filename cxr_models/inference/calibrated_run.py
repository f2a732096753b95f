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

import cxr_enhance
from cxr_models._typed_json import from_json, read_object
from cxr_models.evaluation.calibration import TEMPERATURES
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the logits are divided by, and from which probability on a class is called."""

    temperature: float = 1.0  # 1 where there is none
    missing: str = ""  # why there is none; empty where there is one
    # of each class, of the probabilities that the temperature gives; empty where there are none
    thresholds: tuple[float | None, ...] = ()
    rule: str = ""  # how they were chosen
    uncalled: str = ""  # why there are none; empty where there are

    @property
    def line(self) -> str:
        """One line on the temperature."""
        if self.missing:
            return f"not calibrated: {self.missing}"
        return f"calibrated: temperature {self.temperature:.4g}, fitted on val by evaluate"

    @property
    def line_on_calls(self) -> str:
        """One line on the operating points."""
        if self.uncalled:
            return f"no class is called: {self.uncalled}"
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
class ServedRun:
    """A run to predict with."""

    run: FinishedRun
    calibration: Calibration  # from its evaluation

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the probabilities are of."""
        return self.run.class_names

    def load(self) -> Any:
        """Build the classifier and fill it with the run's weights."""
        from cxr_models.networks.load import load_classifier

        return load_classifier(self.run)

    def metadata(self) -> dict[str, object]:
        """Return what describes the model beside its numbers, as JSON types."""
        config = self.run.config
        params = None if config.data.enhance is None else config.data.enhance.to_dict()
        return {
            "format": 1,
            "cxr_enhance_version": cxr_enhance.__version__,
            "class_names": list(self.class_names),
            "temperature": self.calibration.temperature,
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
    path: str | os.PathLike[str], *, aggregation: Aggregation | None = None
) -> ServedRun:
    """Read a run to predict with.

    Parameters
    ----------
    path : str or PathLike
        Its folder, from whomever.
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
    run = read_run(path)
    for label in run.labels:  # `split` asks for more; earlier versions did not
        if not label.isprintable() or set(label) & set("/\\"):
            raise ValueError(
                f"`class_names` must be names without slashes; got {label!r} in "
                f"{str(run.folder.facts_file)!r}."
            )
    return ServedRun(run=run, calibration=_calibration(run, aggregation))


def _calibration(run: FinishedRun, aggregation: Aggregation | None) -> Calibration:
    path = run.folder.evaluation_file
    if not path.is_file():
        cure = "find one with: cxr-models evaluate RUN"
        return Calibration(
            missing=f"no temperature yet; {cure}",
            uncalled=f"no operating point yet; {cure}",
        )
    stored = read_object(path)
    try:
        evaluation = from_json(_Stored, stored)
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
    low, high = TEMPERATURES
    temperature, reason = evaluation.calibration.temperature, evaluation.calibration.reason
    if not low <= temperature <= high:
        raise ValueError(
            f"`temperature` must be a number from {low} to {high}; got {temperature!r} in "
            f"{str(path)!r}. Evaluate the run again."
        )
    calls = _calls(evaluation, run.class_names, path)
    if reason:
        return dataclasses.replace(calls, missing=reason)
    return dataclasses.replace(calls, temperature=float(temperature))


def _other_rows(evaluated: Aggregation | None, wanted: Aggregation | None) -> str:
    """Say that an evaluation was of other rows, and how to make one of these."""
    names = ["an image" if one is None else f"a {one.name}" for one in (evaluated, wanted)]
    options = "" if wanted is None else f" --aggregate {wanted.of} --aggregate-by {wanted.by}"
    return (
        f"a row of the run's evaluation is {names[0]}, not {names[1]}; make one of these with: "
        f"cxr-models evaluate RUN{options}"
    )


def _calls(evaluation: _Stored, class_names: tuple[str, ...], path: Path) -> Calibration:
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
    deciding = thresholds[1:] if len(thresholds) == 2 else thresholds
    if all(threshold is None for threshold in deciding):
        return Calibration(uncalled="validation does not hold both a class and others")
    return Calibration(thresholds=thresholds, rule=points.rule)
