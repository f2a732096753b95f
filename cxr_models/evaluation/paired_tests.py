"""Paired tests of two models on the same images.

DeLong's test compares areas under the ROC curve. McNemar's test compares numbers of correctly
predicted images. Images of one patient depend on each other, so both tests use the patient as the
unit. If each patient has one image, the tests equal DeLong's test and McNemar's exact test. Holm's
method adjusts the p-values of several tests.
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
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int64]


def delong(positive: Bools, first: Floats, second: Floats, patients: Ints) -> AreaTest:
    """Test whether two scores of the same images have the same area under the ROC curve.

    Parameters
    ----------
    positive : ndarray of shape (N,), dtype bool
        Whether each image belongs to the class.
    first, second : ndarray of shape (N,), dtype float64
        Scores of the class by the first and by the second model.
    patients : ndarray of shape (N,), dtype int64
        Number of each image's patient, 0..P-1.

    Returns
    -------
    AreaTest
        The areas, their difference and the p-value. It has a reason instead of a p-value if the
        areas are undefined, if fewer than 10 patients have images of the class or of other classes,
        or if both scores rank the images in the same way.

    Notes
    -----
    The variance is DeLong's [1]_ in Obuchowski's extension to several images of a patient [3]_.
    Ranks give the areas [2]_.

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
    # `above` is, for each image of the class, the share of the other images that it ranks above.
    # `below` is, for each other image, the share of the images of the class that it ranks below. A
    # tie counts as one half.
    mixed = rankdata(np.concatenate([inside, outside], axis=1), axis=1)
    above = (mixed[:, :positives] - rankdata(inside, axis=1)) / negatives
    below = 1.0 - (mixed[:, positives:] - rankdata(outside, axis=1)) / positives
    first_area, second_area = above.mean(axis=1)
    difference = float(first_area - second_area)
    untested = AreaTest(areas=(float(first_area), float(second_area)), difference=difference)
    patients_inside, patients_outside = patients[positive], patients[~positive]
    num_inside, num_outside = len(np.unique(patients_inside)), len(np.unique(patients_outside))
    fewest = min(num_inside, num_outside)
    if fewest < FEWEST_PATIENTS:
        group = "with" if fewest == num_inside else "without"
        reason = f"{fewest} patients {group} the class, fewer than {FEWEST_PATIENTS}"
        return dataclasses.replace(untested, reason=reason)
    variance = _variance(
        _by_patient(above[0] - above[1] - difference, patients_inside, patients) / positives,
        _by_patient(below[0] - below[1] - difference, patients_outside, patients) / negatives,
        num_inside,
        num_outside,
    )
    if variance <= 1e-20:
        return dataclasses.replace(untested, reason="both models rank the images alike")
    standard_error = math.sqrt(variance)
    z = difference / standard_error
    p_value = math.erfc(abs(z) / math.sqrt(2.0))
    return dataclasses.replace(untested, standard_error=standard_error, z=z, p_value=p_value)


def mcnemar(first_right: Bools, second_right: Bools, patients: Ints) -> McNemar:
    """Test exactly whether two models are correct equally often on the same images.

    Parameters
    ----------
    first_right, second_right : ndarray of shape (N,), dtype bool
        Whether the first, and the second, model predicts each image correctly.
    patients : ndarray of shape (N,), dtype int64
        Number of each image's patient, 0..P-1.

    Returns
    -------
    McNemar
        Counts of images, and the p-value. The p-value is 1 if the difference of every patient is 0.

    Notes
    -----
    The difference of a patient is the number of images that only the first model predicts
    correctly minus the number of images that only the second model predicts correctly. If the
    models are equally good, each difference is positive or negative with a probability of one half.
    The p-value is the share of all combinations of signs whose sum is at least as far from 0 as the
    observed sum. With one image per patient, the test is McNemar's exact test.

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


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust the p-values of several tests with Holm's method.

    The method controls the probability of at least one false rejection among all tests.

    Parameters
    ----------
    p_values : sequence of float or None
        The p-value of each test. None marks a test that was not done; it does not count.

    Returns
    -------
    list of float or None
        The adjusted p-values, in the order of `p_values`.

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
           of Statistics 6, 1979.
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min((len(tested) - rank) * p, 1.0))
        adjusted[place] = largest
    return adjusted


def _by_patient(values: npt.NDArray[Any], patient_of_value: Ints, patients: Ints) -> Floats:
    """Return the sum of the values of each patient's images, of shape (P,)."""
    num_patients = int(patients.max()) + 1
    sums: Floats = np.bincount(patient_of_value, values, minlength=num_patients).astype(np.float64)
    return sums


def _variance(above: Floats, below: Floats, num_inside: int, num_outside: int) -> float:
    """Return Obuchowski's variance of an area, or of a difference, from the sums by patient."""
    num_patients = len(above)
    return float(
        (above**2).sum() * num_inside / (num_inside - 1)
        + (below**2).sum() * num_outside / (num_outside - 1)
        + 2.0 * (above * below).sum() * num_patients / (num_patients - 1)
    )


def _share_of_signs(differences: Ints) -> float:
    """Return the share of sign combinations whose sum is at least as far from 0 as observed."""
    observed, farthest = abs(int(differences.sum())), int(np.abs(differences).sum())
    chances = np.zeros(2 * farthest + 1)
    chances[farthest] = 1.0
    for size in np.abs(differences).tolist():
        half = 0.5 * chances
        chances = np.roll(half, size) + np.roll(half, -size)  # values that wrap around are 0
    sums = np.abs(np.arange(-farthest, farthest + 1))
    return min(float(chances[sums >= observed].sum()), 1.0)
