"""From stored values to what is shown: the standard's arithmetic, polarity, padding."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import read_image
from cxr_enhance.io import image_info
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from tests.helpers.dicom_files import (  # noqa: E402
    data_set,
    element,
    lut_item,
    read_with_notes,
    saved,
)
from tests.helpers.image_files import drawn  # noqa: E402

GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4
SIGNED12 = GRAY12.astype(np.int16) - 2048
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def shown(data, **options):
    """Read an image, whatever is said of its header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_image(data, **options)


def windowed(values, center, width, function, levels):
    """Evaluate PS3.3 C.11.2.1.2 and C.11.2.1.3 as they stand there, onto 0..levels."""
    x, y = values.astype(np.float64), np.empty(values.shape)
    with np.errstate(over="ignore"):
        if function == "SIGMOID":
            return levels / (1 + np.exp(-4 * (x - center) / width))
        if function == "LINEAR":
            center, width = center - 0.5, width - 1
        low, high = x <= center - width / 2, x > center + width / 2
        if width > 0:
            y = ((x - center) / width + 0.5) * levels
    y[high] = levels
    y[low] = 0
    return y


@pytest.mark.parametrize("seed", range(150))
def test_values_are_those_of_the_standards_arithmetic(seed):
    chance = np.random.default_rng(seed)
    signed, bits = bool(chance.integers(2)), int(chance.choice([8, 10, 12, 15, 16]))
    half = 1 << (bits - 1)
    pixels = chance.integers(-half, half, (40, 50)) + (0 if signed else half)
    pixels = pixels.astype(np.int16 if signed else np.uint16)
    slope = float(chance.choice([1, -1, 0.5, -0.25, 2, 3.7, -1e-3, 1e5, 1e-200, 1e200]))
    intercept = float(chance.choice([0, -1024, 4095, 17.5, 1e4]))
    function = str(chance.choice(["LINEAR", "LINEAR_EXACT", "SIGMOID"]))
    center = intercept + slope * float(chance.integers(0, half))
    width = max(abs(slope) * float(chance.integers(1, 2 * half)), 1.0)
    center, width = float(f"{center:.9g}"), float(f"{width:.9g}")
    data = saved(data_set(
        pixels, bits=bits, RescaleSlope=f"{slope:.9g}", RescaleIntercept=f"{intercept:.9g}",
        WindowCenter=f"{center:.9g}", WindowWidth=f"{width:.9g}", VOILUTFunction=function,
    ))  # fmt: skip
    levels = 2**bits - 1
    values = pixels.astype(np.float64) * slope + intercept
    lost = intercept + slope * 2 * half == intercept
    if lost:
        values = pixels.astype(np.float64)
    expected = np.rint(windowed(values, center, width, function, levels))
    assert np.array_equal(shown(data).astype(np.float64), expected)
    without = shown(data, voi="none").astype(np.int64)
    moved = pixels.astype(np.int64) + (half if signed else 0)
    assert np.array_equal(without, levels - moved if slope < 0 and not lost else moved)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_negative_slope_keeps_polarity_under_a_window(function):
    plain = data_set(
        4095 - RAMP, bits=12, WindowCenter="1800", WindowWidth="900", VOILUTFunction=function
    )
    turned = data_set(
        RAMP, bits=12, WindowCenter="1800", WindowWidth="900", VOILUTFunction=function,
        RescaleSlope="-1", RescaleIntercept="4095",
    )  # fmt: skip
    assert_same_image(read_image(saved(turned)), read_image(saved(plain)))


def test_a_window_over_everything_changes_nothing_after_a_negative_slope():
    rescale = {"RescaleSlope": "-1", "RescaleIntercept": "4095"}
    data = saved(data_set(RAMP, bits=12, WindowCenter="2048", WindowWidth="4096", **rescale))
    assert_same_image(read_image(data), 4095 - RAMP)
    assert_same_image(read_image(data, voi="none"), 4095 - RAMP)


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [("0", "7"), ("1e-20", "100000"), ("5e-324", "-1"), ("1e308", "0"), ("-1E308", "1E308"),
     ("1e305", "1e308")],
)  # fmt: skip
@pytest.mark.parametrize("window", [False, True])
def test_a_rescale_that_cannot_be_is_left_out_with_a_note(slope, intercept, window):
    voi = {"WindowCenter": "1800", "WindowWidth": "900"} if window else {}
    data = saved(data_set(RAMP, bits=12, RescaleSlope=slope, RescaleIntercept=intercept, **voi))
    with pytest.warns(UserWarning, match="Rescale Slope .* rescale left out"):
        image = read_image(data)
    assert_same_image(image, read_image(saved(data_set(RAMP, bits=12, **voi))))
    assert any("rescale left out" in note for note in image_info(data).notes)


