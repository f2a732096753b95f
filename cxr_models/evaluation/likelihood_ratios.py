"""Likelihood ratios and predictive values from sensitivity and specificity, with intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.clinic_results import PredictiveValues
from cxr_models.evaluation.measured import Interval, Measured

if TYPE_CHECKING:
    from cxr_models.evaluation.bootstrap import Measurement

_SENSITIVITY, _SPECIFICITY = "sensitivity@0", "specificity@0"  # values at the operating point


class Ratio(NamedTuple):
    """A ratio of two shares and its interval; both may be infinite."""

    value: float  # NaN where undefined
    interval: Interval | None
    reason: str = ""  # why there is no value or no interval
    remark: str = ""  # why the interval must be read with care

    @property
    def measured(self) -> Measured:
        """The ratio as a record; an infinite value or bound is replaced by None and a reason."""
        if math.isnan(self.value):
            return Measured(value=None, interval=None, reason=self.reason)
        if math.isinf(self.value):
            reason = "the ratio is infinite: its denominator is 0"
            if self.interval is not None:
                reason += f"; its interval begins at {self.interval[0]:.3g}"
            return Measured(value=None, interval=None, reason=reason)
        if self.interval is not None and math.isinf(self.interval[1]):
            return Measured(value=self.value, interval=None, reason="the interval has no end")
        return Measured(
            value=self.value, interval=self.interval, reason=self.reason, remark=self.remark
        )

    def share(self, odds: float, *, of_others: bool = False) -> Measured:
        """Return a share with its interval.

        Parameters
        ----------
        odds : float
            The share has the odds `odds` times the ratio.
        of_others : bool, default False
            Whether to return 1 minus the share instead.
        """
        if math.isnan(self.value):
            return Measured(value=None, interval=None, reason=self.reason)

        def share_of(ratio: float) -> float:
            share = 1.0 if math.isinf(ratio) else odds * ratio / (1.0 + odds * ratio)
            return 1.0 - share if of_others else share

        interval = None
        if self.interval is not None:
            low, high = sorted(map(share_of, self.interval))
            interval = low, high
        return Measured(
            value=share_of(self.value), interval=interval, reason=self.reason, remark=self.remark
        )


class LikelihoodRatios(NamedTuple):
    """The positive and the negative likelihood ratio of a class."""

    positive: Ratio  # sensitivity / (1 - specificity)
    negative: Ratio  # (1 - sensitivity) / specificity

    def predictive_values(self, prevalence: float) -> PredictiveValues:
        """Return the predictive values at a prevalence, the share of images of the class."""
        odds = prevalence / (1.0 - prevalence)
        return PredictiveValues(
            prevalence=prevalence,
            of="stated",
            positive=self.positive.share(odds),
            negative=self.negative.share(odds, of_others=True),
        )


def likelihood_ratios(measurement: Measurement, missing: str = "") -> LikelihoodRatios:
    """Return the likelihood ratios from measured sensitivity and specificity.

    Parameters
    ----------
    measurement : Measurement
        A measurement with the values ``sensitivity@0`` and ``specificity@0``, unless `missing` is
        given.
    missing : str, default ""
        The reason why there are no ratios; if it is not empty, both ratios are undefined.

    Notes
    -----
    The interval of a ratio is computed on the logarithmic scale, from the intervals of its two
    shares and the correlation of their draws [1]_. If a share or a bound of its interval is 0, the
    interval of the ratio combines the worst ends of both intervals. It then covers the true value
    more often than its level states.

    References
    ----------
    .. [1] G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a
           general approach", Statistics in Medicine 27, 2008.
    """
    if missing:
        undefined = Ratio(math.nan, None, missing)
        return LikelihoodRatios(undefined, undefined)
    found, spared = (measurement.values[name] for name in (_SENSITIVITY, _SPECIFICITY))
    parts = [measurement.measured(name) for name in (_SENSITIVITY, _SPECIFICITY)]
    reason = next((part.reason for part in parts if part.interval is None), "")
    remark = next((part.remark for part in parts if part.remark), "")
    values = _ratio(found, 1.0 - spared), _ratio(1.0 - found, spared)
    whys = "no image reaches the threshold", "every image reaches the threshold"
    if parts[0].interval is None or parts[1].interval is None:
        return LikelihoodRatios(
            *(
                Ratio(value, None, why if math.isnan(value) else reason)
                for value, why in zip(values, whys, strict=True)
            )
        )
    correlation = -_correlation(measurement)  # of numerator and denominator
    found_interval, spared_interval = parts[0].interval, parts[1].interval
    pairs = (
        (found, found_interval, 1.0 - spared, _complement(spared_interval)),
        (1.0 - found, _complement(found_interval), spared, spared_interval),
    )
    return LikelihoodRatios(
        *(
            Ratio(value, None, why)
            if math.isnan(value)
            else Ratio(value, interval_of_ratio(*pair, correlation), "", remark)
            for value, why, pair in zip(values, whys, pairs, strict=True)
        )
    )


def interval_of_ratio(
    above: float,
    above_interval: Interval,
    below: float,
    below_interval: Interval,
    correlation: float = 0.0,
) -> Interval:
    """Return the interval of the ratio `above` / `below` of two shares.

    Parameters
    ----------
    above, below : float
        Numerator and denominator, each 0..1.
    above_interval, below_interval : (float, float)
        Intervals of the numerator and the denominator.
    correlation : float, default 0.0
        Correlation of the numerator and the denominator.

    Returns
    -------
    (float, float)
        Lower and upper bound. The bounds may be infinite.
    """
    if 0.0 in (above, below, *above_interval, *below_interval):
        low = _ratio(above_interval[0], below_interval[1])
        return low, _ratio(above_interval[1], below_interval[0])
    value = math.log(above / below)
    below_value, above_value = math.log(below), math.log(above)
    a_low, a_high = (math.log(end) for end in above_interval)
    b_low, b_high = (math.log(end) for end in below_interval)

    def reach(first: float, second: float) -> float:
        squared = first**2 + second**2 - 2.0 * correlation * first * second
        return math.sqrt(max(squared, 0.0))

    low = math.exp(value - reach(above_value - a_low, b_high - below_value))
    high = math.exp(value + reach(a_high - above_value, below_value - b_low))
    return low, high


def _ratio(above: float, below: float) -> float:
    if below == 0.0:
        return math.nan if above == 0.0 else math.inf
    return above / below


def _complement(interval: Interval) -> Interval:
    return 1.0 - interval[1], 1.0 - interval[0]


def _correlation(measurement: Measurement) -> float:
    """Return the correlation of sensitivity and specificity over the draws; 0 without spread."""
    draws = np.stack([measurement.draws[_SENSITIVITY], measurement.draws[_SPECIFICITY]])
    draws = draws[:, ~np.isnan(draws).any(axis=0)]
    if draws.shape[1] < 2 or (np.ptp(draws, axis=1) == 0.0).any():
        return 0.0
    correlations = np.corrcoef(draws[0], draws[1])
    return float(np.atleast_2d(correlations)[0, 1])
