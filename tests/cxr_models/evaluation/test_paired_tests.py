import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from scipy import stats

from cxr_models.evaluation.paired_tests import delong, mcnemar


def delong_by_pairs(positive, scores):
    """Do as the paper of 1988 does: kernel of every pair, components, covariance matrices."""
    inside, outside = scores[:, positive], scores[:, ~positive]
    kernel = (inside[:, :, None] > outside[:, None, :]) + 0.5 * (
        inside[:, :, None] == outside[:, None, :]
    )
    by_positive, by_negative = kernel.mean(axis=2), kernel.mean(axis=1)
    covariance = np.cov(by_positive) / inside.shape[1] + np.cov(by_negative) / outside.shape[1]
    return kernel.mean(axis=(1, 2)), covariance


@pytest.mark.parametrize("decimals", [0, 1, 8], ids=["many-ties", "ties", "no-ties"])
def test_delong_is_the_test_of_its_paper(rng, decimals):
    positive = rng.uniform(size=90) < 0.3
    shared = rng.normal(size=90) + positive
    scores = np.stack([shared + rng.normal(size=90), shared + 2 * rng.normal(size=90)])
    scores = scores.round(decimals)
    areas, covariance = delong_by_pairs(positive, scores)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    z = (areas[0] - areas[1]) / np.sqrt(variance)
    told = delong(positive, *scores)
    assert told["areas"] == pytest.approx(areas)
    assert told["standard_error"] == pytest.approx(np.sqrt(variance))
    assert told["z"] == pytest.approx(z)
    assert told["p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_delong_by_hand():
    # Two positives, two negatives. The first score orders all pairs, the second half of them.
    positive = np.array([True, True, False, False])
    told = delong(positive, np.array([4.0, 3.0, 2.0, 1.0]), np.array([4.0, 1.0, 2.0, 3.0]))
    assert told["areas"] == [1.0, 0.5]
    # Components of the second: positives 1 and 0, negatives 1/2 and 1/2; variances 1/2 and 0.
    assert told["standard_error"] == pytest.approx(np.sqrt(0.5 / 2 + 0 / 2))


def test_delong_finds_a_difference_by_chance_as_often_as_it_says():
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(400):
        positive = np.arange(120) < 50
        shared = rng.normal(size=120) + positive
        found += delong(positive, *(shared + rng.normal(size=(2, 120))))["p_value"] < 0.05
    assert 0.02 <= found / 400 <= 0.085


@pytest.mark.parametrize(
    ("positive", "one", "other", "reason"),
    [
        ([False, False], [1, 2], [2, 1], "no image of this class"),
        ([True, True], [1, 2], [2, 1], "no image of another class"),
        ([True, False, False], [1, 2, 3], [2, 1, 0], "a variance needs two images of each kind"),
        ([True, True, False, False], [1, 3, 2, 4], [2, 6, 4, 8], "the two order the images alike"),
    ],
)
def test_delong_says_why_there_is_no_test(positive, one, other, reason):
    told = delong(np.array(positive), np.array(one, float), np.array(other, float))
    assert told["p_value"] is None
    assert told["reason"] == reason


def test_mcnemar_counts_and_is_the_exact_test(rng):
    one, other = rng.uniform(size=200) < 0.9, rng.uniform(size=200) < 0.8
    told = mcnemar(one, other)
    table = [told[n] for n in ("both_right", "only_first", "only_second", "both_wrong")]
    assert sum(table) == 200
    assert table[0] + table[1] == one.sum()
    assert table[0] + table[2] == other.sum()
    smaller, discordant = min(table[1:3]), table[1] + table[2]
    assert told["p_value"] == pytest.approx(2 * stats.binom.cdf(smaller, discordant, 0.5))


def test_mcnemar_of_five_against_none_by_hand():
    one, other = np.ones(8, bool), np.arange(8) >= 5
    assert mcnemar(one, other)["p_value"] == 2 / 2**5
    assert mcnemar(one, one)["p_value"] == 1.0