@pytest.mark.parametrize("slope", ["5e-324", "1e-300", "1e300", "-1e300"])
def test_a_slope_however_small_or_large_loses_no_level(slope):
    data = saved(data_set(RAMP, bits=12, RescaleSlope=slope, RescaleIntercept="0"))
    assert_same_image(read_image(data), 4095 - RAMP if slope.startswith("-") else RAMP)


@pytest.mark.parametrize("width", ["0", "-5", "0.5"])
def test_a_linear_window_narrower_than_one_is_left_out_with_a_note(width):
    data = saved(data_set(RAMP, bits=12, WindowCenter="1800", WindowWidth=width))
    with pytest.warns(UserWarning, match="Window Width .* window left out"):
        assert_same_image(read_image(data), RAMP)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "told"),
    [
        ("MONOCHROME2", None, False, False),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME2", "INVERSE", True, True),
        ("MONOCHROME1", None, True, False),
        ("MONOCHROME1", "IDENTITY", True, True),
        ("MONOCHROME1", "INVERSE", True, False),
    ],
)
def test_polarity_is_that_of_photometric_interpretation_and_presentation_shape(
    photometric, shape, inverted, told
):
    more = {} if shape is None else {"PresentationLUTShape": shape}
    data = saved(data_set(RAMP, bits=12, photometric=photometric, **more))
    assert_same_image(shown(data), 4095 - RAMP if inverted else RAMP)
    assert bool(image_info(data).notes) == told


PADDED = GRAY12.clip(200, 3000)
PADDED[:10] = 0
IMAGE = PADDED[10:]


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("voi", [{}, {"WindowCenter": "1500", "WindowWidth": "2000"}])
def test_padding_is_as_dark_as_the_darkest_pixel_of_the_image(photometric, voi):
    data = saved(data_set(PADDED, bits=12, photometric=photometric, PixelPaddingValue=0, **voi))
    alone = read_image(saved(data_set(IMAGE, bits=12, photometric=photometric, **voi)))
    image = read_image(data)
    assert_same_image(image[10:], alone)
    assert (image[:10] == alone.min()).all()


def test_a_range_of_padding_counts_with_both_its_ends_in_any_order():
    pixels = RAMP.clip(100, 4000)
    for ends in ((100, 140), (140, 100)):
        data = saved(data_set(
            pixels, bits=12, photometric="MONOCHROME1", PixelPaddingValue=ends[0],
            PixelPaddingRangeLimit=ends[1],
        ))  # fmt: skip
        expected = np.where(pixels <= 140, 95, 4095 - pixels).astype(np.uint16)
        assert_same_image(read_image(data), expected)


def test_padding_of_signed_pixels_has_their_sign_whatever_its_vr():
    pixels = GRAY12.astype(np.int16).clip(300, 4095) - 1000
    pixels[:10] = -2000
    right = saved(data_set(pixels, PixelPaddingValue=-2000))
    wrong = right.replace(
        struct.pack("<HH2sHh", 0x28, 0x120, b"SS", 2, -2000),
        struct.pack("<HH2sHh", 0x28, 0x120, b"US", 2, -2000),
    )
    assert wrong != right
    for data in (right, wrong):
        image = read_image(data)
        assert (image[:10] == image[10:].min()).all()
        assert_same_image(image[10:], (pixels[10:].astype(int) + 32_768).astype(np.uint16))


def test_padding_that_would_be_everything_is_left_out_with_a_note():
    data = saved(data_set(RAMP, bits=12, PixelPaddingValue=0, PixelPaddingRangeLimit=4095))
    with pytest.warns(UserWarning, match="Pixel Padding Range holds every value; left out"):
        assert_same_image(read_image(data), RAMP)


