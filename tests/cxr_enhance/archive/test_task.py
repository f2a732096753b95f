"""One file read, enhanced and written."""

from __future__ import annotations

import importlib.metadata

import cv2
import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.task import result_image
from cxr_enhance.io.dicom.decode import decode_dicom
from cxr_enhance.io.options import ReadOptions
from tests.cxr_enhance.archive.conftest import rows_of
from tests.helpers.dicom_files import compressed, data_set, saved

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
    result = result_image(decode_dicom(data, ReadOptions()), Job(params=params), [])
    shown = np.where(image == 255, 100, image).astype(np.uint8)
    np.testing.assert_array_equal(result, cv2.createCLAHE(3.0, (1, 1)).apply(shown))
    steps = np.diff(result[-1].astype(int))
    assert 1 <= steps.max() <= 3 + 1
