"""Evaluation of the predictions of findings of a run: all values of every set, with intervals.

The temperature and the operating point of each finding are chosen only on the validation part, over
its known labels, and are applied unchanged to every set. This module imports no deep-learning
framework.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import cxr_enhance
from cxr_models._typed_json import converted
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.calibration import Temperature, fit_temperature
from cxr_models.evaluation.evaluate import validation_of
from cxr_models.evaluation.finding_clinic import finding_clinic_values, thresholds_at_specificities
from cxr_models.evaluation.finding_predictions import two_logits
from cxr_models.evaluation.finding_statistics import (
    AREAS,
    CALIBRATION_ERRORS,
    LOSSES,
    MEANS,
    NO_ABSENT,
    NO_PRESENT,
    NO_THRESHOLD,
    FindingStatistics,
    outcomes_of,
    share_bins,
)
from cxr_models.evaluation.findings_results import (
    MULTILABEL,
    FindingMeans,
    FindingsEvaluation,
    FindingsGroup,
    FindingsSet,
    FindingValues,
)
from cxr_models.evaluation.metrics import POINT_METRICS, curves_of
from cxr_models.evaluation.operating_points import NO_VALIDATION, choose_threshold
from cxr_models.evaluation.results import (
    FORMAT,
    NOT_STATED,
    OperatingPoint,
    OperatingPoints,
    Reliability,
    TemperatureScaling,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cxr_models.evaluation.bootstrap import Measurement, Scale
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_clinic import ThresholdsAtSpecificity
    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.finding_statistics import FindingOutcomes
    from cxr_models.evaluation.operating_points import Rule
    from cxr_models.evaluation.results import Measured
    from cxr_models.records.manifest import Record


class Choice(NamedTuple):
    """The temperature and the operating point of a finding, chosen on the validation part."""

    temperature: Temperature
    threshold: float | None  # None if no operating point could be chosen


def choose(validation: FindingPredictions, rule: Rule) -> dict[str, Choice]:
    """Choose the temperature and the operating point of every finding on the validation part.

    Parameters
    ----------
    validation : FindingPredictions
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
    outcomes = outcomes_of(validation)
    choices = {}
    for k, finding in enumerate(validation.findings):
        known = outcomes.of(k)
        if not len(known.present):
            reason = "the validation part does not hold an image whose label is known"
            choices[finding] = Choice(Temperature(1.0, reason), None)
            continue
        if known.present.all() or not known.present.any():
            choices[finding] = Choice(Temperature(1.0, NO_THRESHOLD), None)
            continue
        temperature = fit_temperature(two_logits(known.logits), known.present.astype(np.int64))
        # The threshold is one of the calibrated probabilities. They are computed as in the
        # evaluation, so that the comparison with the threshold is exact.
        temperatures = (temperature.value,) * len(validation.findings)
        known = dataclasses.replace(outcomes, temperatures=temperatures).of(k)
        threshold = choose_threshold(known.calibrated, known.present, rule)
        choices[finding] = Choice(temperature, threshold)
    return choices


def choose_on_val(sets: Sequence[FindingPredictions], rule: Rule) -> dict[str, Choice]:
    """Choose the temperature and the operating point of every finding on the set ``val``.

    Parameters
    ----------
    sets : sequence of FindingPredictions
        The sets of a run, including ``val``. Only a third-party model may lack ``val``. Its
        temperatures are then 1, and all its findings have the threshold ``rule.threshold``.
    rule : Rule
        The rule that chooses operating points.

    Raises
    ------
    ValueError
        If a run of this package has no set ``val``.
    """
    validation = validation_of(sets)
    if validation is not None:
        return choose(validation, rule)
    temperature = Temperature(1.0, NO_VALIDATION)
    return {finding: Choice(temperature, rule.threshold) for finding in sets[0].findings}


