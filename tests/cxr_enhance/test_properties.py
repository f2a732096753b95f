"""What holds for every image and every valid option; Hypothesis looks for the exception."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from tests import reference
from tests.helpers import strategies
from tests.helpers.compare import assert_native_and_contiguous, assert_same_image


def params_for(data, image, **fixed):
    options = data.draw(strategies.options(image.dtype)) | fixed
    return EnhanceParams(**options)


def stacks_are_told_from_images(image):
    # A stack of gray images as narrow as that reads as one image with channels, and is refused.
    return image.ndim == 3 or image.shape[1] not in (1, 3, 4)


def shape_of_result(image, params):
    if params.output == "rgb":
        return (*image.shape[:2], 3)
    return image.shape[:2] if image.shape[2:] == (3,) else image.shape


# --- the oracle, on whatever Hypothesis can think of -------------------------------------------


@given(strategies.images(dtypes=[np.uint8]), st.data())
def test_enhance_equals_its_numpy_twin(image, data):
    options = data.draw(strategies.options(image.dtype))
    expected = reference.enhance(image, **options)
    assert_same_image(cxe.enhance(image, EnhanceParams(**options)), expected)


@given(strategies.images(dtypes=[np.uint16], largest_side=20), st.data())
def test_enhance_equals_its_numpy_twin_on_uint16(image, data):
    options = data.draw(strategies.options(image.dtype, max_grid=4))
    expected = reference.enhance(image, **options)
    assert_same_image(cxe.enhance(image, EnhanceParams(**options)), expected)


@given(strategies.images(), strategies.percentile_pairs())
@example(np.array([[0, 255]], np.uint8), (5e-324, 100.0))
@example(np.array([[0, 65535]], np.uint16), (0.0, 1e-306))
def test_white_balance_equals_the_percentile_formula(image, percentiles):
    expected = reference.white_balance(image, percentiles)
    assert_same_image(cxe.white_balance(image, percentiles=percentiles), expected)


@pytest.mark.nojit
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.uint16, 900)])
@pytest.mark.parametrize(
    "options",
    [
        {"tile_grid_size": (3, 2)},
        {"tile_grid_size": (2, 5), "clip_limit": 40.0, "percentiles": None},
        {"tile_grid_size": (5, 1), "clip_limit": 0.0, "bit_shift": 2, "output": "rgb"},
        {"tile_grid_size": (9, 2), "num_bins": 7},
        {"clip_limit": None, "percentiles": (2.0, 98.0), "channel_order": "bgr"},
    ],
    ids=["study", "clahe only", "shifted", "few bins", "white balance only"],
)
def test_small_images_of_every_form_give_the_bytes_of_the_twin(
    channels, dtype, largest, options, rng
):
    shape = (13, 17) if channels is None else (13, 17, channels)
    image = rng.integers(0, largest, shape, dtype, endpoint=True)
    expected = reference.enhance(image, **options)
    assert_same_image(cxe.enhance(image, EnhanceParams(**options)), expected)


# --- what every operation promises -------------------------------------------------------------


@given(strategies.images(), st.data())
def test_enhance_keeps_dtype_and_size_and_touches_no_input(image, data):
    params = params_for(data, image)
    before = image.tobytes()
    result = cxe.enhance(image, params)
    assert image.tobytes() == before
    assert result.dtype == image.dtype
    assert result.shape == shape_of_result(image, params)
    assert_native_and_contiguous(result)
    assert not np.may_share_memory(result, image)


@given(strategies.images(), strategies.percentile_pairs())
def test_white_balance_keeps_dtype_and_shape_and_touches_no_input(image, percentiles):
    before = image.tobytes()
    result = cxe.white_balance(image, percentiles=percentiles)
    assert image.tobytes() == before
    assert (result.dtype, result.shape) == (image.dtype, image.shape)
    assert not np.may_share_memory(result, image)


@given(strategies.images(), strategies.layouts(), st.data())
def test_memory_layout_and_byte_order_do_not_matter(image, layout, data):
    params = params_for(data, image)
    other = layout(image)
    before = other.tobytes()
    result = cxe.enhance(other, params)
    assert_same_image(result, cxe.enhance(image, params))
    assert_native_and_contiguous(result)
    assert other.tobytes() == before


@pytest.mark.parametrize("operation", [cxe.white_balance, cxe.rgb_to_gray])
@given(image=strategies.images(channels=[3]), layout=strategies.layouts())
def test_memory_layout_does_not_matter_to_colour_operations(operation, image, layout):
    result = operation(layout(image))
    assert_same_image(result, operation(image))
    assert_native_and_contiguous(result)


@given(strategies.images(channels=[None, 1]), strategies.layouts(), strategies.tile_grids())
def test_memory_layout_does_not_matter_to_clahe(image, layout, grid):
    result = cxe.clahe(layout(image), tile_grid_size=grid)
    assert_same_image(result, cxe.clahe(image, tile_grid_size=grid))
    assert_native_and_contiguous(result)


@given(strategies.images(), st.data())
def test_out_receives_the_same_bytes_whatever_it_held(image, data):
    params = params_for(data, image)
    expected = cxe.enhance(image, params)
    out = np.full(expected.shape, 171, image.dtype)
    assert cxe.enhance(image, params, out=out) is out
    assert_same_image(out, expected)


@given(strategies.images(), st.data())
def test_a_second_call_gives_the_same_bytes(image, data):
    params = params_for(data, image)
    assert_same_image(cxe.enhance(image, params), cxe.enhance(image, params))


# --- the chain is its steps --------------------------------------------------------------------


@given(strategies.images(), st.data())
def test_enhance_is_white_balance_then_gray_then_clahe(image, data):
    params = params_for(data, image, output="gray")
    step = image
    if params.percentiles is not None:
        step = cxe.white_balance(step, percentiles=params.percentiles)
    if image.shape[2:] == (3,):
        step = cxe.rgb_to_gray(step, channel_order=params.channel_order)
    if params.clip_limit is not None:
        step = cxe.clahe(
            step,
            clip_limit=params.clip_limit,
            tile_grid_size=params.tile_grid_size,
            bit_shift=params.bit_shift,
            num_bins=params.num_bins,
        )
    assert_same_image(cxe.enhance(image, params), step)


@given(strategies.images(), st.data())
def test_rgb_output_is_the_gray_output_three_times(image, data):
    options = data.draw(strategies.options(image.dtype))
    gray = cxe.enhance(image, EnhanceParams(**options | {"output": "gray"}))
    colour = cxe.enhance(image, EnhanceParams(**options | {"output": "rgb"}))
    for channel in range(3):
        assert_same_image(np.ascontiguousarray(colour[..., channel]), gray.reshape(gray.shape[:2]))


@given(strategies.images(channels=[3]), st.data())
def test_swapped_channels_with_swapped_order_change_nothing(image, data):
    options = data.draw(strategies.options(image.dtype)) | {"channel_order": "rgb"}
    swapped = cxe.enhance(image[..., ::-1], EnhanceParams(**options | {"channel_order": "bgr"}))
    assert_same_image(swapped, cxe.enhance(image, EnhanceParams(**options)))


@given(strategies.images(channels=[None]), st.data())
def test_equal_channels_give_what_one_channel_gives(image, data):
    params = params_for(data, image)
    colour = np.repeat(image[..., np.newaxis], 3, axis=2)
    assert_same_image(cxe.enhance(colour, params), cxe.enhance(image, params))


@given(strategies.images(channels=[None]), st.data())
def test_a_channel_axis_of_one_changes_nothing_but_the_shape(image, data):
    params = params_for(data, image, output="gray")
    result = cxe.enhance(image[..., np.newaxis], params)
    assert_same_image(result, cxe.enhance(image, params)[..., np.newaxis])


@given(strategies.images())
def test_with_both_steps_left_out_gray_images_pass_unchanged(image):
    result = cxe.enhance(image, EnhanceParams(percentiles=None, clip_limit=None))
    expected = cxe.rgb_to_gray(image) if image.shape[2:] == (3,) else image
    assert_same_image(result, expected)


# --- batches -----------------------------------------------------------------------------------


@given(
    strategies.images(channels=[None, 1, 3], largest_side=24),
    st.integers(1, 9),
    st.integers(1, 5),
    st.data(),
)
def test_a_batch_equals_the_loop_at_any_thread_count(image, count, num_threads, data):
    assume(stacks_are_told_from_images(image))
    params = params_for(data, image)
    batch = np.stack([np.roll(image, n, axis=1) ^ image.dtype.type(n) for n in range(count)])
    before = batch.tobytes()
    expected = np.stack([cxe.enhance(one, params) for one in batch])
    result = cxe.enhance_batch(batch, params, num_threads=num_threads)
    assert_same_image(result, expected)
    assert batch.tobytes() == before
    out = np.full_like(expected, 200)
    assert cxe.enhance_batch(batch, params, num_threads=num_threads, out=out) is out
    assert_same_image(out, expected)


@given(
    st.lists(strategies.images(largest_side=20), min_size=1, max_size=6),
    st.integers(1, 4),
    strategies.options(np.uint8),
)
def test_a_list_of_unequal_images_equals_the_loop(images, num_threads, options):
    params = EnhanceParams(**options)
    results = cxe.enhance_batch(images, params, num_threads=num_threads)
    assert isinstance(results, list)
    assert len(results) == len(images)
    for result, image in zip(results, images, strict=True):
        assert_same_image(result, cxe.enhance(image, params))


@given(strategies.images(channels=[None, 3], largest_side=20), strategies.layouts())
def test_memory_layout_of_a_batch_does_not_matter(image, layout):
    assume(stacks_are_told_from_images(image))
    batch = np.stack([image, image[::-1]])
    assert_same_image(cxe.enhance_batch(layout(batch)), cxe.enhance_batch(batch))


# --- facts about the operations themselves -----------------------------------------------------


@given(strategies.images(channels=[None]), strategies.clip_limits())
def test_with_one_tile_clahe_never_reverses_an_order(image, clip_limit):
    """One table serves the whole image, and a running sum never falls."""
    result = cxe.clahe(image, clip_limit=clip_limit, tile_grid_size=(1, 1))
    order = np.argsort(image, axis=None, kind="stable")
    steps = np.diff(result.ravel()[order].astype(np.int64))
    assert (steps >= 0).all()
    equal = np.diff(image.ravel()[order].astype(np.int64)) == 0
    assert (steps[equal] == 0).all()


@given(strategies.images(channels=[None], dtypes=[np.uint8]))
def test_with_one_tile_and_no_clipping_the_brightest_value_becomes_the_largest(image):
    result = cxe.clahe(image, clip_limit=0, tile_grid_size=(1, 1))
    assert (result[image == image.max()] == 255).all()


@given(st.integers(0, 255), strategies.sides(), strategies.sides(), strategies.tile_grids())
def test_clahe_of_a_constant_image_is_constant(value, height, width, grid):
    result = cxe.clahe(np.full((height, width), value, np.uint8), tile_grid_size=grid)
    assert result.min() == result.max()


@given(strategies.images(channels=[None]), strategies.clip_limits(), st.randoms())
def test_with_one_tile_clahe_knows_nothing_of_positions(image, clip_limit, random):
    order = list(range(image.size))
    random.shuffle(order)
    options = {"clip_limit": clip_limit, "tile_grid_size": (1, 1)}
    shuffled = cxe.clahe(image.ravel()[order].reshape(image.shape), **options)
    straight = cxe.clahe(image, **options)
    assert_same_image(shuffled.ravel(), straight.ravel()[order])


@pytest.mark.nojit
@pytest.mark.parametrize("shape", [(48, 64), (47, 61)])
def test_with_several_tiles_clahe_does_not_commute_with_a_flip(shape, rng):
    """OpenCV takes a pixel's place at its corner, not its centre, and pads on one side only."""
    image = rng.integers(0, 256, shape, np.uint8)
    flipped = cxe.clahe(image[:, ::-1], tile_grid_size=(4, 4))
    assert not np.array_equal(flipped[:, ::-1], cxe.clahe(image, tile_grid_size=(4, 4)))