def test_an_image_of_padding_alone_is_shown_as_it_is():
    data = saved(data_set(np.full((8, 8), 7, np.uint16), bits=12, PixelPaddingValue=7))
    assert (read_image(data) == 7).all()


def test_padding_does_not_count_for_the_ends_of_a_voi_lut():
    entries = np.arange(4096)[::-1] * 16
    data = saved(data_set(
        PADDED, bits=12, PixelPaddingValue=0, VOILUTSequence=[lut_item(0, 16, entries)]
    ))  # fmt: skip
    image = read_image(data)
    assert_same_image(image[10:], entries[IMAGE].astype(np.uint16))
    assert (image[:10] == image[10:].min()).all()


def test_padding_is_left_out_of_percentiles():
    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.task import result_image
    from cxr_enhance.io.dicom.decode import decode_dicom
    from cxr_enhance.io.options import ReadOptions

    params = cxe.EnhanceParams(percentiles=(2.0, 97.0), clip_limit=None)
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        data = saved(data_set(PADDED, bits=12, photometric=photometric, PixelPaddingValue=0))
        decoded = decode_dicom(data, ReadOptions())
        assert decoded.padding == 520
        result = result_image(decoded, Job(params=params), []).image
        alone = read_image(saved(data_set(IMAGE, bits=12, photometric=photometric)))
        expected = cxe.enhance(alone, params)
        assert np.abs(result[10:].astype(int) - expected.astype(int)).max() <= 1
        assert (result[:10] == 0).all()


@pytest.mark.parametrize("slope", ["1e-320", "1e-12", "1e5", "1e30"])
def test_a_rescale_that_leaves_a_window_no_grays_is_left_out_with_a_note(slope):
    voi = {"WindowCenter": "2048", "WindowWidth": "4096"}
    data = saved(data_set(RAMP, bits=12, RescaleSlope=slope, RescaleIntercept="0", **voi))
    with pytest.warns(UserWarning, match="Rescale Slope .* no grays; rescale left out"):
        image = read_image(data)
    assert_same_image(image, RAMP)


def test_an_intercept_written_as_a_long_word_has_its_sign():
    source = data_set(RAMP, bits=12, RescaleSlope="1", WindowCenter="1024", WindowWidth="4096")
    source.add_new(0x00281052, "UL", 2**32 - 1024)
    with pytest.warns(UserWarning, match="taken as -1024"):
        image = read_image(saved(source))
    assert_same_image(image, RAMP)


@pytest.mark.parametrize("written", ["text", "US", "SS"])
def test_an_intercept_without_its_sign_is_told_by_the_window(written):
    window = {"WindowCenter": "40", "WindowWidth": "400"}
    right = saved(data_set(GRAY12, bits=12, RescaleSlope="1", RescaleIntercept="-1024", **window))
    data = saved(data_set(GRAY12, bits=12, RescaleSlope="1", RescaleIntercept="64512", **window))
    old = element(0x00281052, "DS", b"64512 ")
    assert old in data
    if written == "US":
        data = data.replace(old, element(0x00281052, "US", b"\x00\xfc"))
    if written == "SS":
        data = data.replace(old, element(0x00281052, "SS", b"\x00\xfc"))
    image, notes = read_with_notes(data)
    assert_same_image(image, read_image(right))
    assert "Intercept 64512 is beyond" in notes if written == "text" else "(0028,1052)" in notes


def test_a_window_center_without_its_sign_is_told_by_the_values():
    right = data_set(SIGNED12, bits=12, WindowCenter="-400", WindowWidth="900")
    wrong = data_set(SIGNED12, bits=12, WindowCenter="65136", WindowWidth="900")
    image, notes = read_with_notes(saved(wrong))
    assert_same_image(image, read_image(saved(right)))
    assert "Window Center 65136 is beyond all values" in notes


def test_a_window_beyond_all_values_is_told():
    image, notes = read_with_notes(
        saved(data_set(GRAY12, bits=12, WindowCenter="9000", WindowWidth="90"))
    )
    assert image.max() == 0
    assert "window of center 9000 and width 90 beyond all values" in notes
