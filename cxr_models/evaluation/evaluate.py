"""Evaluation of the predictions of a run: all values of every set, with intervals.

This module imports no deep-learning framework. The temperature and the operating points are chosen
only on the validation part, and are applied unchanged to every set. A third-party model may lack a
validation part. Its probabilities are then not calibrated, and the caller gives its threshold.
Nothing is ever chosen on a set that the model is tested on.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

import cxr_enhance
from cxr_models._typed_json import converted
from cxr_models.evaluation import bootstrap
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.bootstrap import Measurement, measure
from cxr_models.evaluation.calibration import (
    Temperature,
    fit_temperature,
    reliability_bins,
)
from cxr_models.evaluation.clinic import SPECIFICITY_NOT_REACHED, clinic_values
from cxr_models.evaluation.metrics import (
    CLASS_METRICS,
    OVERALL_METRICS,
    POINT_METRICS,
    ImageStatistics,
    Outcomes,
    curves,
    why_undefined,
)
from cxr_models.evaluation.operating_points import (
    NO_VALIDATION,
    Rule,
    choose_at_specificity,
    choose_thresholds,
)
from cxr_models.evaluation.results import (
    FORMAT,
    NOT_STATED,
    Aggregation,
    Bootstrap,
    ClassAtThreshold,
    Evaluation,
    Group,
    OperatingPoint,
    OperatingPoints,
    OverallCalibrated,
    Reliability,
    SetEvaluation,
    TemperatureScaling,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.evaluation.bootstrap import Scale
    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.evaluation.results import Measured
    from cxr_models.records.manifest import Record

Table = TypeVar("Table", "Predictions", "FindingPredictions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """The settings of an evaluation: bootstrap, choice of operating points, joining of images."""

    draws: int = bootstrap.DRAWS  # number of bootstrap draws of patients
    seed: int = 0  # seed of the bootstrap draws
    rule: Rule = dataclasses.field(default_factory=Rule)  # rule that chooses operating points
    # prevalences at which predictive values are computed; if empty, the share of each class in
    # its set is the prevalence
    prevalences: tuple[float, ...] = ()
    specificities: tuple[float, ...] = ()  # specificities at which sensitivities are computed
    aggregate: Aggregation | None = None  # how images are joined to rows; None joins no images

    def __post_init__(self) -> None:
        for name, low in (("draws", 100), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"`{name}` must be an int; got {value!r}.")
            if value < low:
                raise ValueError(f"`{name}` must be at least {low}; got {value!r}.")
        for name, shares in (
            ("prevalence", self.prevalences),
            ("at_specificity", self.specificities),
        ):
            if any(not 0.0 < share < 1.0 for share in shares) or len(set(shares)) < len(shares):
                raise ValueError(
                    f"`{name}` must be different numbers above 0 and below 1; got "
                    f"{', '.join(map(repr, shares))}."
                )

    @property
    def bootstrap(self) -> Bootstrap:
        """The bootstrap settings of this method, as an evaluation records them."""
        return Bootstrap(
            draws=self.draws,
            seed=self.seed,
            level=bootstrap.LEVEL,
            unit="patient; images tied by patient or duplicates count as one",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureAndThresholds:
    """The chosen temperature and operating points of a run, and how they were chosen."""

    temperature: Temperature
    thresholds: tuple[float | None, ...]  # operating point of each class
    rule: str = ""  # description of the rule that chose the operating points
    chosen_on: str = "val"  # name of the set; empty without a validation part


def choose_temperature_and_thresholds(
    validation: Predictions, rule: Rule
) -> TemperatureAndThresholds:
    """Choose the temperature and the operating points on the validation part.

    Parameters
    ----------
    validation : Predictions
        The predictions of the set ``val``.
    rule : Rule
        The rule that chooses operating points.

    Raises
    ------
    ValueError
        If `validation` is not the set ``val``.
    """
    if validation.kind != "val":
        raise ValueError(f"`validation` must be the part val; got {validation.kind!r}.")
    outcomes = validation.outcomes()
    temperature = fit_temperature(outcomes.logits, outcomes.targets)
    calibrated = dataclasses.replace(outcomes, temperature=temperature.value)
    thresholds = choose_thresholds(calibrated, rule)
    return TemperatureAndThresholds(temperature=temperature, thresholds=thresholds, rule=rule.name)


def validation_of(sets: Sequence[Table]) -> Table | None:
    """Return the set ``val``, on which the temperature and the thresholds are chosen.

    Parameters
    ----------
    sets : sequence of Predictions or FindingPredictions
        The sets of one model.

    Returns
    -------
    Predictions or FindingPredictions or None
        None if a third-party model has no set ``val``.

    Raises
    ------
    ValueError
        If a run of this package has no set ``val``.
    """
    validation = next((predictions for predictions in sets if predictions.kind == "val"), None)
    if validation is None and not all(predictions.origin.is_foreign for predictions in sets):
        raise ValueError("`sets` must hold val, on which temperature and thresholds are chosen.")
    return validation


def choose_on_val(sets: Sequence[Predictions], rule: Rule) -> TemperatureAndThresholds:
    """Choose the temperature and the operating points on the set ``val`` of a run.

    Parameters
    ----------
    sets : sequence of Predictions
        The sets of a run, including ``val``. Only a third-party model may lack ``val``. Its
        temperature is then 1, and all its classes have the threshold ``rule.threshold``.
    rule : Rule
        The rule that chooses operating points.

    Raises
    ------
    ValueError
        If a run of this package has no set ``val``.
    """
    validation = validation_of(sets)
    if validation is not None:
        return choose_temperature_and_thresholds(validation, rule)
    return TemperatureAndThresholds(
        temperature=Temperature(1.0, NO_VALIDATION),
        thresholds=(rule.threshold,) * len(sets[0].class_names),
        rule=rule.given,
        chosen_on="",
    )


def evaluate_sets(run: str, sets: Sequence[Predictions], method: Method) -> Evaluation:
    """Evaluate the sets of one run.

    Parameters
    ----------
    run : str
        Name of the run.
    sets : sequence of Predictions
        The sets of the run, including ``val``. Only a third-party model may lack ``val``.
    method : Method
        The settings of the evaluation.

    Raises
    ------
    ValueError
        If a run of this package has no set ``val``, or the images cannot be joined as
        ``method.aggregate`` requires.
    """
    sets = aggregated_sets(sets, method.aggregate)
    chosen = choose_on_val(sets, method.rule)
    temperature, thresholds = chosen.temperature, chosen.thresholds
    at_specificity = _thresholds_at_specificities(sets, temperature.value, method.specificities)
    return Evaluation(
        run=run,
        version=cxr_enhance.__version__,
        weights_sha256=sets[0].origin.weights_sha256,
        format=FORMAT,
        class_names=sets[0].class_names,
        labels=sets[0].labels,
        bootstrap=method.bootstrap,
        aggregate=sets[0].aggregation,
        calibration=TemperatureScaling(
            temperature=temperature.value,
            fitted_on=chosen.chosen_on,
            reason=temperature.reason or "",
        ),
        operating_points=OperatingPoints(
            rule=chosen.rule,
            chosen_on=chosen.chosen_on,
            of="calibrated probabilities" if chosen.chosen_on else "probabilities",
            thresholds=dict(zip(sets[0].class_names, thresholds, strict=True)),
        ),
        sets={
            predictions.name: evaluate_set(
                predictions,
                predictions.outcomes(temperature=temperature.value, thresholds=thresholds),
                method,
                at_specificity=at_specificity,
                no_threshold_reason=SPECIFICITY_NOT_REACHED if chosen.chosen_on else NO_VALIDATION,
            )
            for predictions in sets
        },
    )


def _thresholds_at_specificities(
    sets: Sequence[Predictions], temperature: float, specificities: Sequence[float]
) -> list[tuple[float, tuple[float | None, ...]]]:
    """Return each specificity with the threshold of each class that reaches it on ``val``.

    All thresholds are None without a set ``val``.
    """
    validation = next((predictions for predictions in sets if predictions.kind == "val"), None)
    if validation is None:
        return [(specificity, (None,) * len(sets[0].class_names)) for specificity in specificities]
    calibrated = validation.outcomes(temperature=temperature)
    return [(share, choose_at_specificity(calibrated, share)) for share in specificities]


def evaluate_set(
    predictions: Predictions,
    outcomes: Outcomes,
    method: Method,
    *,
    at_specificity: Sequence[tuple[float, Sequence[float | None]]] = (),
    no_threshold_reason: str = SPECIFICITY_NOT_REACHED,
) -> SetEvaluation:
    """Evaluate one set.

    Parameters
    ----------
    predictions : Predictions
        The set. Its records, kind and overlap are used; its logits are not.
    outcomes : Outcomes
        The outcomes of all images of the set.
    method : Method
        The settings of the evaluation.
    at_specificity : sequence of (float, sequence of float or None), default ()
        Pairs of a specificity and the threshold of each class that reaches it on the validation
        part. A class has None if no threshold reaches the specificity.
    no_threshold_reason : str, optional
        The reason that is recorded for a class whose threshold in `at_specificity` is None.
    """
    clinic = None
    if predictions.kind in ("test", "external"):  # thresholds were not chosen on these sets
        clinic = clinic_values(
            outcomes,
            prevalences=method.prevalences,
            at_specificity=at_specificity,
            no_threshold_reason=no_threshold_reason,
            draws=method.draws,
            seed=method.seed,
        )
    return converted(
        SetEvaluation,
        evaluate_images(predictions, outcomes, method),
        kind=predictions.kind,
        overlap=predictions.overlap,
        joined_images=predictions.joined_images,
        curves=curves(outcomes),
        reliability=Reliability(
            raw=reliability_bins(outcomes.probabilities, outcomes.targets),
            calibrated=reliability_bins(outcomes.calibrated, outcomes.targets),
        ),
        clinic=clinic,
        by_source=_by_group(lambda record: record.source, predictions, outcomes, method),
        by_view=_by_group(lambda record: record.view, predictions, outcomes, method),
    )


def evaluate_images(
    predictions: Predictions, outcomes: Outcomes, method: Method, chosen: Any = slice(None)
) -> Group:
    """Return the counts and values of chosen images.

    Parameters
    ----------
    predictions : Predictions
        The set. Only its records are used.
    outcomes : Outcomes
        The outcomes of all images of the set.
    method : Method
        The settings of the evaluation.
    chosen : slice or ndarray of dtype int64, optional
        Rows of the chosen images. The default chooses all images.
    """
    part = select(outcomes, chosen)
    measurement = measure(ImageStatistics(part), draws=method.draws, seed=method.seed)
    return group_of(predictions, part, measurement, chosen)


def group_of(
    predictions: Predictions, part: Outcomes, measurement: Measurement, chosen: Any = slice(None)
) -> Group:
    """Return the counts and values of chosen images from a finished measurement.

    Parameters
    ----------
    predictions : Predictions
        The set. Only its records are used.
    part : Outcomes
        The outcomes of the chosen images.
    measurement : Measurement
        The measurement of `part`.
    chosen : slice or ndarray of dtype int64, optional
        Rows of the chosen images in the set. The default chooses all images.
    """
    records = np.array(predictions.manifest.records, object)[chosen]
    return Group(
        images=len(part.targets),
        patients=measurement.num_patients,
        labels=dict(sorted(Counter(record.label for record in records).items())),
        overall=_overall(measurement),
        classes={
            name: _class_values(measurement, part, k) for k, name in enumerate(part.class_names)
        },
        confusion=part.confusion(),
    )


def select(outcomes: Outcomes, chosen: Any) -> Outcomes:
    """Return the outcomes of the chosen images; their patients are renumbered without gaps."""
    return dataclasses.replace(
        outcomes,
        targets=outcomes.targets[chosen],
        logits=outcomes.logits[chosen],
        probabilities=outcomes.probabilities[chosen],
        patients=np.unique(outcomes.patients[chosen], return_inverse=True)[1].astype(np.int64),
    )


def _overall(measurement: Measurement) -> OverallCalibrated:
    return OverallCalibrated(
        **{
            name: measurement.measured(name, "images of one class only", scale=_scale(name))
            for name in OVERALL_METRICS
        }
    )


def _scale(name: str) -> Scale:
    if name.startswith("ece"):
        return "calibration error"
    return "loss" if name.startswith("log_loss") else "share"


def _class_values(measurement: Measurement, outcomes: Outcomes, k: int) -> ClassAtThreshold:
    name = outcomes.class_names[k]
    images = int((outcomes.targets == k).sum())

    def measured(metric: str, prefix: str = "") -> Measured:
        reason = why_undefined(metric, images, len(outcomes.targets) - images)
        return measurement.measured(f"{prefix}{metric}/{name}", reason)

    threshold = outcomes.thresholds[k] if outcomes.thresholds else None
    if threshold is None:
        reason = "the validation part does not hold both this class and another class"
        point = OperatingPoint(threshold=None, reason=reason)
    else:
        at_threshold = {metric: measured(metric, "point_") for metric in POINT_METRICS}
        point = OperatingPoint(threshold=threshold, reason="", **at_threshold)
    values = {metric: measured(metric) for metric in CLASS_METRICS}
    return ClassAtThreshold(images=images, **values, operating_point=point)


def _by_group(
    key: Callable[[Record], str], predictions: Predictions, outcomes: Outcomes, method: Method
) -> dict[str, Group]:
    values = np.array([key(record) or NOT_STATED for record in predictions.manifest.records])
    return {
        str(value): evaluate_images(predictions, outcomes, method, np.flatnonzero(values == value))
        for value in np.unique(values)
    }
