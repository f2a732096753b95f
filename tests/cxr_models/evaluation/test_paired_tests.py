import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from scipy import stats

from cxr_models.evaluation.paired_tests import delong, holm, mcnemar


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
    told = delong(positive, *scores, np.arange(90))
    assert told.areas == pytest.approx(areas)
    assert told.standard_error == pytest.approx(np.sqrt(variance))
    assert told.z == pytest.approx(z)
    assert told.p_value == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_delong_gives_the_areas_and_error_computed_by_hand():
    # Ten positives, ten negatives. The first score orders all pairs, the second half of them.
    positive = np.arange(20) < 10
    second = np.where(positive, np.where(np.arange(20) < 5, 3.0, 1.0), 2.0)
    told = delong(positive, 1.0 * positive, second, np.arange(20))
    assert told.areas == (1.0, 0.5)
    # Components of the second: positives 1 and 0, negatives all 1/2; variances 5/18 and 0.
    assert told.standard_error == pytest.approx(np.sqrt(5 / 18 / 10))


def test_delong_finds_a_difference_by_chance_as_often_as_it_says():
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(400):
        positive = np.arange(120) < 50
        shared = rng.normal(size=120) + positive
        found += (
            delong(positive, *(shared + rng.normal(size=(2, 120))), np.arange(120)).p_value < 0.05
        )
    assert 0.02 <= found / 400 <= 0.085


@pytest.mark.parametrize(
    ("positive", "one", "other", "reason"),
    [
        ([False, False], [1, 2], [2, 1], "no image of this class"),
        ([True, True], [1, 2], [2, 1], "no image of another class"),
        (
            [True] * 9 + [False] * 10,
            range(19),
            range(19),
            "9 patients with the class, fewer than 10",
        ),
        ([True, False] * 10, range(20), range(0, 40, 2), "both models rank the images alike"),
    ],
)
def test_delong_says_why_there_is_no_test(positive, one, other, reason):
    patients = np.arange(len(positive))
    told = delong(np.array(positive), np.array(one, float), np.array(other, float), patients)
    assert told.p_value is None
    assert told.reason == reason


def test_mcnemar_counts_and_is_the_exact_test(rng):
    one, other = rng.uniform(size=200) < 0.9, rng.uniform(size=200) < 0.8
    told = mcnemar(one, other, np.arange(200))
    table = [told.both_right, told.only_first, told.only_second, told.both_wrong]
    assert sum(table) == 200
    assert table[0] + table[1] == one.sum()
    assert table[0] + table[2] == other.sum()
    smaller, discordant = min(table[1:3]), table[1] + table[2]
    assert told.p_value == pytest.approx(2 * stats.binom.cdf(smaller, discordant, 0.5))


def test_mcnemar_of_five_against_none_by_hand():
    one, other = np.ones(8, bool), np.arange(8) >= 5
    assert mcnemar(one, other, np.arange(8)).p_value == 2 / 2**5
    assert mcnemar(one, one, np.arange(8)).p_value == 1.0


def clustered(rng, patients, images, *, likeness=0.7):
    """Give the class of each image of patients, and two equally good scores alike within each."""
    whom = np.repeat(np.arange(patients), images)
    positive = rng.uniform(size=patients)[whom] < 0.5
    own = rng.normal(size=(2, patients))[:, whom] * np.sqrt(likeness)
    scores = positive + own + rng.normal(size=(2, len(whom))) * np.sqrt(1 - likeness)
    return positive, scores, whom


def variance_by_obuchowski(positive, scores, whom):
    """Do as the paper of 1997 does: sums of components within each patient, three sums of products.

    The variance of a difference is V11 + V22 - 2 V12, each made by the same formula.
    """
    inside, outside = scores[:, positive], scores[:, ~positive]
    kernel = (inside[:, :, None] > outside[:, None, :]) + 0.5 * (
        inside[:, :, None] == outside[:, None, :]
    )
    areas, m, n = kernel.mean(axis=(1, 2)), positive.sum(), (~positive).sum()
    x, y = kernel.mean(axis=2) - areas[:, None], kernel.mean(axis=1) - areas[:, None]
    names = np.unique(whom)
    sums = np.array([
        [[x[r][whom[positive] == i].sum(), y[r][whom[~positive] == i].sum()] for i in names]
        for r in range(2)
    ])  # fmt: skip
    ill, well, both = len(set(whom[positive])), len(set(whom[~positive])), len(names)
    covariance = np.empty((2, 2))
    for r in range(2):
        for s in range(2):
            s10 = (sums[r, :, 0] * sums[s, :, 0]).sum() * ill / ((ill - 1) * m)
            s01 = (sums[r, :, 1] * sums[s, :, 1]).sum() * well / ((well - 1) * n)
            s11 = (sums[r, :, 0] * sums[s, :, 1]).sum() * both / (both - 1)
            s11_other = (sums[s, :, 0] * sums[r, :, 1]).sum() * both / (both - 1)
            covariance[r, s] = s10 / m + s01 / n + (s11 + s11_other) / (m * n)
    return covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]


def test_images_of_one_patient_have_obuchowskis_variance(rng):
    whom = rng.integers(0, 40, 150)  # patients with images of both kinds among them
    whom = np.unique(whom, return_inverse=True)[1]
    positive = rng.uniform(size=150) < 0.4
    scores = (rng.normal(size=(2, 150)) + positive).round(1)
    told = delong(positive, *scores, whom)
    variance = variance_by_obuchowski(positive, scores, whom)
    assert told.standard_error == pytest.approx(np.sqrt(variance))


def test_the_exact_test_of_patients_is_that_of_all_signs(rng):
    whom = np.repeat(np.arange(12), 3)
    one, other = rng.uniform(size=(2, 36)) < 0.6
    differences = np.bincount(whom, 1.0 * one - other)

    def total(values, axis):
        return values.sum(axis=axis)

    every = stats.permutation_test(
        (differences,), total, permutation_type="samples", n_resamples=np.inf
    )
    assert mcnemar(one, other, whom).p_value == pytest.approx(every.pvalue)


def test_images_that_resemble_each_other_make_no_difference_out_of_nothing():
    rng = np.random.default_rng(4)
    found = np.zeros(4)
    for _ in range(300):
        positive, scores, whom = clustered(rng, 60, 5)
        right = [(score > 0.5) == positive for score in scores]
        alone = np.arange(300)
        tests = (
            delong(positive, *scores, whom),
            mcnemar(*right, whom),
            delong(positive, *scores, alone),
            mcnemar(*right, alone),
        )
        found += [told.p_value < 0.05 for told in tests]
    assert (found[:2] / 300 <= 0.085).all(), found
    assert (found[2:] / 300 >= 0.15).all(), found  # what taking images as independent would do


def test_holm_is_that_computed_by_hand():
    # The smallest times 4, the next times 3, and so on; none below one before it, none above 1.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, None, 0.7]) == [1.0, None, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
