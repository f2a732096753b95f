"""Gaps between groups of images: their size, their interval, and the gaps due to chance.

The best and the worst group are chosen after their values are known, so a gap is biased upward. A
permutation test therefore gives the gaps of groups that do not differ. It exchanges the names of
the groups between patients of the same class, so that each group keeps its number of patients of
each class. This module works for classes and for findings; `GroupMeasurements` is its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.bootstrap import (
    FEW_PATIENTS,
    FEWEST_PATIENTS,
    LEVEL,
    Measurement,
    Statistics,
    patient_draws,
    student_quantile,
)
from cxr_models.evaluation.results import ChanceGaps, Gap, GapValue, Measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.results import Interval

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

MOST_PERMUTATIONS = 500
POWER = 0.8  # power with which a test detects the smallest difference
_HIGH = 0.95  # reported quantile of the gaps due to chance
_CHUNK = 16  # number of rows of counts that are computed at once


class GapName(NamedTuple):
    """A value whose gap is computed."""

    value: GapValue
    label: str  # the class or the finding; empty for a value over all classes
    name: str  # name of the value in measurements


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMeasurements:
    """The N images of a set, and the measurement of each group that is compared."""

    targets: Ints  # (N,); index of each image's class
    patients: Ints  # (N,); number of each image's patient, 0..P-1, without gaps
    places: Ints  # (N,); number of each image's group
    # function of the indices of chosen images and the new patient number of each of these images;
    # returns the statistics of the images
    statistics: Callable[[Ints, Ints], Statistics]
    values: Sequence[GapName]  # the values whose gaps are computed
    names: tuple[str, ...]  # names of all groups
    measurements: dict[int, Measurement]  # measurement of each compared group, by its number

    def comparable(self, value: str) -> list[int]:
        """Return the numbers of the groups whose values can be compared.

        The value of such a group is defined and comes from enough patients. If the value is a mean
        over classes, the group has images of all classes of the set.
        """
        classes = len(set(self.targets.tolist()))
        return [
            place
            for place, measurement in self.measurements.items()
            if not math.isnan(measurement.values[value])
            and measurement.patients_behind[value] >= FEWEST_PATIENTS
            and (not measurement.parts[value] or len(measurement.parts[value]) == classes)
        ]


def gaps_between(groups: GroupMeasurements, method: Method) -> Iterator[Gap]:
    """Yield the gap between the groups for every value.

    Parameters
    ----------
    groups : GroupMeasurements
        The groups and their values.
    method : Method
        The settings of the evaluation. The number of permutations is the number of draws, but at
        most `MOST_PERMUTATIONS`.
    """
    compared = {name: groups.comparable(name) for _, _, name in groups.values}
    wanted = {name: places for name, places in compared.items() if len(places) > 1}
    chance = _chance(groups, wanted, method) if wanted else {}
    joint = _joint_draws(groups, method) if wanted and _share_patients(groups) else {}
    for of in groups.values:
        if of.name not in wanted:
            reason = (
                f"fewer than two groups have this value from {FEWEST_PATIENTS} patients of the "
                "class concerned"
            )
            yield Gap(
                value=of.value,
                label=of.label,
                difference=Measured(value=None, interval=None, reason=reason),
            )
            continue
        yield _gap(groups, wanted[of.name], of, chance[of.name], joint)


def _gap(
    groups: GroupMeasurements,
    places: Sequence[int],
    of: GapName,
    chance_gaps: Floats,
    joint: dict[int, dict[str, Floats]],
) -> Gap:
    """Return the gap of one value between the groups in `places`."""
    value, label, name = of
    at = {place: groups.measurements[place].values[name] for place in places}
    best = max(places, key=at.__getitem__)
    worst = min((place for place in places if place != best), key=at.__getitem__)
    pair = groups.measurements[best], groups.measurements[worst]
    correlation = 0.0
    if joint:
        correlation = _correlation(joint[best][name], joint[worst][name])
    difference = at[best] - at[worst]
    chance = _summary(chance_gaps, difference)
    interval, reason = _interval(pair, name, correlation)
    first, second = (standard_error(measurement, name) for measurement in pair)
    patients_behind = min(measurement.patients_behind[name] for measurement in pair)
    remark = (
        f"picked as the largest of the gaps between {len(places)} groups, which is biased upward: "
        f"groups that do not differ would show {chance.mean:.3f} on average, and more than "
        f"{chance.high:.3f} in 1 of 20 cases"
    )
    if patients_behind < FEW_PATIENTS:
        remark += f"; {patients_behind} patients of the class concerned"
    return Gap(
        value=value,
        label=label,
        best=groups.names[best],
        worst=groups.names[worst],
        difference=Measured(value=difference, interval=interval, reason=reason, remark=remark),
        smallest_seen=smallest_detectable_gap(first, second, correlation),
        chance=chance,
    )


def _interval(
    pair: tuple[Measurement, Measurement], name: str, correlation: float
) -> tuple[Interval | None, str]:
    """Return the interval of a difference from the intervals of both values.

    The method is that of Zou and Donner. The reference is in
    `cxr_models.evaluation.bootstrap.Measurement.interval`.
    """
    (first, why_not), (second, why_not_second) = (part.interval(name) for part in pair)
    if first is None or second is None:
        return None, why_not or why_not_second
    values = [part.values[name] for part in pair]
    distances = (
        (values[0] - first[0], second[1] - values[1]),
        (first[1] - values[0], values[1] - second[0]),
    )
    below, above = (
        math.sqrt(max(one**2 + other**2 - 2.0 * correlation * one * other, 0.0))
        for one, other in distances
    )
    difference = values[0] - values[1]
    return (max(difference - below, -1.0), min(difference + above, 1.0)), ""


def standard_error(measurement: Measurement, name: str) -> float:
    """Return the standard error of a value: the standard deviation of its draws.

    The draws of a value of 0 or 1 have no spread. The standard error is then the width of the
    interval divided by Student's quantile.

    Parameters
    ----------
    measurement : Measurement
        The measurement of one group.
    name : str
        Name of the value.
    """
    draws = measurement.draws[name]
    error = float(np.nanstd(draws, ddof=1))
    interval, _ = measurement.interval(name)
    if error > 0.0 or interval is None:
        return error
    return (interval[1] - interval[0]) / student_quantile(measurement.patients_behind[name] - 1)


def smallest_detectable_gap(first: float, second: float, correlation: float = 0.0) -> float | None:
    """Return the smallest difference that a test at the level of 5 % detects with a power of 80 %.

    Parameters
    ----------
    first, second : float
        Standard errors of the two values.
    correlation : float, default 0.0
        Correlation of the two values; 0 if no patient is in both groups.

    Returns
    -------
    float or None
        (z(0.975) + z(0.80)) times the standard error of the difference, which is 2.80 times this
        error. None if the standard error of the difference is 0.

    Examples
    --------
    >>> round(smallest_detectable_gap(0.03, 0.04), 3)
    0.14
    """
    variance = first**2 + second**2 - 2.0 * correlation * first * second
    normal = NormalDist()
    factor = normal.inv_cdf((1.0 + LEVEL) / 2.0) + normal.inv_cdf(POWER)
    return factor * math.sqrt(variance) if variance > 0.0 else None


def _summary(chance_gaps: Floats, difference: float) -> ChanceGaps:
    reached = int((chance_gaps >= difference - 1e-12).sum())
    return ChanceGaps(
        permutations=len(chance_gaps),
        mean=float(chance_gaps.mean()),
        high=float(np.quantile(chance_gaps, _HIGH)),
        p_value=(1 + reached) / (1 + len(chance_gaps)),
    )


def _chance(
    groups: GroupMeasurements, wanted: dict[str, list[int]], method: Method
) -> dict[str, Floats]:
    """Return the gaps due to chance for each value, one gap for each permutation of group names.

    A patient with images in several groups counts as a separate patient in each of these groups.
    """
    chosen = np.flatnonzero(np.isin(groups.places, list(groups.measurements)))
    numbers = np.stack([groups.patients[chosen], groups.places[chosen]], axis=1)
    pairs, patients = np.unique(numbers, axis=0, return_inverse=True)
    patients = patients.reshape(-1).astype(np.int64)
    statistics = groups.statistics(chosen, patients)
    targets = groups.targets[chosen]
    present = np.zeros((len(pairs), int(targets.max()) + 1), np.bool_)
    present[patients, targets] = True
    strata = np.unique(present, axis=0, return_inverse=True)[1].reshape(-1)
    members = [np.flatnonzero(strata == stratum) for stratum in range(strata.max() + 1)]
    rng = np.random.default_rng(method.seed)
    count, labels = len(groups.names), pairs[:, 1].copy()
    permutations = min(method.draws, MOST_PERMUTATIONS)
    gaps: dict[str, list[Floats]] = {name: [] for name in wanted}
    for start in range(0, permutations, max(_CHUNK // count, 1)):
        rows = []
        for _ in range(min(max(_CHUNK // count, 1), permutations - start)):
            for those in members:
                labels[those] = rng.permutation(labels[those])
            rows.append(labels[None, :] == np.arange(count)[:, None])
        values = statistics(np.concatenate(rows).astype(np.float64))
        for name, places in wanted.items():
            of_groups = values[name].reshape(len(rows), count)[:, places]
            gaps[name].append(of_groups.max(axis=1) - of_groups.min(axis=1))
    return {name: np.concatenate(chunks) for name, chunks in gaps.items()}


def _share_patients(groups: GroupMeasurements) -> bool:
    """Return whether a patient has images in two groups."""
    stated = np.isin(groups.places, list(groups.measurements))
    pairs = np.unique(np.stack([groups.patients[stated], groups.places[stated]], axis=1), axis=0)
    return len(np.unique(pairs[:, 0])) < len(pairs)


def _joint_draws(groups: GroupMeasurements, method: Method) -> dict[int, dict[str, Floats]]:
    """Return the values of each group for bootstrap draws of the patients of the whole set."""
    parts = {}
    for place in np.intersect1d(groups.places, list(groups.measurements)).tolist():
        chosen = np.flatnonzero(groups.places == place)
        patients, anew = np.unique(groups.patients[chosen], return_inverse=True)
        parts[place] = patients, groups.statistics(chosen, anew.reshape(-1).astype(np.int64))
    chunks: dict[int, list[dict[str, Floats]]] = {place: [] for place in parts}
    for counts in patient_draws(int(groups.patients.max()) + 1, method.draws, method.seed):
        for place, (patients, statistics) in parts.items():
            chunks[place].append(statistics(counts[:, patients]))
    return {
        place: {name: np.concatenate([chunk[name] for chunk in drawn]) for name in drawn[0]}
        for place, drawn in chunks.items()
    }


def _correlation(first: Floats, second: Floats) -> float:
    """Return the correlation over the draws in which both values are defined; 0 without spread."""
    defined = ~(np.isnan(first) | np.isnan(second))
    first, second = first[defined], second[defined]
    if len(first) < 2 or np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
