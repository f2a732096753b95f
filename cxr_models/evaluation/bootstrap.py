"""Intervals by drawing patients anew; knows nothing of what is measured.

A draw is a count for each patient. A statistic takes many draws at once, as a matrix of counts, and
gives a value for each; with ones it gives its value on the images as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

DRAWS = 2000
LEVEL = 0.95
FEWEST_PATIENTS = 10  # below it, draws say next to nothing
_DEFINED = 0.95  # share of draws that must define a value for it to have an interval
_CHUNK = 16  # draws at once: what is made of the counts of 10,000 images stays in the cache


class Statistics(Protocol):
    """Measures images by patient."""

    @property
    def num_patients(self) -> int:
        """How many patients there are."""

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return values of shape (draws,), NaN where undefined, for counts (draws, patients)."""

    def patients_behind(self, name: str) -> int | None:
        """Return how many patients a proportion is taken over; None for what is no proportion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Values on the images as they are, and in every draw.

    Parameters
    ----------
    values : dict of str to float
        NaN where undefined.
    draws : dict of str to ndarray of shape (draws,)
        The same, draw by draw.
    num_patients : int
        Patients drawn from.
    behind : dict of str to int
        For proportions, the patients they are taken over.
    """

    values: dict[str, float]
    draws: dict[str, Any]
    num_patients: int
    behind: dict[str, int]

    def interval(self, name: str, *, reflected: bool = False) -> tuple[list[float] | None, str]:
        """Return the interval of a value, or None and the reason.

        Parameters
        ----------
        name : str
            Which value.
        reflected : bool, default False
            Whether the draws' quantiles are mirrored at the value, as is right for what draws
            overstate, such as calibration errors.

        Notes
        -----
        Percentiles of the draws. Where all draws agree they show no uncertainty, and a proportion
        of 0 or 1 has the exact interval of Clopper and Pearson over its patients instead.
        """
        value = self.values[name]
        if np.isnan(value):
            return None, "the value is undefined"
        if self.num_patients < FEWEST_PATIENTS:
            return None, f"{self.num_patients} patients are too few to draw from"
        patients = self.behind.get(name)
        if patients is not None and value in (0.0, 1.0):
            # (a/2)^(1/n): the exact bound where none or all of n are right.
            bound = float(((1.0 - LEVEL) / 2.0) ** (1.0 / patients))
            return ([bound, 1.0] if value == 1.0 else [0.0, 1.0 - bound]), ""
        draws = self.draws[name]
        defined = draws[~np.isnan(draws)]
        if len(defined) < _DEFINED * len(draws):
            missing = 1.0 - len(defined) / len(draws)
            return None, f"{missing:.0%} of the draws leave it undefined: too few patients"
        if np.ptp(defined) == 0.0:
            return None, "all draws agree, which shows no uncertainty"
        tail = (1.0 - LEVEL) / 2.0
        low, high = (float(bound) for bound in np.quantile(defined, (tail, 1.0 - tail)))
        if reflected:
            low, high = max(2.0 * value - high, 0.0), max(2.0 * value - low, 0.0)
        return [low, high], ""

    def told(self, name: str, reason: str = "", *, reflected: bool = False) -> dict[str, Any]:
        """Return value and interval for JSON; None and the reason where there is none.

        Parameters
        ----------
        name : str
            Which value.
        reason : str, default ""
            Why the value is undefined, where it is.
        reflected : bool, default False
            See `interval`.
        """
        value = self.values[name]
        if np.isnan(value):
            return {"value": None, "interval": None, "reason": reason or "undefined"}
        interval, why = self.interval(name, reflected=reflected)
        told: dict[str, Any] = {"value": value, "interval": interval}
        return told if interval is not None else {**told, "reason": why}


def measure(statistics: Statistics, *, draws: int = DRAWS, seed: int = 0) -> Measured:
    """Take statistics on the images as they are, and on patients drawn with replacement.

    Parameters
    ----------
    statistics : Statistics
        What to take.
    draws : int, default 2000
        How often; at least 1.
    seed : int, default 0
        Equal seeds and numbers of patients give equal draws, so that draws of two measurements on
        the same patients can be compared one by one.

    Raises
    ------
    ValueError
        If `draws` is below 1.
    """
    if draws < 1:
        raise ValueError(f"`draws` must be at least 1; got {draws!r}.")
    patients = statistics.num_patients
    values = {name: float(v[0]) for name, v in statistics(np.ones((1, patients))).items()}
    taken: dict[str, list[Floats]] = {name: [] for name in values}
    if patients >= FEWEST_PATIENTS:
        for counts in patient_draws(patients, draws, seed):
            for name, drawn in statistics(counts).items():
                taken[name].append(drawn)
    behind = {name: statistics.patients_behind(name) for name in values}
    return Measured(
        values=values,
        draws={name: np.concatenate(v) if v else np.empty(0) for name, v in taken.items()},
        num_patients=patients,
        behind={name: count for name, count in behind.items() if count},
    )


def patient_draws(patients: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield counts, of shape (some draws, patients): how often each patient was drawn."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _CHUNK):
        rows = min(_CHUNK, draws - start)
        drawn = rng.integers(0, patients, (rows, patients))
        drawn += np.arange(rows)[:, None] * patients
        counts = np.bincount(drawn.ravel(), minlength=rows * patients)
        yield counts.reshape(rows, patients).astype(np.float64)


def difference(one: Measured, other: Measured, name: str) -> dict[str, Any]:
    """Return the difference of one value between two measurements on the same patients.

    Parameters
    ----------
    one, other : Measured
        Taken with the same seed and draws; the first less the second is told.
    name : str
        Which value.
    """
    pair = Measured(
        values={name: one.values[name] - other.values[name]},
        draws={name: one.draws[name] - other.draws[name]},
        num_patients=one.num_patients,
        behind={},
    )
    return pair.told(name, "one of the two is undefined")
