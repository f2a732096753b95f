"""Predictions to an evaluation: all values of every set, with intervals, as one JSON object.

Knows no framework. Temperature and operating points come from the validation part alone and are
applied to every set as they are.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_models.evaluation import bootstrap
from cxr_models.evaluation.bootstrap import Measured, measure
from cxr_models.evaluation.calibration import (
    Temperature,
    fit_temperature,
    reliability_bins,
)
from cxr_models.evaluation.metrics import (
    CLASS_METRICS,
    OVERALL_METRICS,
    POINT_METRICS,
    ImageStatistics,
    Outcomes,
    curves,
    normalised,
    why_undefined,
)
from cxr_models.evaluation.operating_points import Rule, choose_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.evaluation.bootstrap import Scale
    from cxr_models.evaluation.predictions import Predictions

FORMAT = 2  # of the object; counted up when a name in it changes its meaning
_CALIBRATED = ("log_loss", "ece")
_NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How intervals and operating points are made.

    Parameters
    ----------
    draws : int, default 2000
        Of the bootstrap over patients.
    seed : int, default 0
        Of the draws.
    rule : Rule
        How operating points are chosen.
    """

    draws: int = bootstrap.DRAWS
    seed: int = 0
    rule: Rule = dataclasses.field(default_factory=Rule)

    def __post_init__(self) -> None:
        for name, low in (("draws", 100), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"`{name}` must be an int; got {value!r}.")
            if value < low:
                raise ValueError(f"`{name}` must be at least {low}; got {value!r}.")

    def told(self) -> dict[str, Any]:
        """Return the method for JSON."""
        return {
            "draws": self.draws,
            "seed": self.seed,
            "level": bootstrap.LEVEL,
            "unit": "patient; images tied by patient or duplicates count as one",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What was chosen on validation.

    Parameters
    ----------
    temperature : Temperature
        That calibrates.
    thresholds : tuple of float or None
        Operating points.
    """

    temperature: Temperature
    thresholds: tuple[float | None, ...]


def settle(validation: Predictions, rule: Rule) -> Settled:
    """Choose temperature and operating points on the validation part.

    Raises
    ------
    ValueError
        If the predictions are of another part.
    """
    if validation.kind != "val":
        raise ValueError(f"`validation` must be the part val; got {validation.kind!r}.")
    outcomes = validation.outcomes()
    temperature = fit_temperature(outcomes.logits, outcomes.targets)
    calibrated = dataclasses.replace(outcomes, temperature=temperature.value)
    return Settled(temperature=temperature, thresholds=choose_thresholds(calibrated, rule))


def judge(sets: Sequence[Predictions], method: Method) -> dict[str, Any]:
    """Judge the sets of one run.

    Parameters
    ----------
    sets : sequence of Predictions
        Of one run; ``val`` among them.
    method : Method
        How.

    Returns
    -------
    dict
        JSON types alone: ``class_names``, ``bootstrap``, ``calibration``, ``operating_points``, and
        ``sets`` with an object for each set, as `judge_set` makes it. What is undefined is None,
        with a ``reason`` beside it.

    Raises
    ------
    ValueError
        If there is no set ``val``.
    """
    validation = next((one for one in sets if one.kind == "val"), None)
    if validation is None:
        raise ValueError("`sets` must hold val, on which temperature and thresholds are chosen.")
    settled = settle(validation, method.rule)
    names = validation.class_names
    calibration: dict[str, Any] = {"temperature": settled.temperature.value, "fitted_on": "val"}
    if settled.temperature.reason is not None:
        calibration["reason"] = settled.temperature.reason
    return {
        "format": FORMAT,
        "class_names": list(names),
        "labels": list(validation.labels),
        "bootstrap": method.told(),
        "calibration": calibration,
        "operating_points": {
            "rule": method.rule.name,
            "chosen_on": "val",
            "of": "calibrated probabilities",
            "thresholds": dict(zip(names, settled.thresholds, strict=True)),
        },
        "sets": {
            one.name: judge_set(
                one,
                one.outcomes(temperature=settled.temperature.value, thresholds=settled.thresholds),
                method,
            )
            for one in sets
        },
    }


def judge_set(predictions: Predictions, outcomes: Outcomes, method: Method) -> dict[str, Any]:
    """Judge one set.

    Parameters
    ----------
    predictions : Predictions
        For names, sources and views.
    outcomes : Outcomes
        Of all its images.
    method : Method
        How.

    Returns
    -------
    dict
        ``kind``, counts, ``overall``, ``classes``, ``confusion``, ``curves``, ``reliability``,
        ``by_source`` and ``by_view``; ``overlap`` where it is known what the images share with
        those that the run has seen.
    """
    return {
        "kind": predictions.kind,
        **({} if predictions.overlap is None else {"overlap": predictions.overlap.told()}),
        **summary(predictions, outcomes, method),
        "curves": curves(outcomes),
        "reliability": {
            "raw": reliability_bins(outcomes.probabilities, outcomes.targets),
            "calibrated": reliability_bins(outcomes.calibrated, outcomes.targets),
        },
        "by_source": _tables(predictions, outcomes, method, lambda record: record.source),
        "by_view": _tables(predictions, outcomes, method, lambda record: record.view),
    }


def summary(
    predictions: Predictions, outcomes: Outcomes, method: Method, chosen: Any = slice(None)
) -> dict[str, Any]:
    """Return counts, overall values, values of each class and the confusion of some images."""
    part = select(outcomes, chosen)
    measured = measure(ImageStatistics(part), draws=method.draws, seed=method.seed)
    records = np.array(predictions.manifest.records, object)[chosen]
    confusion = part.confusion()
    return {
        "images": len(part.targets),
        "patients": measured.num_patients,
        "labels": dict(sorted(Counter(record.label for record in records).items())),
        "overall": _overall(measured),
        "classes": {name: _of_class(measured, part, k) for k, name in enumerate(part.class_names)},
        "confusion": {"counts": confusion.tolist(), "normalised": normalised(confusion)},
    }


def select(outcomes: Outcomes, chosen: Any) -> Outcomes:
    """Return the outcomes of some images, their patients numbered anew."""
    return dataclasses.replace(
        outcomes,
        targets=outcomes.targets[chosen],
        logits=outcomes.logits[chosen],
        probabilities=outcomes.probabilities[chosen],
        patients=np.unique(outcomes.patients[chosen], return_inverse=True)[1].astype(np.int64),
    )


def _overall(measured: Measured) -> dict[str, Any]:
    told = {}
    names = [*OVERALL_METRICS, *(f"{name}_calibrated" for name in _CALIBRATED)]
    for name in names:
        told[name] = measured.told(name, "images of one class only", scale=_scale(name))
    return told


def _scale(name: str) -> Scale:
    if name.startswith("ece"):  # in a draw it is larger than on the images: draws add noise
        return "reflected"
    return "loss" if name.startswith("log_loss") else "share"


def _of_class(measured: Measured, outcomes: Outcomes, k: int) -> dict[str, Any]:
    name = outcomes.class_names[k]
    images = int((outcomes.targets == k).sum())
    others = len(outcomes.targets) - images
    told: dict[str, Any] = {"images": images}
    for metric in CLASS_METRICS:
        told[metric] = measured.told(f"{metric}/{name}", why_undefined(metric, images, others))
    threshold = outcomes.thresholds[k] if outcomes.thresholds else None
    if threshold is None:
        reason = "the validation part does not hold both this class and others"
        told["operating_point"] = {"threshold": None, "reason": reason}
        return told
    told["operating_point"] = {"threshold": threshold} | {
        metric: measured.told(f"point_{metric}/{name}", why_undefined(metric, images, others))
        for metric in POINT_METRICS
    }
    return told


def _tables(
    predictions: Predictions,
    outcomes: Outcomes,
    method: Method,
    key: Callable[[Any], str],
) -> dict[str, Any]:
    values = np.array([key(record) or _NOT_STATED for record in predictions.manifest.records])
    return {
        str(value): summary(predictions, outcomes, method, np.flatnonzero(values == value))
        for value in np.unique(values)
    }
