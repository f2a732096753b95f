"""Two models on the same images: DeLong's test of areas, McNemar's test of who is right.

Both take images as independent; the bootstrap over patients does not, and stands beside them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest, rankdata

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]


def delong(positive: Bools, one: Floats, other: Floats) -> dict[str, Any]:
    """Test whether two scores of the same images have the same area under the ROC curve.

    Parameters
    ----------
    positive : ndarray of shape (N,), dtype bool
        Which images are of the class.
    one, other : ndarray of shape (N,), dtype float64
        Two scores of it.

    Returns
    -------
    dict
        ``areas``, ``difference`` (the first less the second), ``standard_error``, ``z`` and
        ``p_value``, two-sided; None with a ``reason`` where they are undefined.

    References
    ----------
    .. [1] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more
           correlated receiver operating characteristic curves", Biometrics 44, 1988.
    .. [2] X. Sun, W. Xu, "Fast implementation of DeLong's algorithm", IEEE Signal Processing
           Letters 21, 2014.
    """
    undefined = dict.fromkeys(("areas", "difference", "standard_error", "z", "p_value"))
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        missing = "of this class" if not positives else "of another class"
        return {**undefined, "reason": f"no image {missing}"}
    scores = np.stack([one, other])
    inside, outside = scores[:, positive], scores[:, ~positive]
    # Each image's share of the other kind that it is rightly above or below, ties half.
    mixed = rankdata(np.concatenate([inside, outside], axis=1), axis=1)
    above = (mixed[:, :positives] - rankdata(inside, axis=1)) / negatives
    below = 1.0 - (mixed[:, positives:] - rankdata(outside, axis=1)) / positives
    areas = above.mean(axis=1)
    difference = float(areas[0] - areas[1])
    told = {"areas": [float(area) for area in areas], "difference": difference}
    if min(positives, negatives) < 2:
        return {**undefined, **told, "reason": "a variance needs two images of each kind"}
    variance = np.var(above[0] - above[1], ddof=1) / positives
    variance += np.var(below[0] - below[1], ddof=1) / negatives
    if variance <= 1e-20:
        return {**undefined, **told, "reason": "the two order the images alike"}
    error = math.sqrt(float(variance))
    z = difference / error
    p_value = math.erfc(abs(z) / math.sqrt(2.0))
    return {**told, "standard_error": error, "z": z, "p_value": p_value}


def mcnemar(one_right: Bools, other_right: Bools) -> dict[str, Any]:
    """Test whether two models are right equally often on the same images, exactly.

    Parameters
    ----------
    one_right, other_right : ndarray of shape (N,), dtype bool
        Which images each gets right.

    Returns
    -------
    dict
        ``both_right``, ``only_first``, ``only_second``, ``both_wrong`` as counts, and the two-sided
        ``p_value`` of the binomial test on the images that one of them gets right; 1 where there
        are none.

    References
    ----------
    .. [1] Q. McNemar, "Note on the sampling error of the difference between correlated proportions
           or percentages", Psychometrika 12, 1947.
    """
    first = int((one_right & ~other_right).sum())
    second = int((~one_right & other_right).sum())
    p_value = float(binomtest(first, first + second).pvalue) if first + second else 1.0
    return {
        "both_right": int((one_right & other_right).sum()),
        "only_first": first,
        "only_second": second,
        "both_wrong": int((~one_right & ~other_right).sum()),
        "p_value": p_value,
    }
