"""Runs that differ in the seed alone: mean, spread, and an interval over seeds and patients.

Knows no framework.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy.special import stdtrit

from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS, LEVEL, measure
from cxr_models.evaluation.compare_findings import finding_outcomes_in_order_of
from cxr_models.evaluation.compare_runs import in_order_of
from cxr_models.evaluation.finding_statistics import FindingStatistics
from cxr_models.evaluation.metrics import MEANS, ImageStatistics
from cxr_models.evaluation.seeds_results import OverSeeds, SeedSpread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.evaluation.results import Evaluation

    Floats = npt.NDArray[np.float64]
    P = TypeVar("P", Predictions, FindingPredictions)


def groups_by_seed(settings: Mapping[str, RunConfig]) -> list[list[str]]:
    """Return the groups of at least two runs whose settings are equal but for different seeds.

    Parameters
    ----------
    settings : mapping of str to RunConfig
        The settings of each run. ``data.cache_dir`` is ignored: it changes no value.
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
    runs: Mapping[str, Sequence[Predictions]],
    evaluations: Mapping[str, Evaluation],
    seeds: Mapping[str, int],
    method: Method,
) -> list[SeedSpread]:
    """Return the spread of the runs' values on every set that all runs were tested on.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions
        The sets of at least two runs of equal settings but for the seed, with their images joined
        as in the evaluations.
    evaluations : mapping of str to Evaluation
        The evaluation of each run; its temperature is used.
    seeds : mapping of str to int
        The seed of each run.
    method : Method
        How intervals are computed.

    Raises
    ------
    ValueError
        If sets of one name hold different images or labels.
    """
    tested = _tested(runs)
    spreads = []
    for name in _in_all(tested):
        first, measurements = tested[0][name], []
        for run, sets in zip(runs, tested, strict=True):
            temperature = evaluations[run].calibration.temperature
            statistics = ImageStatistics(in_order_of(first, sets[name], temperature))
            measurements.append(measure(statistics, draws=method.draws, seed=method.seed))
        values = ("accuracy", *MEANS, *(f"roc_auc/{label}" for label in first.class_names))
        spreads.append(
            SeedSpread(
                set=name,
                seeds={run: seeds[run] for run in runs},
                images=len(first.manifest.records),
                patients=measurements[0].num_patients,
                values={value: over_seeds(measurements, value) for value in values},
            )
        )
    return spreads


def spread_of_findings(
    runs: Mapping[str, Sequence[FindingPredictions]],
    evaluations: Mapping[str, FindingsEvaluation],
    seeds: Mapping[str, int],
    method: Method,
) -> list[SeedSpread]:
    """Return the same of runs with several findings: of their means and of each finding's area.

    Parameters
    ----------
    runs : mapping of str to sequence of FindingPredictions
        As of `spread_over_seeds`.
    evaluations : mapping of str to FindingsEvaluation
        The evaluation of each run; its temperatures are used.
    seeds, method
        As of `spread_over_seeds`.

    Raises
    ------
    ValueError
        If sets of one name hold different images or labels.
    """
    tested = _tested(runs)
    spreads = []
    for name in _in_all(tested):
        first, measurements = tested[0][name], []
        for run, sets in zip(runs, tested, strict=True):
            temperatures = tuple(evaluations[run].temperatures[one] for one in first.findings)
            outcomes = finding_outcomes_in_order_of(first, sets[name], temperatures)
            statistics = FindingStatistics(outcomes)
            over = statistics.in_means  # the same for all runs: it depends on labels alone
            measurements.append(measure(statistics, draws=method.draws, seed=method.seed))
        means = ("mean_roc_auc", "mean_pr_auc") if over else ()
        values = (*means, *(f"roc_auc/{finding}" for finding in first.findings))
        spreads.append(
            SeedSpread(
                set=name,
                seeds={run: seeds[run] for run in runs},
                images=len(first.manifest.records),
                patients=measurements[0].num_patients,
                over=over,
                values={value: over_seeds(measurements, value) for value in values},
            )
        )
    return spreads


def _tested(runs: Mapping[str, Sequence[P]]) -> list[dict[str, P]]:
    """Return the tested sets of each run by their names."""
    return [
        {one.name: one for one in sets if one.kind in ("test", "external")}
        for sets in runs.values()
    ]


def _in_all(tested: Sequence[Mapping[str, P]]) -> list[str]:
    """Return the names of the sets that all runs were tested on."""
    return [name for name in tested[0] if all(name in sets for sets in tested)]


def over_seeds(measurements: Sequence[Measurement], name: str) -> OverSeeds:
    """Return mean, spread and interval of a share that several runs have on the same patients.

    Parameters
    ----------
    measurements : sequence of Measurement
        One for each run, with the same draws of the same patients.
    name : str
        The value.

    Notes
    -----
    Seeds are to patients what readers are to cases: every one of the R runs predicts every patient.
    The variance of the mean is s**2 / R + c, where s**2 is the variance of the runs' values and c
    the mean covariance of two runs over draws of patients (Obuchowski and Rockette). Student's
    quantile has the degrees of freedom of Hillis, at most those of the patients. The interval is
    symmetric in the log odds. It is of the mean over all seeds, not of a further run.

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
    patients = min(measurement.behind[name] for measurement in measurements)
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
    """Return the mean covariance of two different rows."""
    covariances = np.cov(draws)
    count = len(draws)
    return float((covariances.sum() - np.trace(covariances)) / (count * (count - 1)))
