"""A window that a caller chooses, compared with pydicom's and with that of a file."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cxr_enhance import read_image
from tests.helpers.compare import assert_same_image

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

from pydicom.pixels import apply_modality_lut, apply_windowing  # noqa: E402

from tests.helpers.dicom_files import data_set, lut_item, saved  # noqa: E402

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
SIGNED = (RAMP.astype(np.int16) - 2048).copy()
FUNCTIONS = ["LINEAR", "LINEAR_EXACT", "SIGMOID"]
OWN = {"WindowCenter": "100", "WindowWidth": "50"}


def shares_of_pydicom(data, window):
    """Give the share of the output range that pydicom's window maps each pixel to."""
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.WindowCenter, ds.WindowWidth = window
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
    low = -2048 if ds.PixelRepresentation else 0
    ends = (low * slope + intercept, (low + 4095) * slope + intercept)
    with np.errstate(over="ignore"):  # of a sigmoid far below its center
        windowed = apply_windowing(apply_modality_lut(ds.pixel_array, ds), ds)
    return (windowed - ends[0]) / (ends[1] - ends[0])


@pytest.mark.parametrize("function", [None, *FUNCTIONS])
@pytest.mark.parametrize("pixels", [RAMP, SIGNED], ids=["unsigned", "signed"])
@pytest.mark.parametrize("rescale", [None, ("2", "-1024"), ("0.25", "7")], ids=str)
@pytest.mark.parametrize("window", [(900, 700.5), (-300.25, 2000), (1500, 1)], ids=str)
def test_a_chosen_window_is_applied_as_pydicom_applies_one(function, pixels, rescale, window):
    elements = dict(OWN)
    if function is not None:
        elements["VOILUTFunction"] = function
    if rescale is not None:
        elements["RescaleSlope"], elements["RescaleIntercept"] = rescale
    data = saved(data_set(pixels, bits=12, **elements))
    image = read_image(data, window=window)
    expected = shares_of_pydicom(data, window) * 4095
    assert image.dtype == np.uint16
    assert np.abs(image - expected).max() <= 0.5 + 1e-6  # rounded, and nothing else


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_chosen_window_gives_the_bytes_of_a_file_that_has_it(function, photometric):
    form = {"bits": 12, "photometric": photometric, "VOILUTFunction": function}
    has_it = saved(data_set(RAMP, **form, WindowCenter="1800", WindowWidth="900"))
    for others in ({}, OWN):
        data = saved(data_set(RAMP, **form, **others))
        for voi in ("auto", "window"):
            chosen = read_image(data, window=(1800, 900), voi=voi)
            assert_same_image(chosen, read_image(has_it))


def test_a_chosen_window_takes_the_place_of_a_voi_lut():
    values = np.linspace(4095, 0, 4096).astype(np.uint16)
    data = saved(data_set(RAMP, bits=12, VOILUTSequence=[lut_item(0, 12, values)]))
    plain = saved(data_set(RAMP, bits=12))
    assert not np.array_equal(read_image(data), read_image(plain))
    assert_same_image(read_image(data, window=(1800, 900)), read_image(plain, window=(1800, 900)))


def test_padding_stays_as_dark_as_the_darkest_pixel_under_a_chosen_window():
    pixels = RAMP.clip(1500, 2500)
    pixels[:10] = 4095
    data = saved(data_set(pixels, bits=12, PixelPaddingValue=4095))
    image = read_image(data, window=(2000, 3000))
    assert (image[:10] == image[10:].min()).all()


def test_a_window_too_narrow_for_its_function_is_a_sentence():
    for function in ("LINEAR_EXACT", "SIGMOID"):
        data = saved(data_set(RAMP, bits=12, VOILUTFunction=function))
        assert read_image(data, window=(2000, 0.5)).max() == 4095
    with pytest.raises(
        ValueError,
        match=r"`window` must have a width of at least 1 for the VOI LUT Function LINEAR; got 0\.5",
    ):
        read_image(saved(data_set(RAMP, bits=12)), window=(2000, 0.5))


def test_an_unknown_function_is_linear_for_a_chosen_window_too():
    data = saved(data_set(RAMP, bits=12, VOILUTFunction="CUBIC"))
    plain = saved(data_set(RAMP, bits=12))
    assert_same_image(read_image(data, window=(1800, 900)), read_image(plain, window=(1800, 900)))


def test_colour_has_no_window():
    colour = np.dstack([RAMP, RAMP, RAMP]).astype(np.uint8)
    data = saved(data_set(colour))
    assert_same_image(read_image(data, window=(100, 5)), colour)
