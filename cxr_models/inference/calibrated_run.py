"""A finished run as `predict` and `export` take it: confined to its folder, and calibrated.

Imports no framework until the model is built. The folder may come from someone else: nothing in it
is run, and no path that it tells is opened.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cxr_enhance
from cxr_models._files import read_json
from cxr_models.evaluation.evaluate import FORMAT
from cxr_models.evaluation.stored import evaluation_folder
from cxr_models.runs.finished import FinishedRun, file_sha256, read_run

if TYPE_CHECKING:
    import os
    from pathlib import Path

_TEMPERATURES = (0.05, 20.0)  # where `evaluate` looks for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the logits are divided by, and from which probability on a class is called.

    Parameters
    ----------
    temperature : float
        1 where there is none.
    missing : str
        Why there is none; empty where there is one.
    thresholds : tuple of float or None
        Of each class, of the probabilities that the temperature gives; empty where there are none.
    rule : str
        How they were chosen.
    uncalled : str
        Why there are none; empty where there are.
    """

    temperature: float = 1.0
    missing: str = ""
    thresholds: tuple[float | None, ...] = ()
    rule: str = ""
    uncalled: str = ""

    @property
    def told(self) -> str:
        """One line on it."""
        if self.missing:
            return f"not calibrated: {self.missing}"
        return f"calibrated: temperature {self.temperature:.4g}, fitted on val by evaluate"

    @property
    def told_of_calls(self) -> str:
        """One line on the operating points."""
        if self.uncalled:
            return f"no class is called: {self.uncalled}"
        return f"called at the operating points of evaluate: {self.rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRun:
    """A run to predict with.

    Parameters
    ----------
    run : FinishedRun
        The run.
    calibration : Calibration
        From its evaluation.
    """

    run: FinishedRun
    calibration: Calibration

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the probabilities are of."""
        return self.run.class_names

    def load(self) -> Any:
        """Build the classifier and fill it with the run's weights."""
        from cxr_models.networks.load import load_classifier

        return load_classifier(self.run.config, len(self.run.labels), self.run.folder.best_weights)

    def metadata(self) -> dict[str, Any]:
        """Return what is told of the model beside its numbers, as JSON types."""
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
            "config_sha256": file_sha256(self.run.folder.path / "config.json"),
            "weights_sha256": self.run.weights_sha256,
        }


def read_served_run(path: str | os.PathLike[str]) -> ServedRun:
    """Read a run to predict with.

    Parameters
    ----------
    path : str or PathLike
        Its folder, from whomever.

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
        if not isinstance(label, str) or not label.isprintable() or set(label) & set("/\\"):
            raise ValueError(
                f"`class_names` must be names without slashes; got {label!r} in "
                f"{str(run.folder.path / 'run.json')!r}."
            )
    return ServedRun(run=run, calibration=_calibration(run))


def _calibration(run: FinishedRun) -> Calibration:
    path = evaluation_folder(run) / "evaluation.json"
    if not path.is_file():
        cure = "find one with: cxr-models evaluate RUN"
        return Calibration(
            missing=f"no temperature yet; {cure}",
            uncalled=f"no operating point yet; {cure}",
        )
    try:
        told = read_json(path)
        weights, calibration = told["weights_sha256"], told["calibration"]
        temperature, reason = calibration["temperature"], calibration.get("reason")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`evaluation.json` must be what evaluate wrote; got {str(path)!r}, which is not: "
            f"{type(error).__name__} {error}. Evaluate the run again."
        ) from error
    if weights != run.weights_sha256:
        changed = "the run's weights have changed since its evaluation"
        return Calibration(missing=changed, uncalled=changed)
    low, high = _TEMPERATURES
    number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not number or not math.isfinite(temperature) or not low <= temperature <= high:
        raise ValueError(
            f"`temperature` must be a number from {low} to {high}; got {temperature!r} in "
            f"{str(path)!r}. Evaluate the run again."
        )
    calls = _calls(told, run.class_names, path)
    if reason:
        return Calibration(missing=str(reason), **calls)
    return Calibration(temperature=float(temperature), **calls)


def _calls(told: dict[str, Any], class_names: tuple[str, ...], path: Path) -> dict[str, Any]:
    """Return the operating points in an evaluation, or why there are none."""
    if told.get("format") == 1:  # its thresholds are of probabilities that nothing gives
        return {
            "uncalled": "the evaluation is of an earlier version; make it again with: cxr-models "
            "evaluate RUN --from-predictions"
        }
    points = told.get("operating_points")
    thresholds = points.get("thresholds") if isinstance(points, dict) else None
    fits = (
        told.get("format") == FORMAT
        and isinstance(points, dict)
        and isinstance(thresholds, dict)
        and list(thresholds) == list(class_names)
        and all(map(_is_threshold, thresholds.values()))
        and isinstance(points.get("rule"), str)
    )
    if not fits or not isinstance(points, dict) or not isinstance(thresholds, dict):
        raise ValueError(
            f"`operating_points` must hold a rule, and a threshold from 0 to 1 or null for each of "
            f"{', '.join(class_names)}; got others in {str(path)!r}. Evaluate the run again."
        )
    found = tuple(thresholds.values())
    deciding = found[1:] if len(found) == 2 else found
    if all(threshold is None for threshold in deciding):
        return {"uncalled": "validation does not hold both a class and others"}
    return {"thresholds": found, "rule": points["rule"]}


def _is_threshold(told: object) -> bool:
    return told is None or (
        isinstance(told, int | float) and not isinstance(told, bool) and 0.0 <= told <= 1.0
    )