def evaluate_findings(
    run: str, sets: Sequence[FindingPredictions], method: Method
) -> FindingsEvaluation:
    """Evaluate the sets of one run with findings.

    Parameters
    ----------
    run : str
        Name of the run.
    sets : sequence of FindingPredictions
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
    choices = choose_on_val(sets, method.rule)
    validation = validation_of(sets)
    chosen_on = "" if validation is None else "val"
    at_specificity = thresholds_at_specificities(
        None if validation is None else _chosen(validation, choices),
        sets[0].findings,
        method.specificities,
    )
    return FindingsEvaluation(
        run=run,
        version=cxr_enhance.__version__,
        weights_sha256=sets[0].origin.weights_sha256,
        format=FORMAT,
        task=MULTILABEL,
        findings=sets[0].findings,
        bootstrap=method.bootstrap,
        aggregate=sets[0].aggregation,
        calibration={
            finding: TemperatureScaling(
                temperature=choice.temperature.value,
                fitted_on=chosen_on,
                reason=choice.temperature.reason or "",
            )
            for finding, choice in choices.items()
        },
        operating_points=OperatingPoints(
            rule=method.rule.name if chosen_on else method.rule.given,
            chosen_on=chosen_on,
            of="calibrated probabilities" if chosen_on else "probabilities",
            thresholds={finding: choice.threshold for finding, choice in choices.items()},
        ),
        sets={
            predictions.name: evaluate_set(
                predictions, choices, method, at_specificity=at_specificity, chosen=bool(chosen_on)
            )
            for predictions in sets
        },
    )


def _chosen(predictions: FindingPredictions, choices: Mapping[str, Choice]) -> FindingOutcomes:
    """Return the outcomes of a set with the chosen temperatures and operating points."""
    return outcomes_of(
        predictions,
        tuple(choices[finding].temperature.value for finding in predictions.findings),
        tuple(choices[finding].threshold for finding in predictions.findings),
    )


def evaluate_set(
    predictions: FindingPredictions,
    choices: Mapping[str, Choice],
    method: Method,
    *,
    at_specificity: Sequence[ThresholdsAtSpecificity] = (),
    chosen: bool = True,
) -> FindingsSet:
    """Evaluate one set.

    Parameters
    ----------
    predictions : FindingPredictions
        The set.
    choices : mapping of str to Choice
        Temperature and operating point of every finding.
    method : Method
        The settings of the evaluation.
    at_specificity : sequence of (float, mapping of str to float or None), default ()
        Pairs of a specificity and the threshold of each finding that reaches it on the validation
        part.
    chosen : bool, default True
        Whether the choices were made on a validation part. False changes the reason that is
        recorded for a missing threshold in `at_specificity`.
    """
    outcomes = _chosen(predictions, choices)
    group = evaluate_images(outcomes, method)
    clinic = None
    if predictions.kind in ("test", "external"):  # thresholds were not chosen on these sets
        clinic = finding_clinic_values(
            outcomes,
            prevalences=method.prevalences,
            at_specificity=at_specificity,
            chosen=chosen,
            draws=method.draws,
            seed=method.seed,
        )
        clinic = {  # the Brier score is in both records, with one interval
            finding: dataclasses.replace(values, brier=group.findings[finding].brier_calibrated)
            for finding, values in clinic.items()
        }
    known = {finding: outcomes.of(k) for k, finding in enumerate(outcomes.findings)}
    drawn = {finding: curves_of(images.scores, images.present) for finding, images in known.items()}
    return converted(
        FindingsSet,
        group,
        kind=predictions.kind,
        overlap=predictions.overlap,
        joined_images=predictions.joined_images,
        curves={finding: both for finding, both in drawn.items() if both is not None},
        reliability={
            finding: Reliability(
                raw=share_bins(images.probabilities, images.present),
                calibrated=share_bins(images.calibrated, images.present),
            )
            for finding, images in known.items()
            if len(images.present)
        },
        clinic=clinic,
        by_source=_by_group(lambda record: record.source, predictions, outcomes, method),
        by_view=_by_group(lambda record: record.view, predictions, outcomes, method),
    )


def evaluate_images(
    outcomes: FindingOutcomes, method: Method, no_threshold: str = NO_THRESHOLD
) -> FindingsGroup:
    """Return counts, the values of every finding and their means for a group of images.

    Parameters
    ----------
    outcomes : FindingOutcomes
        The outcomes of at least one image.
    method : Method
        The settings of the evaluation.
    no_threshold : str, optional
        The reason that is recorded for findings without a threshold.
    """
    statistics = FindingStatistics(outcomes)
    measurement = measure(statistics, draws=method.draws, seed=method.seed)
    return group_of(outcomes, statistics, measurement, no_threshold)


def group_of(
    outcomes: FindingOutcomes,
    statistics: FindingStatistics,
    measurement: Measurement,
    no_threshold: str = NO_THRESHOLD,
) -> FindingsGroup:
    """Return the counts and values of a group of images from a finished measurement.

    Parameters
    ----------
    outcomes : FindingOutcomes
        The outcomes of the images.
    statistics : FindingStatistics
        The statistics of `outcomes`.
    measurement : Measurement
        The measurement of `statistics`.
    no_threshold : str, optional
        The reason that is recorded for findings without a threshold.
    """
    return FindingsGroup(
        images=len(outcomes.targets),
        patients=measurement.num_patients,
        means=means_of(statistics, measurement),
        findings={
            finding: _values(measurement, outcomes, k, no_threshold)
            for k, finding in enumerate(outcomes.findings)
        },
    )


def means_of(statistics: FindingStatistics, measurement: Measurement) -> FindingMeans:
    """Return the means over the findings with enough patients who show and who lack them."""
    reason = "no finding has enough patients with it and without it"
    means = {
        part: measurement.measured(mean, reason, scale=_scale(part)) for mean, part in MEANS.items()
    }
    return FindingMeans(over=statistics.in_means, left_out=statistics.left_out, **means)


def _values(
    measurement: Measurement, outcomes: FindingOutcomes, k: int, no_threshold: str
) -> FindingValues:
    finding, threshold, known = outcomes.findings[k], outcomes.thresholds[k], outcomes.of(k)
    images, present = len(known.present), int(known.present.sum())

    def measured(metric: str) -> Measured:
        reason = _why_undefined(metric, present, images - present)
        return measurement.measured(f"{metric}/{finding}", reason, scale=_scale(metric))

    if threshold is None:
        point = OperatingPoint(threshold=None, reason=no_threshold)
    else:
        at_threshold = {metric: measured(metric) for metric in POINT_METRICS}
        point = OperatingPoint(threshold=threshold, reason="", **at_threshold)
    return FindingValues(
        images=images,
        present=present,
        patients=len(np.unique(known.patients)),
        patients_present=known.patients_with(True),
        patients_absent=known.patients_with(False),
        **{metric: measured(metric) for metric in (*AREAS, *LOSSES, *CALIBRATION_ERRORS)},
        operating_point=point,
    )


def _scale(metric: str) -> Scale:
    if metric in CALIBRATION_ERRORS:
        return "calibration error"
    return "loss" if metric.startswith("log_loss") else "share"


def _why_undefined(metric: str, present: int, absent: int) -> str:
    if not present and not absent:
        return "no image whose label is known"
    if not present and metric != "specificity":
        return NO_PRESENT
    if not absent and metric in ("specificity", *AREAS):
        return NO_ABSENT
    return "no image reaches the threshold"


def _by_group(
    key: Callable[[Record], str],
    predictions: FindingPredictions,
    outcomes: FindingOutcomes,
    method: Method,
) -> dict[str, FindingsGroup]:
    values = np.array([key(record) or NOT_STATED for record in predictions.manifest.records])
    return {
        str(value): evaluate_images(outcomes.select(np.flatnonzero(values == value)), method)
        for value in np.unique(values)
    }
