"""What cxr_enhance is timed against computes the same."""

from __future__ import annotations

import numpy as np
import pytest

import cxr_enhance as cxe
from benchmarks.harness import images

cv2 = pytest.importorskip("cv2", exc_type=ImportError)
baselines = pytest.importorskip("benchmarks.harness.baselines")

pytestmark = pytest.mark.opencv


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("shape", [(96, 96), (77, 131)])
def test_the_plain_opencv_chain_equals_the_notebook_and_ours(shape, bits):
    image = images.radiograph(shape, bits)
    notebook = baselines.notebook_chain(image)
    np.testing.assert_array_equal(baselines.opencv_chain(image, baselines.opencv_clahe()), notebook)
    every_value = cxe.EnhanceParams(num_bins=None)
    np.testing.assert_array_equal(cxe.enhance(image, every_value), notebook)


@pytest.mark.parametrize("draw", [images.equal_channels, images.unequal_channels])
def test_the_notebook_equals_ours_on_three_channels(draw):
    image = draw((97, 64))
    np.testing.assert_array_equal(cxe.enhance(image), baselines.notebook_chain(image))


def test_channels_are_equal_or_not_as_their_name_says():
    equal, unequal = images.equal_channels((64, 64)), images.unequal_channels((64, 64))
    assert (equal[..., 0] == equal[..., 1]).all()
    assert (unequal[..., 0] != unequal[..., 1]).any()
    assert (unequal[..., 1] != unequal[..., 2]).any()


def test_the_plain_opencv_white_balance_leaves_a_constant_channel_as_it_is():
    image = np.full((16, 16), 7, np.uint8)
    np.testing.assert_array_equal(baselines.apply_stretch_table(image), image)


@pytest.mark.parametrize("white_balance", [True, False])
@pytest.mark.parametrize("at_a_time", [1, 3])
def test_the_pool_equals_our_batch(white_balance, at_a_time):
    stack = images.stack(7, (48, 80))
    params = cxe.EnhanceParams() if white_balance else cxe.EnhanceParams(percentiles=None)
    with baselines.OpenCVPool(2, white_balance=white_balance, at_a_time=at_a_time) as pool:
        np.testing.assert_array_equal(pool.enhance(stack), cxe.enhance_batch(stack, params))
