"""Counting the two ends of an image alone: the same stretch, or none of it."""

from __future__ import annotations

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._kernels.jit import kernel
from cxr_enhance._kernels.plan import Plan
from cxr_enhance._kernels.tails import count_tails
from cxr_enhance.synthetic import synthetic_radiograph
from tests import reference
from tests.helpers.compare import assert_same_image
from tests.helpers.images import CONTENTS, hash_values, make_image

CUTS = [(0.05, 99.95), (0.0, 100.0), (1.0, 99.5)]


@kernel
def counted_far_enough(src, counts, *fields):
    return count_tails(src, Plan(*fields), counts)


def tails_of(image, cuts):
    """Counts, and whether they go far enough."""
    counts = np.empty(65_536, np.int64)
    plan = plan_of(image.shape, image.dtype, EnhanceParams(percentiles=cuts, clip_limit=None))
    return counts, counted_far_enough(image, counts, *plan)


def many_middles(height, width):
    """Noise whose pixels in some corners alone are dark or bright."""
    image = (20_000 + hash_values(height, width, 1) % np.uint64(20_000)).astype(np.uint16)
    image[:, :3] = hash_values(height, 3, 2) % np.uint64(9_000)
    image[:, -4:] = 50_000 + hash_values(height, 4, 3) % np.uint64(15_536)
    return image


@pytest.mark.nojit
@pytest.mark.parametrize("cuts", CUTS)
def test_percentiles_of_the_counts_are_those_of_the_pixels(cuts):
    for image in (many_middles(33, 300), make_image("noise", 33, 150, "uint16")):
        counts, enough = tails_of(image, cuts)
        assert enough
        assert counts.sum() == image.size
        for cut in cuts:
            found = reference.percentile_of_counts(counts, cut)
            assert found == np.percentile(image, cut)


def test_the_middle_is_not_counted_value_by_value():
    image = many_middles(64, 640)
    counts, enough = tails_of(image, (0.05, 99.95))
    exact = np.bincount(image.ravel(), minlength=65_536)
    assert enough
    assert counts.sum() == image.size
    assert (counts != exact).any()
    differing = np.flatnonzero(counts != exact)
    assert image.min() < differing[0] < differing[-1] < image.max()


@pytest.mark.nojit
@pytest.mark.parametrize("value", [0, 7, 65_534, 65_535])
def test_an_image_of_one_value_or_two_neighbours_has_no_middle(value):
    image = np.full((40, 64), value, np.uint16)
    assert not tails_of(image, (0.05, 99.95))[1]
    image[::3] = min(value + 1, 65_535)
    assert not tails_of(image, (0.05, 99.95))[1]


@pytest.mark.nojit
def test_rows_unlike_the_others_and_images_without_such_rows_are_found_out():
    """Every sixteenth row says how dark is dark: here they are darker, or brighter, than all."""
    image = (30_000 + hash_values(48, 64, 1) % np.uint64(9_000)).astype(np.uint16)
    assert tails_of(image, (1.0, 99.0))[1]
    assert not tails_of(image[:5], (1.0, 99.0))[1]
    for others in (np.arange(64), 65_000 + np.arange(64)):
        image[8::16] = others
        assert not tails_of(image, (1.0, 99.0))[1]


@pytest.mark.parametrize("cuts", [*CUTS, (2.0, 98.0)])
@pytest.mark.parametrize("size", [(1024, 520), (7, 75_000), (75_000, 7), (723, 725), (725, 725)])
def test_large_images_equal_the_twin_on_both_sides_of_large(cuts, size):
    """2**19 pixels are large; of these sizes, 723 x 725 alone is smaller."""
    for content in CONTENTS:
        image = make_image(content, *size, "uint16")
        expected = reference.white_balance(image, cuts)
        assert_same_image(cxe.white_balance(image, percentiles=cuts), expected)


@pytest.mark.parametrize("bits", [12, 14, 16])
@pytest.mark.parametrize("bins", [256, None])
def test_large_radiographs_equal_the_twin_fused_and_in_batches(bits, bins):
    image = synthetic_radiograph(1000, 700, seed=3, bits=bits)
    params = EnhanceParams(tile_grid_size=(3, 2), num_bins=bins)
    expected = reference.enhance(image, tile_grid_size=(3, 2), num_bins=bins)
    assert_same_image(cxe.enhance(image, params), expected)
    stack = np.stack([image, image[:, ::-1]])
    assert_same_image(cxe.enhance_batch(stack, params, num_threads=2)[0], expected)
