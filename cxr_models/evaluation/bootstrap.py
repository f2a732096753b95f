"""Confidence intervals from the bootstrap over patients, for any metric.

A bootstrap draw is a count for each patient: how often the patient was drawn. A statistic takes
many draws at once, as a matrix of counts, and returns a value for each draw. Counts of 1 give the
value on the original images. The standard error is the standard deviation of the values of all
draws. An interval extends to both sides of the value by Student's quantile times the standard
error. It is computed on a scale that keeps it within the range of the metric.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from cxr_models._counts import counted
from cxr_models.evaluation.results import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from cxr_models.evaluation.results import Interval

    Floats = npt.NDArray[np.float64]

DRAWS = 2000
LEVEL = 0.95
# why a value has no interval
NO_SPREAD = "all draws give the same value, which shows no uncertainty"
FEWEST_PATIENTS = 10  # a value from fewer patients has no interval
FEW_PATIENTS = 30  # an interval from fewer patients has a remark
Scale = Literal["share", "loss", "correlation", "unbounded", "calibration error"]
_ROUNDING = 1e-12  # draws that differ by at most this number differ by rounding alone
_DEFINED_SHARE = 0.95  # a value that is defined in a smaller share of draws has no interval
_CHUNK = 16  # draws computed at once, so that arrays of 10,000 images fit the CPU's cache


class Statistics(Protocol):
    """A function that computes the values of a set of images from counts of patients."""

    @property
    def num_patients(self) -> int:
        """The number of patients."""

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return every value for each bootstrap draw.

        Parameters
        ----------
        counts : ndarray of shape (draws, patients), dtype float64
            How often each patient counts in each draw.

        Returns
        -------
        dict of str to ndarray of shape (draws,), dtype float64
            Values by name; NaN where a value is undefined.
        """

    def patients_behind(self, name: str) -> int:
        """Return the number of patients of the rarest class that a value uses."""

    def parts_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the values that a mean averages; empty if `name` is no mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The values of a set on the original images and in every bootstrap draw."""

    values: dict[str, float]  # values on the original images; NaN where undefined
    draws: dict[str, Floats]  # (draws,); each value in every draw; empty with too few patients
    # for each value, the number of patients of the rarest class it uses
    patients_behind: dict[str, int]
    num_patients: int  # number of patients in the set
    # for each mean, the names of the values that it averages; empty for values that are no mean
    parts: dict[str, tuple[str, ...]]
    hides_few: bool = False  # whether values from fewer than `FEWEST_PATIENTS` are left empty

    def interval(self, name: str, *, scale: Scale = "share") -> tuple[Interval | None, str]:
        """Return the interval of a value.

        Parameters
        ----------
        name : str
            Name of the value.
        scale : {"share", "loss", "correlation", "unbounded", "calibration error"}, default "share"
            Kind of the value. The interval of a share (0 to 1) is symmetric in the log odds. The
            interval of a loss (above 0) is symmetric in the logarithm. The interval of a
            correlation (-1 to 1) is symmetric in Fisher's z. The interval of an unbounded value is
            symmetric around the value. For a calibration error see `_interval_of_error`.

        Returns
        -------
        interval : (float, float) or None
            Lower and upper bound; None if the value has no interval.
        reason : str
            Why there is no interval; empty if there is one.

        Notes
        -----
        The standard error is the standard deviation of the draws. The quantile is Student's, with
        P - 1 degrees of freedom for P patients of the rarest class that the value uses. A share of
        0 or 1 has the same value in every draw. Its interval is the exact interval of Clopper and
        Pearson for P patients. The interval of a mean of shares, or of losses of at most 1, is
        computed from the intervals of the averaged values and the correlations of their draws
        [1]_.

        References
        ----------
        .. [1] G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a
               general approach", Statistics in Medicine 27, 2008.
        """
        value, patients = self.values[name], self.patients_behind[name]
        if np.isnan(value):
            return None, "the value is undefined"
        if patients < FEWEST_PATIENTS:
            return None, _too_few(patients)
        if scale == "share" and value in (0.0, 1.0):
            # The exact bound for 0 or n of n is (a/2)^(1/n), where a = 1 - LEVEL.
            bound = float(((1.0 - LEVEL) / 2.0) ** (1.0 / patients))
            return ((bound, 1.0) if value == 1.0 else (0.0, 1.0 - bound)), ""
        drawn, reason = self._defined_draws(name)
        if drawn is None:
            return None, reason
        if self.parts.get(name):
            return self._interval_of_mean(name, scale)
        half_width = _half_width(drawn, patients)
        if scale == "calibration error":
            return self._interval_of_error(name, drawn, half_width), ""
        if scale == "unbounded":
            return (value - half_width, value + half_width), ""
        if scale == "loss":
            return (value * math.exp(-half_width / value), value * math.exp(half_width / value)), ""
        if scale == "correlation":  # Fisher's z is half the log odds of (1 + value) / 2
            if abs(value) >= 1.0:
                return None, "a correlation of 1 or -1 has no interval"
            z, half_width = math.atanh(value), half_width / (1.0 - value**2)
            return (math.tanh(z - half_width), math.tanh(z + half_width)), ""
        log_odds, half_width = math.log(value / (1.0 - value)), half_width / (value * (1.0 - value))
        return (_sigmoid(log_odds - half_width), _sigmoid(log_odds + half_width)), ""

    def _interval_of_mean(self, name: str, scale: Scale) -> tuple[Interval | None, str]:
        """Return the interval of a mean of shares, or of losses of at most 1."""
        parts = self.parts[name]
        intervals = [self.interval(part, scale=scale) for part in parts]
        ends = [interval for interval, _ in intervals if interval is not None]
        if len(ends) < len(parts):
            return None, next(reason for interval, reason in intervals if interval is None)
        draws = np.stack([self.draws[part] for part in parts])
        draws = draws[:, ~np.isnan(draws).any(axis=0)]
        with np.errstate(divide="ignore", invalid="ignore"):
            correlations = np.nan_to_num(np.atleast_2d(np.corrcoef(draws)))  # NaN: constant draws
        np.fill_diagonal(correlations, 1.0)
        values = np.array([self.values[part] for part in parts])
        below, above = np.abs(np.array(ends).T - values)
        low, high = (
            math.sqrt(max(float(distances @ correlations @ distances), 0.0)) / len(parts)
            for distances in (below, above)
        )
        value = self.values[name]
        return (max(value - low, 0.0), min(value + high, 1.0)), ""

    def _interval_of_error(self, name: str, drawn: Floats, half_width: float) -> Interval:
        """Return the interval of a calibration error; it contains the value.

        Chance makes calibration errors too large, most of all where the true error is 0. So the
        upper bound needs no correction. The lower bound is the smallest true error with which 2.5 %
        of samples reach the value. If the true error is 0, samples have the errors of the noise; if
        it is the value, those of the draws. The 97.5 % quantile is interpolated between the two.
        """
        value, tail = self.values[name], (1.0 + LEVEL) / 2.0
        noise = float(np.nanquantile(self.draws[noise_of(name)], tail))
        highest = max(float(np.quantile(drawn, tail)), value)
        low = value * (value - noise) / (highest - noise) if value > noise else 0.0
        return low, min(value + half_width, 1.0)

    def _interval_of_difference(self, name: str) -> tuple[Interval | None, str]:
        """Return the interval of a difference of shares, or None and the reason."""
        value, patients = self.values[name], self.patients_behind[name]
        if patients < FEWEST_PATIENTS:
            return None, _too_few(patients)
        drawn, reason = self._defined_draws(name)
        if drawn is None:
            return None, reason
        half_width = _half_width(drawn, patients)
        return (max(value - half_width, -1.0), min(value + half_width, 1.0)), ""

    def measured(self, name: str, reason: str = "undefined", *, scale: Scale = "share") -> Measured:
        """Return a value with its interval.

        Parameters
        ----------
        name : str
            Name of the value.
        reason : str, default "undefined"
            Reason to record if the value is undefined; ignored if the value is defined.
        scale : {"share", "loss", "correlation", "unbounded", "calibration error"}, default "share"
            Kind of the value; see `interval`.
        """
        return self._with_interval(name, reason, lambda: self.interval(name, scale=scale))

    def measured_difference(self, name: str, reason: str) -> Measured:
        """Return a difference of two shares with its interval.

        Parameters
        ----------
        name : str
            Name of the value.
        reason : str
            Reason to record if the difference is undefined.
        """
        return self._with_interval(name, reason, lambda: self._interval_of_difference(name))

    def _with_interval(
        self, name: str, undefined: str, interval_of: Callable[[], tuple[Interval | None, str]]
    ) -> Measured:
        value, patients = self.values[name], self.patients_behind[name]
        if np.isnan(value):
            return Measured(value=None, interval=None, reason=undefined)
        if self.hides_few and patients < FEWEST_PATIENTS:
            return Measured(value=None, interval=None, reason=_too_few(patients))
        interval, reason = interval_of()
        remark = ""
        if interval is not None and patients < FEW_PATIENTS:
            remark = f"{patients} patients of the class concerned"
        return Measured(value=value, interval=interval, reason=reason, remark=remark)

    def _defined_draws(self, name: str) -> tuple[Floats | None, str]:
        """Return the draws in which a value is defined, or None and the reason for no interval."""
        draws = self.draws[name]
        defined = draws[~np.isnan(draws)]
        if len(defined) < _DEFINED_SHARE * len(draws):
            missing = 1.0 - len(defined) / len(draws)
            return None, f"the value is undefined in {missing:.0%} of the draws: too few patients"
        if np.ptp(defined) <= _ROUNDING:
            return None, NO_SPREAD
        return defined, ""


def measure(statistics: Statistics, *, draws: int = DRAWS, seed: int = 0) -> Measurement:
    """Compute statistics on the original images and on bootstrap draws of the patients.

    Patients are drawn with replacement. A set of fewer than 10 patients has no draws.

    Parameters
    ----------
    statistics : Statistics
        The statistics to compute.
    draws : int, default 2000
        Number of bootstrap draws; at least 1.
    seed : int, default 0
        Seed of the draws. Equal seeds and equal numbers of patients give equal draws, so that two
        measurements on the same patients can be compared draw by draw.

    Raises
    ------
    ValueError
        If `draws` is below 1.
    """
    if draws < 1:
        raise ValueError(f"`draws` must be at least 1; got {draws!r}.")
    patients = statistics.num_patients
    values = {name: float(v[0]) for name, v in statistics(np.ones((1, patients))).items()}
    chunks: dict[str, list[Floats]] = {name: [] for name in values}
    if patients >= FEWEST_PATIENTS:
        for counts in patient_draws(patients, draws, seed):
            for name, drawn in statistics(counts).items():
                chunks[name].append(drawn)
    patients_behind = {name: statistics.patients_behind(name) for name in values}
    return Measurement(
        values=values,
        draws={name: np.concatenate(v) if v else np.empty(0) for name, v in chunks.items()},
        patients_behind=patients_behind,
        num_patients=patients,
        parts={name: statistics.parts_of(name) for name in values},
    )


def patient_draws(patients: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield bootstrap draws of patients, up to 16 draws at a time.

    Parameters
    ----------
    patients : int
        Number of patients; as many patients are drawn with replacement in each draw.
    draws : int
        Number of draws.
    seed : int
        Seed of the draws.

    Yields
    ------
    ndarray of shape (up to 16, patients), dtype float64
        How often each patient was drawn, one row for each draw.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _CHUNK):
        rows = min(_CHUNK, draws - start)
        drawn = rng.integers(0, patients, (rows, patients))
        drawn += np.arange(rows)[:, None] * patients
        counts = np.bincount(drawn.ravel(), minlength=rows * patients)
        yield counts.reshape(rows, patients).astype(np.float64)


def difference(first: Measurement, second: Measurement, name: str) -> Measured:
    """Return the value in `first` minus the value in `second`, with an interval.

    Parameters
    ----------
    first, second : Measurement
        Measurements on the same patients, with the same seed and number of draws.
    name : str
        Name of the value.
    """
    pair = Measurement(
        values={name: first.values[name] - second.values[name]},
        draws={name: first.draws[name] - second.draws[name]},
        patients_behind={name: min(first.patients_behind[name], second.patients_behind[name])},
        num_patients=first.num_patients,
        parts={},
    )
    return pair.measured_difference(name, "one of the two values is undefined")


def noise_of(name: str) -> str:
    """Return the name of the noise of a calibration error, a value that its interval needs.

    The noise of a draw is the calibration error that the draw would have if the original images
    were perfectly calibrated: the sum over bins of the distances between the draw and the original.
    """
    metric, slash, label = name.partition("/")
    return f"{metric}_noise{slash}{label}"


def _too_few(patients: int) -> str:
    return f"{counted(patients, 'patient')} of the class concerned, fewer than {FEWEST_PATIENTS}"


def _half_width(drawn: Floats, patients: int) -> float:
    """Return half the width of an interval."""
    return student_quantile(patients - 1) * float(drawn.std(ddof=1))


def student_quantile(freedom: int) -> float:
    """Return the quantile of Student's t for the probability (1 + `LEVEL`) / 2.

    Parameters
    ----------
    freedom : int
        Degrees of freedom, at least 9. With fewer degrees of freedom, the expansion is not correct
        to four decimal places.

    References
    ----------
    .. [1] M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 26.7.5.
    """
    z = NormalDist().inv_cdf((1.0 + LEVEL) / 2.0)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


def _sigmoid(log_odds: float) -> float:
    """Return the share (0..1) whose log odds are given."""
    return 1.0 / (1.0 + math.exp(-log_odds)) if log_odds > -700.0 else 0.0
