"""Two models on the same images: a test of areas, and a test of who is right.

Patients are independent, their images are not: both tests take patients as the unit. Where each
patient has one image they are DeLong's test and McNemar's exact test.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS
from cxr_models.evaluation.comparisons import AreaTest, McNemar

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]


def delong(positive: Bools, first: Floats, second: Floats, patients: Ints) -> AreaTest:
    """Test whether two scores of the same images have the same area under the ROC curve.

    Parameters
    ----------
    positive : ndarray of shape (N,), dtype bool
        Which images are of the class.
    first, second : ndarray of shape (N,), dtype float64
        Two scores of the class.
    patients : ndarray of shape (N,), dtype int64
        Number of each image's patient, 0..P-1.

    Returns
    -------
    AreaTest
        With a reason where it is undefined, or fewer than 10 patients have images of the class or
        of others.

    Notes
    -----
    Obuchowski's extension of DeLong's variance to images of the same patients.

    References
    ----------
    .. [1] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more
           correlated receiver operating characteristic curves", Biometrics 44, 1988.
    .. [2] X. Sun, W. Xu, "Fast implementation of DeLong's algorithm", IEEE Signal Processing
           Letters 21, 2014.
    .. [3] N. A. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53,
           1997.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        missing = "of this class" if not positives else "of another class"
        return AreaTest(reason=f"no image {missing}")
    scores = np.stack([first, second])
    inside, outside = scores[:, positive], scores[:, ~positive]
    # Each image's share of the other kind that it is rightly above or below, ties half.
    mixed = rankdata(np.concatenate([inside, outside], axis=1), axis=1)
    above = (mixed[:, :positives] - rankdata(inside, axis=1)) / negatives
    below = 1.0 - (mixed[:, positives:] - rankdata(outside, axis=1)) / positives
    one_area, other_area = above.mean(axis=1)
    difference = float(one_area - other_area)
    untested = AreaTest(areas=(float(one_area), float(other_area)), difference=difference)
    ill, well = patients[positive], patients[~positive]
    fewest = min(len(np.unique(ill)), len(np.unique(well)))
    if fewest < FEWEST_PATIENTS:
        reason = f"no test of {fewest} patients of one kind, fewer than {FEWEST_PATIENTS}"
        return dataclasses.replace(untested, reason=reason)
    variance = _variance(
        _by_patient(above[0] - above[1] - difference, ill, patients) / positives,
        _by_patient(below[0] - below[1] - difference, well, patients) / negatives,
        len(np.unique(ill)),
        len(np.unique(well)),
    )
    if variance <= 1e-20:
        return dataclasses.replace(untested, reason="the two order the images alike")
    error = math.sqrt(variance)
    z = difference / error
    p_value = math.erfc(abs(z) / math.sqrt(2.0))
    return dataclasses.replace(untested, standard_error=error, z=z, p_value=p_value)


def mcnemar(first_right: Bools, second_right: Bools, patients: Ints) -> McNemar:
    """Test whether two models are right equally often on the same images, exactly.

    Parameters
    ----------
    first_right, second_right : ndarray of shape (N,), dtype bool
        Which images each gets right.
    patients : ndarray of shape (N,), dtype int64
        Number of each image's patient, 0..P-1.

    Returns
    -------
    McNemar
        Counts of images, and the p-value: 1 where no patient speaks for one of the models.

    Notes
    -----
    If the models are equally good, a patient's images speak for either as likely as for the other:
    the difference of each patient has either sign with a probability of one half. The
    p-value is the share of all choices of signs whose sum is as far from 0 as what was found. With
    one image a patient it is McNemar's exact test.

    References
    ----------
    .. [1] Q. McNemar, "Note on the sampling error of the difference between correlated proportions
           or percentages", Psychometrika 12, 1947.
    .. [2] R. A. Fisher, "The Design of Experiments", 1935, section 21.
    """
    only_first, only_second = first_right & ~second_right, ~first_right & second_right
    differences = _by_patient(1.0 * only_first - only_second, patients, patients).astype(np.int64)
    return McNemar(
        both_right=int((first_right & second_right).sum()),
        only_first=int(only_first.sum()),
        only_second=int(only_second.sum()),
        both_wrong=int((~first_right & ~second_right).sum()),
        p_value=_share_of_signs(differences[differences != 0]),
    )


def _by_patient(values: npt.NDArray[Any], whose: Ints, patients: Ints) -> Floats:
    """Sum what the images of each patient say."""
    sums: Floats = np.bincount(whose, values, minlength=int(patients.max()) + 1).astype(np.float64)
    return sums


def _variance(above: Floats, below: Floats, ill: int, well: int) -> float:
    """Return Obuchowski's variance of an area from what each patient adds to it."""
    both = len(above)
    return float(
        (above**2).sum() * ill / (ill - 1)
        + (below**2).sum() * well / (well - 1)
        + 2.0 * (above * below).sum() * both / (both - 1)
    )


def _share_of_signs(differences: Ints) -> float:
    """Return how likely random signs sum to something as far from 0 as `differences` do."""
    observed, farthest = abs(int(differences.sum())), int(np.abs(differences).sum())
    chances = np.zeros(2 * farthest + 1)
    chances[farthest] = 1.0
    for size in np.abs(differences).tolist():
        half = 0.5 * chances
        chances = np.roll(half, size) + np.roll(half, -size)  # what is rolled over an end is 0
    sums = np.abs(np.arange(-farthest, farthest + 1))
    return min(float(chances[sums >= observed].sum()), 1.0)
