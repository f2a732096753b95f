"""Mean, spread and interval over seeds and patients of runs that differ only in the seed.

This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS, LEVEL, measure
from cxr_models.evaluation.comparable_sets import difference_of
from cxr_models.evaluation.compare_findings import finding_outcomes_in_order_of
from cxr_models.evaluation.compare_runs import outcomes_in_order_of
from cxr_models.evaluation.finding_predictions import FindingPredictions
from cxr_models.evaluation.finding_statistics import FindingStatistics
from cxr_models.evaluation.metrics import MEANS, ImageStatistics
from cxr_models.evaluation.seeds_results import OverSeeds, SeedSpread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.results import Evaluation

    Floats = npt.NDArray[np.float64]


def groups_by_seed(settings: Mapping[str, RunConfig]) -> list[list[str]]:
    """Return the groups of at least two runs that differ only in the seed.

    All seeds of a group differ from each other.

    Parameters
    ----------
    settings : mapping of str to RunConfig
        The settings of each run. ``data.cache_dir`` is ignored, because it does not change
        predictions.

    Returns
    -------
    list of list of str
        The names of the runs of each group.
    """
    groups: dict[RunConfig, list[str]] = defaultdict(list)
    for name, config in settings.items():
        data = dataclasses.replace(config.data, cache_dir=None)
        training = dataclasses.replace(config.training, seed=0)
        groups[dataclasses.replace(config, data=data, training=training)].append(name)
    return [
        names
        for names in groups.values()
        if len({settings[name].training.seed for name in names}) == len(names) > 1
    ]


def spread_over_seeds(
    runs: Mapping[str, Sequence[AnyPredictions]],
    evaluations: Mapping[str, Evaluation | FindingsEvaluation],
    seeds: Mapping[str, int],
    method: Method,
) -> list[SeedSpread]:
    """Return the spread over seeds of the values of each set that all runs were tested on.

    For runs with findings, the values are the means over findings and the area under the ROC curve
    of each finding.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions or FindingPredictions
        The sets of at least two runs that differ only in the seed. Their images are joined as in
        the evaluations.
    evaluations : mapping of str to Evaluation or FindingsEvaluation
        The evaluation of each run; its temperatures are used.
    seeds : mapping of str to int
        The seed of each run.
    method : Method
        The settings of the evaluation.

    Raises
    ------
    ValueError
        If the test sets have different images or labels.
    """
    tested = [
        {one.name: one for one in sets if one.kind in ("test", "external")}
        for sets in runs.values()
    ]
    spreads = []
    for name in _in_all(tested):
        first = tested[0][name]
        statistics = [
            _statistics(first, sets[name], evaluations[run], f"{next(iter(runs))} and {run}")
            for run, sets in zip(runs, tested, strict=True)
        ]
        measurements = [measure(one, draws=method.draws, seed=method.seed) for one in statistics]
        over: tuple[str, ...] = ()
        means: tuple[str, ...] = ("accuracy", *MEANS)
        if isinstance(first, FindingPredictions):
            over = statistics[0].in_means  # equal for all runs, because it depends only on labels
            means, labels = ("mean_roc_auc", "mean_pr_auc") if over else (), first.findings
        else:
            labels = first.class_names
        spreads.append(
            SeedSpread(
                set=name,
                seeds={run: seeds[run] for run in runs},
                images=len(first.manifest.records),
                patients=measurements[0].num_patients,
                over=over,
                values={
                    value: over_seeds(measurements, value)
                    for value in (*means, *(f"roc_auc/{label}" for label in labels))
                },
            )
        )
    return spreads


def _statistics(first: AnyPredictions, other: Any, evaluation: Any, runs: str) -> Any:
    """Return the statistics of `other`, in the order of `first`.

    All are of one kind: of classes or of findings.
    """
    if isinstance(first, FindingPredictions):
        temperatures = tuple(evaluation.temperatures[finding] for finding in first.findings)
        return FindingStatistics(
            finding_outcomes_in_order_of(first, other, temperatures, runs=runs)
        )
    temperature = evaluation.calibration.temperature
    return ImageStatistics(outcomes_in_order_of(first, other, temperature, runs=runs))


def _in_all(tested: Sequence[Mapping[str, AnyPredictions]]) -> list[str]:
    """Return the names of the sets that all runs were tested on.

    Sets from other sources are left out if their images or labels differ from run to run.
    """
    return [
        name
        for name, first in tested[0].items()
        if all(name in sets for sets in tested)
        and (name == "test" or not any(difference_of(first, sets[name]) for sets in tested[1:]))
    ]


def over_seeds(measurements: Sequence[Measurement], name: str) -> OverSeeds:
    """Return mean, spread and interval over seeds of a share, such as an accuracy or an area.

    Parameters
    ----------
    measurements : sequence of Measurement
        The measurement of each run, all with the same bootstrap draws of the same patients.
    name : str
        Name of the value.

    Notes
    -----
    The design equals a reader study: every one of the R runs predicts every patient, as every
    reader reads every case. The variance of the mean is s**2 / R + c. Here s**2 is the variance of
    the values of the runs, and c is the mean covariance of two runs over bootstrap draws [1]_.
    Student's quantile has the degrees of freedom of Hillis [2]_, but at most P - 1 for P patients
    of the rarest class. The interval is symmetric in the log odds. It is an interval for the mean
    over all seeds, not for the value of one further run.

    References
    ----------
    .. [1] N. A. Obuchowski, H. E. Rockette, "Hypothesis testing of diagnostic accuracy for multiple
           readers and multiple tests: an ANOVA approach with dependent observations",
           Communications in Statistics - Simulation and Computation 24, 1995.
    .. [2] S. L. Hillis, "A comparison of denominator degrees of freedom methods for multiple
           observer ROC analysis", Statistics in Medicine 26, 2007.
    """
    values = np.array([measurement.values[name] for measurement in measurements])
    if np.isnan(values).any():
        return OverSeeds(reason="undefined on this set")
    mean = float(values.mean())
    spread = OverSeeds(
        mean=mean,
        sd=float(values.std(ddof=1)),
        lowest=float(values.min()),
        highest=float(values.max()),
        reason="no interval yet",
    )
    patients = min(measurement.patients_behind[name] for measurement in measurements)
    if patients < FEWEST_PATIENTS:
        reason = f"{patients} patients of the class concerned, fewer than {FEWEST_PATIENTS}"
        return dataclasses.replace(spread, reason=reason)
    draws = np.stack([measurement.draws[name] for measurement in measurements])
    between = float(values.var(ddof=1))
    shared = max(_mean_covariance(draws[:, ~np.isnan(draws).any(axis=0)]), 0.0)
    if between + shared == 0.0 or not 0.0 < mean < 1.0:
        reason = "all runs and draws give the same value, which shows no uncertainty"
        return dataclasses.replace(spread, reason=reason)
    count = len(values)
    freedom = patients - 1.0
    if between > 0.0:
        freedom = min(freedom, (count - 1) * ((between + count * shared) / between) ** 2)
    reach = float(stdtrit(freedom, (1.0 + LEVEL) / 2.0)) * math.sqrt(between / count + shared)
    log_odds, reach = math.log(mean / (1.0 - mean)), reach / (mean * (1.0 - mean))
    low, high = (1.0 / (1.0 + math.exp(-end)) for end in (log_odds - reach, log_odds + reach))
    return dataclasses.replace(spread, interval=(low, high), reason="")


def _mean_covariance(draws: Floats) -> float:
    """Return the mean covariance over all pairs of different rows."""
    covariances = np.cov(draws)
    count = len(draws)
    return float((covariances.sum() - np.trace(covariances)) / (count * (count - 1)))
