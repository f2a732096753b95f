"""Faults are planted as the tables of docs/archives.md say, and looked for as `check` does."""

import random

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("pydicom")
from benchmarks.files.check_faults import dicom_of, is_readable, planted_faults, unequal_pixels
from benchmarks.files.check_figures import drawn_files, figures
from cxr_enhance import read_image
from cxr_enhance.io import image_info
from cxr_enhance.io.write import encode_image
from cxr_enhance.synthetic import synthetic_radiograph

pytestmark = pytest.mark.opencv


@pytest.mark.parametrize("bits", [8, 16])
def test_every_fault_is_planted_once_and_the_plain_ones_are_found(bits):
    gray = synthetic_radiograph(500, 400, seed=4, bits=bits)
    data = bytes(encode_image(gray, ".png", 95))
    before = gray.copy()
    faults = list(planted_faults(gray, data, random.Random(0)))
    np.testing.assert_array_equal(gray, before)
    assert sorted({fault.finding for fault in faults}) == [
        "blank", "burned-in-text", "equal-pixels", "inverted", "lateral", "low-depth",
        "other-modality", "saturated", "unreadable",
    ]  # fmt: skip
    hard = ("letters", "noise")  # a rule may miss them
    plain = [fault for fault in faults if not any(word in fault.fault for word in hard)]
    assert len(plain) == len(faults) - 3
    assert [fault.fault for fault in plain if not fault.found] == []
    assert unequal_pixels(gray)


def test_a_dicom_file_is_read_back_with_its_elements():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    content = dicom_of(gray, ViewPosition="LL")
    np.testing.assert_array_equal(read_image(content), gray)
    assert (image_info(content).view, image_info(content).modality) == ("LL", "DX")
    assert is_readable(content)
    assert not is_readable(content[:-9])


def test_figures_count_images_findings_and_faults():
    files = [*drawn_files(3), bytes(encode_image(np.full((80, 80), 9, np.uint8), ".png", 95))]
    counted = figures(files)
    assert counted["images"] == 4
    assert counted["found"]["blank"] == 1
    assert counted["clean"] == counted["told_apart_by_one_level"] <= 3
    assert {row["planted"] for row in counted["planted"] if row["finding"] == "inverted"} == {
        counted["clean"]
    }
