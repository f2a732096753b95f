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
from cxr_models.evaluation.stored import evaluation_folder
from cxr_models.runs.finished import FinishedRun, file_sha256, read_run

if TYPE_CHECKING:
    import os

_TEMPERATURES = (0.05, 20.0)  # where `evaluate` looks for one


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the logits are divided by.

    Parameters
    ----------
    temperature : float
        1 where there is none.
    missing : str
        Why there is none; empty where there is one.
    """

    temperature: float = 1.0
    missing: str = ""

    @property
    def told(self) -> str:
        """One line on it."""
        if self.missing:
            return f"not calibrated: {self.missing}"
        return f"calibrated: temperature {self.temperature:.4g}, fitted on val by evaluate"


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
            "backbone": config.model.backbone,
            "image_size": list(config.data.image_size),
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
    for label in run.labels:
        if not isinstance(label, str) or not label.isprintable() or set(label) & set("/\\"):
            raise ValueError(
                f"`class_names` must be names without slashes; got {label!r} in "
                f"{str(run.folder.path / 'run.json')!r}."
            )
    return ServedRun(run=run, calibration=_calibration(run))


def _calibration(run: FinishedRun) -> Calibration:
    path = evaluation_folder(run) / "evaluation.json"
    if not path.is_file():
        return Calibration(missing="no temperature yet; find one with: cxr-models evaluate RUN")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        weights, calibration = told["weights_sha256"], told["calibration"]
        temperature, reason = calibration["temperature"], calibration.get("reason")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`evaluation.json` must be what evaluate wrote; got {str(path)!r}, which is not: "
            f"{type(error).__name__} {error}. Evaluate the run again."
        ) from error
    if weights != run.weights_sha256:
        return Calibration(missing="the run's weights have changed since its evaluation")
    low, high = _TEMPERATURES
    number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not number or not math.isfinite(temperature) or not low <= temperature <= high:
        raise ValueError(
            f"`temperature` must be a number from {low} to {high}; got {temperature!r} in "
            f"{str(path)!r}. Evaluate the run again."
        )
    if reason:
        return Calibration(missing=str(reason))
    return Calibration(temperature=float(temperature))