@given(st.integers(0, 63), st.integers(0, 47), st.integers(0, 2**32 - 1))
def test_a_pixel_reaches_no_further_than_the_neighbouring_tiles(x, y, seed):
    image = np.random.default_rng(seed).integers(0, 256, (48, 64), np.uint8)
    changed = image.copy()
    changed[y, x] ^= 255
    differs = cxe.clahe(changed, tile_grid_size=(8, 6)) != cxe.clahe(image, tile_grid_size=(8, 6))
    rows, columns = np.nonzero(differs)  # tiles of 8 x 8
    assert (np.abs(rows // 8 - y // 8) <= 1).all()
    assert (np.abs(columns // 8 - x // 8) <= 1).all()


@given(strategies.images(channels=[None, 3]), strategies.percentile_pairs())
def test_white_balance_never_reverses_an_order(image, percentiles):
    result = cxe.white_balance(image, percentiles=percentiles)
    for before, after in zip(
        np.moveaxis(image.reshape(*image.shape[:2], -1), 2, 0),
        np.moveaxis(result.reshape(*image.shape[:2], -1), 2, 0),
        strict=True,
    ):
        order = np.argsort(before, axis=None)
        assert (np.diff(after.ravel()[order].astype(np.int64)) >= 0).all()


@given(strategies.images())
def test_white_balance_over_the_whole_range_fills_it(image):
    """Smallest to 0, largest to the dtype's largest, in each channel that is not constant."""
    result = cxe.white_balance(image, percentiles=(0, 100))
    planes = zip(
        np.moveaxis(image.reshape(*image.shape[:2], -1), 2, 0),
        np.moveaxis(result.reshape(*image.shape[:2], -1), 2, 0),
        strict=True,
    )
    for before, after in planes:
        if before.min() == before.max():
            assert_same_image(np.ascontiguousarray(after), np.ascontiguousarray(before))
        else:
            assert after.min() == 0
            assert after.max() == np.iinfo(image.dtype).max


@given(strategies.images())
def test_white_balance_over_the_whole_range_is_idempotent(image):
    """On a channel from 0 to F the formula is v * F / F, which is v exactly: no product rounds."""
    once = cxe.white_balance(image, percentiles=(0, 100))
    assert_same_image(cxe.white_balance(once, percentiles=(0, 100)), once)


@given(strategies.images(), strategies.percentile_pairs())
def test_white_balance_knows_nothing_of_positions(image, percentiles):
    flipped = cxe.white_balance(image[::-1, ::-1], percentiles=percentiles)
    straight = cxe.white_balance(image, percentiles=percentiles)
    assert_same_image(np.ascontiguousarray(flipped[::-1, ::-1]), straight)


@given(strategies.images(channels=[3]))
def test_gray_lies_between_the_smallest_and_the_largest_channel(image):
    gray = cxe.rgb_to_gray(image)
    assert (gray >= image.min(axis=2)).all()
    assert (gray <= image.max(axis=2)).all()


@given(strategies.images(channels=[None], dtypes=[np.uint16]), st.integers(0, 15))
def test_bit_shift_leaves_the_low_bits_zero(image, bit_shift):
    result = cxe.clahe(image, tile_grid_size=(3, 2), bit_shift=bit_shift)
    assert (result & ((1 << bit_shift) - 1) == 0).all()


@given(strategies.images(channels=[None], dtypes=[np.uint16]), st.integers(1, 15))
def test_bit_shift_ignores_the_low_bits(image, bit_shift):
    cleared = image >> bit_shift << bit_shift
    options = {"tile_grid_size": (3, 2), "bit_shift": bit_shift}
    assert_same_image(cxe.clahe(image, **options), cxe.clahe(cleared, **options))


# --- the params record -------------------------------------------------------------------------


@given(strategies.options(np.uint16))
def test_params_survive_json_pickle_and_copy(options):
    params = EnhanceParams(**options)
    assert EnhanceParams.from_json(params.to_json()) == params
    assert EnhanceParams(**json.loads(params.to_json())) == params
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(params, protocol)) == params
    assert copy.deepcopy(params) == params


@given(strategies.options(np.uint16), strategies.options(np.uint16))
def test_params_are_equal_exactly_when_their_options_are(first, second):
    one, other = EnhanceParams(**first), EnhanceParams(**second)
    assert (one == other) == (first == second)
    assert hash(EnhanceParams(**first)) == hash(one)
    assert (one.to_json() == other.to_json()) == (first == second)


@pytest.mark.parametrize("name", ["clip_limit", "tile_grid_size", "no_such_option"])
def test_params_cannot_be_changed(name):
    params = EnhanceParams()
    with pytest.raises((AttributeError, TypeError)):
        setattr(params, name, 3)
    assert params == EnhanceParams()


def test_no_params_mean_the_defaults(rng):
    image = rng.integers(0, 256, (45, 52, 3), np.uint8)
    assert_same_image(cxe.enhance(image), cxe.enhance(image, EnhanceParams()))
    assert_same_image(cxe.enhance(image, None), cxe.enhance(image, EnhanceParams()))
