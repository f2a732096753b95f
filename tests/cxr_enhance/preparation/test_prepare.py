"""The step does what OpenCV, NumPy and `enhance` do one after the other."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxr_enhance as cxe
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image
from tests.helpers.strategies import images, layouts

cv2 = pytest.importorskip("cv2", reason='needs pip install "cxr-enhance[cli]"')

HOW = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
PARAMS = cxe.EnhanceParams(tile_grid_size=(3, 2))


def prepared(image, **options):
    return cxe.prepare(image, cxe.Preparation(**{"params": PARAMS, **options}))


def resized(image, size, how="area"):
    if image.shape[:2] == size:
        return image
    done = cv2.resize(image, size[::-1], interpolation=HOW[how])
    return done.reshape(*size, *image.shape[2:])


def by_hand(image, size, fit):
    """Pad and crop as one writes them with OpenCV, the size worked out by another way."""
    (height, width), (high, wide) = image.shape[:2], size
    if fit == "pad":
        scale = min(high / height, wide / width)
        # Halves go up, and what floating point makes of them is not looked at closely.
        inside = tuple(max(int(np.floor(s * scale + 0.5 + 1e-9)), 1) for s in (height, width))
        done = resized(image, inside)
        top, left = (high - inside[0]) // 2, (wide - inside[1]) // 2
        below, right = high - inside[0] - top, wide - inside[1] - left
        padded = cv2.copyMakeBorder(done, top, below, left, right, cv2.BORDER_CONSTANT, value=0)
        return padded.reshape(*size, *image.shape[2:])
    if fit == "crop":
        scale = max(high / height, wide / width)
        kept = [
            min(max(int(np.floor(s / scale + 0.5 + 1e-9)), 1), side)
            for s, side in ((high, height), (wide, width))
        ]
        top, left = (height - kept[0]) // 2, (width - kept[1]) // 2
        image = image[top : top + kept[0], left : left + kept[1]]
    return resized(image, size)


@pytest.mark.parametrize("order", ["enhance-first", "resize-first"])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("size", [(24, 32), (40, 40), (96, 20)])
@pytest.mark.parametrize(
    ("dtype", "channels"), [("uint8", None), ("uint16", None), ("uint8", 3), ("uint8", 1)]
)
def test_crop_scale_and_pad_come_before_or_after_enhancement(order, fit, size, dtype, channels):
    image = make_image("radiograph", 50, 70, dtype, channels=channels)
    result = prepared(image, size=size, fit=fit, order=order).image
    if order == "enhance-first":
        expected = by_hand(cxe.enhance(image, PARAMS), size, fit)
    else:
        expected = cxe.enhance(by_hand(image, size, fit), PARAMS)
    assert_same_image(result, expected)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("size", [(20, 33), (90, 140)])
def test_without_a_fit_the_size_is_opencvs_resize(how, size):
    image = make_image("radiograph", 50, 70)
    expected = resized(cxe.enhance(image, PARAMS), size, how)
    assert_same_image(prepared(image, size=size, interpolation=how).image, expected)


@pytest.mark.parametrize("order", ["enhance-first", "resize-first"])
@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("uint16", 65_535), (None, 4095)])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_cubic_overshoot_is_clipped_to_white(order, dtype, white, channels):
    image = np.zeros((32, 32, *channels), np.uint16)
    image[:, 16:] = 4095
    params = cxe.EnhanceParams(
        bits=12, percentiles=None, clip_limit=None, output="rgb" if channels == (3,) else "gray"
    )
    preparation = cxe.Preparation(
        params=params, size=(100, 100), interpolation="cubic", order=order, dtype=dtype
    )
    row = cxe.prepare(image, preparation).image[50].reshape(100, -1)[:, 0]
    assert row[0] == 0
    assert np.all(row[52:] == white)
    assert np.all(np.diff(row[:52].astype(int)) >= 0)


def test_an_image_brighter_than_white_is_refused_with_its_own_depth():
    image = np.zeros((32, 32), np.uint16)
    image[:, 16:] = 4095
    preparation = cxe.Preparation(
        params=cxe.EnhanceParams(bits=11), size=(100, 100), interpolation="cubic",
        order="resize-first",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"got 4095\. Use bits=12,"):
        cxe.prepare(image, preparation)
    with pytest.raises(ValueError, match="bits"):
        cxe.prepare(image.astype(np.uint8), cxe.Preparation(
            params=cxe.EnhanceParams(bits=12), size=(100, 100), interpolation="cubic",
            order="resize-first",
        ))  # fmt: skip


def test_padding_is_black_outside_of_the_enhancement_or_enhanced_as_black():
    image = np.maximum(make_image("radiograph", 60, 30), 40)
    outside = prepared(image, size=(60, 60), fit="pad").image
    assert not outside[:, :15].any()
    assert not outside[:, 45:].any()
    assert_same_image(outside[:, 15:45], cxe.enhance(image, PARAMS))
    inside = prepared(image, size=(60, 60), fit="pad", order="resize-first").image
    padded = np.pad(image, [(0, 0), (15, 15)])
    assert_same_image(inside, cxe.enhance(padded, PARAMS))


def test_the_defaults_enhance_and_nothing_else():
    image = make_image("radiograph", 50, 70)
    result, transform = cxe.prepare(image)
    assert_same_image(result, cxe.enhance(image))
    assert transform.is_identity
    assert transform.is_stretch


@pytest.mark.parametrize("options", [{}, {"crop_border": True}, {"size": (4, 4), "fit": "crop"}])
@given(image=images(), layout=layouts())
@settings(max_examples=25, deadline=None)
def test_without_enhancement_the_result_is_still_a_new_array_of_plain_layout(
    options, image, layout
):
    given_image = layout(image)
    result = cxe.prepare(given_image, cxe.Preparation(params=None, **options)).image
    assert not np.may_share_memory(result, given_image)
    assert result.flags.c_contiguous
    assert result.flags.writeable
    plain = cxe.prepare(image, cxe.Preparation(params=None, **options)).image
    assert_same_image(result, plain)


@given(
    image=images(),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    fit=st.sampled_from(["squash", "pad", "crop"]),
    crop_border=st.booleans(),
)
@settings(deadline=None)
def test_a_pixel_is_found_where_its_point_was_taken(image, size, fit, crop_border):
    preparation = cxe.Preparation(
        params=None, size=size, fit=fit, interpolation="nearest", crop_border=crop_border
    )
    result, transform = cxe.prepare(image, preparation)
    assert result.shape == (*size, *image.shape[2:])
    assert transform.output_size == size
    rows, columns = np.indices(size).reshape(2, -1)
    places = cxe.map_points(np.stack([columns + 0.5, rows + 0.5], -1), transform, inverse=True)
    pad, (high, wide) = transform.pad, transform.scaled_size
    for row, column, (x, y) in zip(rows, columns, places, strict=True):
        if pad.top <= row < pad.top + high and pad.left <= column < pad.left + wide:
            # OpenCV's nearest pixel is that of the corner, at most half a step away.
            near = _pixels_near(image, transform, x, y)
            assert any((result[row, column] == value).all() for value in near)
        else:
            assert not result[row, column].any()


def _pixels_near(image, transform, x, y):
    """Yield the pixels within half a pixel of the result, and half of the image, of a place."""
    top, left, height, width = transform.crop
    down, across = (0.5 + 0.5 / scale for scale in transform.scale)
    first, last = max(int(np.floor(y - down)), top), min(int(y + down), top + height - 1)
    for row in range(first, last + 1):
        start, end = max(int(np.floor(x - across)), left), min(int(x + across), left + width - 1)
        yield from image[row, start : end + 1]


@pytest.mark.parametrize("size", [(31, 57), (150, 64), (64, 64)])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_a_landmark_in_the_picture_moves_as_its_point_within_half_a_pixel(size, fit):
    image = np.zeros((90, 120), np.uint8)
    image[38:52, 61:75] = 200  # its centre is (68, 45)
    result, transform = prepared(image, params=None, size=size, fit=fit, interpolation="area")
    weights = result.astype(np.float64)
    rows, columns = np.indices(result.shape) + 0.5
    found = [(columns * weights).sum() / weights.sum(), (rows * weights).sum() / weights.sum()]
    np.testing.assert_allclose(cxe.map_points((68, 45), transform), found, atol=0.5)


@pytest.mark.parametrize(
    ("dtype", "bits", "to"),
    [
        ("uint8", None, "uint16"),
        ("uint16", None, "uint8"),
        ("uint16", 12, "uint8"),
        ("uint16", 12, "uint16"),
        ("uint8", 7, "uint8"),
        ("uint8", 4, "uint16"),
        ("uint16", 8, "uint8"),
    ],
)
def test_white_becomes_white_of_the_type_and_all_between_is_rounded(dtype, bits, to):
    white = 2 ** (bits or 8 * np.dtype(dtype).itemsize) - 1
    image = np.arange(white + 1, dtype=dtype)[None]
    params = cxe.EnhanceParams(percentiles=None, clip_limit=None, bits=bits)
    result = prepared(image, params=params, dtype=to).image
    new_white = np.iinfo(to).max
    expected = (image.astype(np.int64) * new_white + white // 2) // white
    assert_same_image(result, expected.astype(to))


@pytest.mark.parametrize(
    ("image", "preparation", "error", "sentence"),
    [
        (np.zeros((4, 4), np.float32), None, TypeError, "`image` must have dtype uint8 or uint16"),
        (np.zeros((4, 4, 4), np.uint8), None, ValueError, "`image` must have shape (H, W), (H, W"),
        (np.zeros((4, 4), np.uint8), cxe.EnhanceParams(), TypeError, "`preparation` must be a"),
    ],
)
def test_what_cannot_be_prepared_is_refused(image, preparation, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        cxe.prepare(image, preparation)
