"""CLAHE with fewer bins than values: byte for byte its slow twin, and what it is for."""

from __future__ import annotations

import dataclasses
import itertools
import pickle

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from cxr_enhance.synthetic import synthetic_radiograph
from tests import reference
from tests.helpers.compare import assert_same_image
from tests.helpers.images import CONTENTS, KINDS, make_image

BINS = [2, 3, 64, 255, 256, 257, 1000, 65_535]
SIZES = [(1, 1), (1, 97), (37, 53), (96, 160), (129, 128)]
GRIDS = [(1, 1), (8, 8), (16, 4), (4, 7), (9, 2)]
CLIPS = [0.0, 0.5, 2.0, 40.0]


def cases():
    """Every (bins, size, grid) once, every (bins, clip limit, kind) at least once."""
    clips, contents, kinds = map(itertools.cycle, (CLIPS, CONTENTS, KINDS))
    found = [
        (bins, size, grid, next(clips), next(contents), next(kinds))
        for bins, size, grid in itertools.product(BINS, SIZES, GRIDS)
    ]
    for bins, clip, kind in itertools.product(BINS, CLIPS, KINDS):
        found.append((bins, (67, 71), (4, 7), clip, next(contents), kind))
    return found


@pytest.mark.parametrize("case", cases(), ids=lambda case: "-".join(map(str, case)))
def test_clahe_equals_its_twin(case):
    bins, size, grid, clip, content, kind = case
    image = make_image(content, *size, kind)
    actual = cxe.clahe(image, clip_limit=clip, tile_grid_size=grid, num_bins=bins)
    assert_same_image(actual, reference.clahe(image, clip, grid, num_bins=bins))


