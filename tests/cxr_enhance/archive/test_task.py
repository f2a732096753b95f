"""One file read, enhanced and written."""

from __future__ import annotations

import importlib.metadata

import cv2
import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.task import result_image
from cxr_enhance.io.dicom.decode import Decoded, decode_dicom
from cxr_enhance.io.options import ReadOptions
from tests.cxr_enhance.archive.conftest import rows_of
from tests.helpers.dicom_files import compressed, data_set, saved
from tests.helpers.images import make_image

PIXELS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
JPEG_LS = "1.2.840.10008.1.2.4.80"


def jpeg_ls_here():
    return f"pyjpegls {importlib.metadata.version('pyjpegls')}"


@pytest.mark.opencv
def test_the_manifest_tells_which_decoder_made_the_pixels(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    cxe.write_image(folder / "a.png", PIXELS)
    (folder / "b.dcm").write_bytes(compressed(data_set(PIXELS), JPEG_LS))
    (folder / "c.dcm").write_bytes(saved(data_set(PIXELS)))
    (folder / "d.png").write_bytes(b"no image")
    status, _, _ = run(folder, "--out", tmp_path / "out")
    assert status == 1
    found = {row["input"][-5:]: row["decoder"] for row in rows_of(tmp_path / "out")}
    opencv = f"opencv {cv2.__version__}"
    assert found == {"a.png": opencv, "b.dcm": jpeg_ls_here(), "c.dcm": "", "d.png": ""}
    assert run(folder / "b.dcm", "--out", tmp_path / "b.png")[1]["decoder"] == jpeg_ls_here()


@pytest.mark.opencv
@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_padding_gives_clahe_no_more_contrast_than_its_limit(share):
    image = np.tile(np.arange(100, 200, dtype=np.uint8), (100, 1))
    image[: int(100 * share)] = 255
    data = saved(data_set(image, PixelPaddingValue=255))
    params = cxe.EnhanceParams(percentiles=None, clip_limit=3.0, tile_grid_size=(1, 1))
    result = result_image(decode_dicom(data, ReadOptions()), Job(params=params), []).image
    shown = np.where(image == 255, 100, image).astype(np.uint8)
    np.testing.assert_array_equal(result, cv2.createCLAHE(3.0, (1, 1)).apply(shown))
    steps = np.diff(result[-1].astype(int))
    assert 1 <= steps.max() <= 3 + 1


@pytest.mark.opencv
@pytest.mark.parametrize("resize_first", [False, True])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_an_output_is_what_the_public_step_makes_of_its_input(resize_first, fit, dtype):
    image = np.pad(make_image("radiograph", 60, 90, dtype), 7)
    params = cxe.EnhanceParams(tile_grid_size=(3, 4))
    job = Job(params=params, size_wh=(40, 48), fit=fit, crop_border=True, resize_first=resize_first)
    preparation = cxe.Preparation(
        params=params,
        size=(48, 40),
        fit=fit,
        crop_border=True,
        order="resize-first" if resize_first else "enhance-first",
    )
    assert job.preparation == preparation
    expected = cxe.prepare(image, preparation)
    result = result_image(Decoded(image), job, [])
    np.testing.assert_array_equal(result.image, expected.image)
    assert result.transform == expected.transform
    assert result.transform.crop.top >= 7


def padded_dicom(columns):
    """Give a radiograph beside padding, and the padding's columns."""
    image = np.clip(make_image("radiograph", 64, 64), 30, 254)
    image[:, :columns] = 255
    return decode_dicom(saved(data_set(image, PixelPaddingValue=255)), ReadOptions())


@pytest.mark.opencv
@pytest.mark.parametrize("options", [{"crop_border": True}, {"size_wh": (32, 64), "fit": "crop"}])
def test_padding_that_is_cropped_off_no_longer_moves_the_percentiles(options):
    decoded = padded_dicom(16)
    assert decoded.padding == 16 * 64
    job = Job(params=cxe.EnhanceParams(clip_limit=None), resize_first="fit" in options, **options)
    result, transform = result_image(decoded, job, [])
    assert transform.crop.left >= 16
    seen = np.ascontiguousarray(transform.crop.of(decoded.image))
    np.testing.assert_array_equal(result, cxe.white_balance(seen))


@pytest.mark.opencv
def test_padding_is_a_smaller_share_of_an_image_with_black_margins():
    decoded = padded_dicom(16)
    job = Job(
        params=cxe.EnhanceParams(clip_limit=None, percentiles=(10, 90)),
        size_wh=(128, 64),
        fit="pad",
        resize_first=True,
    )
    result = result_image(decoded, job, []).image
    count, padding = 128 * 64, decoded.padding
    low, high = (
        (padding + cut / 100 * (count - padding - 1)) * 100 / (count - 1) for cut in (10, 90)
    )
    seen = np.pad(decoded.image, [(0, 0), (32, 32)])
    expected = cxe.white_balance(seen, percentiles=(low, high))
    np.testing.assert_array_equal(result, expected)


@pytest.mark.opencv
def test_millimetres_come_from_the_header_and_a_file_without_them_fails():
    dicom = decode_dicom(saved(data_set(PIXELS, PixelSpacing=["0.2", "0.1"])), ReadOptions())
    job = Job(params=cxe.EnhanceParams(), spacing=0.4)
    result, transform = result_image(dicom, job, [])
    assert result.shape == (32, 16)
    assert transform.scale == (0.5, 0.25)
    with pytest.raises(
        ValueError, match="`--spacing` is only allowed for images whose pixels have"
    ):
        result_image(Decoded(PIXELS), job, [])