@pytest.mark.nojit
@pytest.mark.parametrize("clip", [0.0, 2.0, 8.0])
@pytest.mark.parametrize(
    ("kind", "bits", "bins", "size", "grid"),
    [
        ("uint16", 16, 16, (9, 23), (3, 2)),
        ("uint16", 12, 40, (12, 16), (9, 1)),
        ("uint16", 5, 7, (13, 8), (2, 3)),
        ("uint8", 8, 20, (11, 17), (2, 2)),
        ("uint8", 6, 33, (8, 8), (8, 1)),
        ("uint8", 3, 2, (5, 7), (1, 1)),
    ],
)
def test_small_images_equal_the_twin_with_and_without_compilation(
    kind, bits, bins, size, grid, clip
):
    dtype = np.dtype(kind)
    image = (make_image("noise", *size, kind) >> (8 * dtype.itemsize - bits)).astype(dtype)
    options = {"clip_limit": clip, "tile_grid_size": grid, "num_bins": bins, "bits": bits}
    expected = reference.clahe(image, clip, grid, num_bins=bins, bits=bits)
    assert_same_image(cxe.clahe(image, **options), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("bins", [100, 256, 1000, None])
def test_enhance_equals_its_twin(kind, channels, bins):
    for content in CONTENTS:
        image = make_image(content, 67, 71, kind, channels)
        params = EnhanceParams(tile_grid_size=(5, 9), num_bins=bins)
        expected = reference.enhance(image, tile_grid_size=(5, 9), num_bins=bins)
        assert_same_image(cxe.enhance(image, params), expected)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("bits", [2, 5, 8, 12, 16])
@pytest.mark.parametrize("bins", [2, 64, 256, None])
def test_images_of_fewer_bits_equal_their_twin(kind, bits, bins):
    dtype = np.uint8 if kind == "uint8" else np.uint16
    if bits > 8 * np.dtype(dtype).itemsize:
        bits -= 8
    for content in CONTENTS:
        image = (make_image(content, 45, 52, kind) >> (8 * dtype().itemsize - bits)).astype(dtype)
        options = {"tile_grid_size": (3, 4), "num_bins": bins, "bits": bits}
        expected = reference.enhance(image, **options)
        assert_same_image(cxe.enhance(image, EnhanceParams(**options)), expected)
        expected = reference.clahe(image, 3.0, (3, 4), 0, bins, bits)
        assert_same_image(cxe.clahe(image, clip_limit=3.0, **options), expected)
        expected = reference.white_balance(image, (2.0, 98.0), bits)
        balanced = cxe.white_balance(image, percentiles=(2.0, 98.0), bits=bits)
        assert_same_image(balanced, expected)


@pytest.mark.parametrize("bits", range(2, 17))
def test_each_remainder_at_each_depth_gives_the_fraction_rounded_once(bits):
    """`place_row` multiplies where its definition divides."""
    white = 2**bits - 1
    remainder = np.arange(white, dtype=np.float32)
    exact = 2.0**-bits
    first, second = np.float32(exact), np.float32(1 / white - exact)
    expected = (np.arange(white) / white).astype(np.float32)
    np.testing.assert_array_equal(remainder * first + remainder * second, expected)
    np.testing.assert_array_equal(remainder / np.float32(white), expected)


def test_many_tiles_and_very_many_bins_equal_the_twin():
    """Pairs are packed a few cells at a time where they are many."""
    image = make_image("radiograph", 40, 300, "uint16")
    for grid, bins in (((150, 2), 256), ((33, 3), 40_000), ((9, 1), 65_535)):
        actual = cxe.clahe(image, tile_grid_size=grid, num_bins=bins)
        assert_same_image(actual, reference.clahe(image, 2.0, grid, num_bins=bins))


def test_the_result_may_be_written_over_the_input_of_a_later_step():
    """White balance and CLAHE by bins share one array inside `enhance`."""
    image = make_image("radiograph", 203, 187, "uint16")
    params = EnhanceParams(tile_grid_size=(7, 5))
    balanced = cxe.white_balance(image)
    expected = cxe.clahe(balanced, tile_grid_size=(7, 5), num_bins=256)
    assert_same_image(cxe.enhance(image, params), expected)
    stack = np.stack([image, image[::-1]])
    assert_same_image(cxe.enhance_batch(stack, params, num_threads=2)[0], expected)


# --- what OpenCV gives -------------------------------------------------------------------------


@pytest.mark.opencv
@pytest.mark.parametrize(("kind", "values"), [("uint8", 256), ("uint16", 65_536)])
def test_as_many_bins_as_values_give_opencv_s_bytes(kind, values):
    import cv2

    for content, clip in itertools.product(CONTENTS, CLIPS):
        image = make_image(content, 67, 71, kind)
        expected = cv2.createCLAHE(clip, (4, 3)).apply(image)
        # The definition, taken literally, and the kernels, which take the faster way.
        twin = reference.clahe_by_bins(image, clip, (4, 3), values, values - 1)
        assert_same_image(twin, expected)
        for bins in (values, 65_536, None):
            actual = cxe.clahe(image, clip_limit=clip, tile_grid_size=(4, 3), num_bins=bins)
            assert_same_image(actual, expected)


@pytest.mark.opencv
def test_the_defaults_do_not_change_a_byte_of_uint8():
    image = make_image("radiograph", 203, 187)
    assert_same_image(cxe.enhance(image), reference.notebook_chain(image))
    assert_same_image(cxe.enhance(image), cxe.enhance(image, EnhanceParams(num_bins=None)))


@pytest.mark.opencv
@pytest.mark.parametrize("clip", [1.0, 2.0, 4.0, 8.0])
def test_the_limit_means_at_16_bits_what_it_means_at_8(clip):
    """The same image 257 times as bright: at most one level of 255 apart."""
    import cv2

    image = synthetic_radiograph(480, 460, seed=3)
    expected = cv2.createCLAHE(clip, (16, 16)).apply(image)
    actual = cxe.clahe(image.astype(np.uint16) * 257, clip_limit=clip, num_bins=256)
    assert np.abs(actual / 257 - expected).max() <= 1


# --- a knob that works -------------------------------------------------------------------------


def local_contrast(image, bits):
    """Mean deviation within squares of 16 pixels, in parts of the range."""
    squares = image[: image.shape[0] // 16 * 16, : image.shape[1] // 16 * 16] / (2.0**bits - 1)
    squares = squares.reshape(image.shape[0] // 16, 16, -1, 16)
    return squares.std(axis=(1, 3)).mean()


def test_every_value_a_bin_makes_the_limit_a_dead_knob_and_256_bins_revive_it():
    image = synthetic_radiograph(920, 977, seed=1, bits=16)
    dead = [cxe.clahe(image, clip_limit=clip) for clip in (1.0, 2.0, 4.0, 8.0, 16.0)]
    for other in dead[1:]:
        assert_same_image(other, dead[0])
    alive = [cxe.clahe(image, clip_limit=clip, num_bins=256) for clip in (1.0, 2.0, 4.0, 8.0)]
    contrasts = [local_contrast(result, 16) for result in alive]
    assert contrasts == sorted(contrasts)
    assert contrasts[-1] > 1.5 * contrasts[0]
    assert min(len(np.unique(result)) for result in alive) > 40_000  # no gray level is lost


@pytest.mark.parametrize("clip", [1.0, 2.0, 4.0, 8.0])
def test_a_radiograph_looks_alike_at_12_14_and_16_bits(clip):
    """The same radiograph, rounded to fewer bits: local contrast within 5 %."""
    deep = synthetic_radiograph(920, 977, seed=1, bits=16)
    expected = local_contrast(cxe.clahe(deep, clip_limit=clip, num_bins=256), 16)
    for bits in (12, 14):
        image = np.rint(deep / 65_535 * (2**bits - 1)).astype(np.uint16)
        result = cxe.clahe(image, clip_limit=clip, num_bins=256, bits=bits)
        assert result.max() < 2**bits
        assert local_contrast(result, bits) == pytest.approx(expected, rel=0.05)
    image = np.rint(deep / 257).astype(np.uint8)
    result = cxe.clahe(image, clip_limit=clip)
    assert local_contrast(result, 8) == pytest.approx(expected, rel=0.05)


def test_twelve_bits_in_sixteen_stay_dark_unless_bits_says_so():
    image = synthetic_radiograph(977, 920, seed=1, bits=12)
    assert len(np.unique((2 * np.arange(4096) * 255 + 65_535) // (2 * 65_535))) == 17
    assert cxe.clahe(image, num_bins=256).max() == 8_348
    assert 3_900 < cxe.clahe(image, num_bins=256, bits=12).max() <= 4_095


# --- the record --------------------------------------------------------------------------------


def test_a_bit_shift_alone_counts_every_value_that_it_leaves():
    assert EnhanceParams(bit_shift=4).num_bins is None
    assert EnhanceParams(bit_shift=4) == EnhanceParams(bit_shift=4, num_bins=None)
    assert EnhanceParams().num_bins == 256
    assert type(EnhanceParams().num_bins) is int
    with pytest.raises(ValueError, match=r"num_bins=256 and bit_shift=4\. Use num_bins=None"):
        dataclasses.replace(EnhanceParams(), bit_shift=4)


def test_a_record_stored_before_there_were_bins_counts_every_value():
    stored = '{"clip_limit": 3.0, "bit_shift": 0}'
    assert EnhanceParams.from_json(stored) == EnhanceParams(clip_limit=3.0, num_bins=None)
    assert EnhanceParams.from_dict({}) == EnhanceParams(num_bins=None)
    assert EnhanceParams.from_json(EnhanceParams().to_json()).num_bins == 256


def test_a_record_pickled_before_there_were_bins_keeps_its_options():
    """Bytes of `pickle.dumps` with the records of then."""
    stored = (
        b"\x80\x02ccxr_enhance._params\nEnhanceParams\nq\x00)\x81q\x01]q\x02(G?\xa9\x99\x99\x99\x99\x99"
        b"\x9aG@X\xfc\xcc\xcc\xcc\xcc\xcd\x86q\x03G@\x08\x00\x00\x00\x00\x00\x00K\x10K\x10\x86q\x04K\x02X\x03\x00"
        b"\x00\x00bgrq\x05X\x03\x00\x00\x00rgbq\x06eb."
    )
    expected = EnhanceParams(clip_limit=3.0, bit_shift=2, channel_order="bgr", output="rgb")
    assert pickle.loads(stored) == expected
    stored = (
        b"\x80\x02ccxr_enhance._clahe\nCLAHE\nq\x00)\x81q\x01]q\x02(G@\x08\x00\x00\x00\x00\x00\x00K\x04K"
        b"\x05\x86q\x03eb."
    )
    assert pickle.loads(stored) == cxe.CLAHE(3.0, (4, 5))
    for now in (EnhanceParams(num_bins=99, bits=12), cxe.CLAHE(3.0, num_bins=99, bits=12)):
        assert pickle.loads(pickle.dumps(now)) == now
