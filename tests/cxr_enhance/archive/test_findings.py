"""What is found in an image: planted faults, and nothing in a sound one."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_enhance.archive.findings import KINDS, header_findings, pixel_findings
from cxr_enhance.io.info import ImageInfo
from cxr_enhance.synthetic import synthetic_radiograph

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [(224, 224), (1100, 900), (500, 900)])
def test_nothing_is_found_in_a_radiograph(bits, seed, size):
    assert pixel_findings(synthetic_radiograph(*size, seed=seed, bits=bits)) == []


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("size", [(224, 224), (1100, 900)])
def test_a_negative_is_found(bits, size):
    image = synthetic_radiograph(*size, bits=bits)
    assert pixel_findings((2**bits - 1) - image) == ["inverted"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_image_is_blank_even_with_a_few_other_pixels(dtype, value):
    image = np.full((200, 200), value, dtype)
    assert pixel_findings(image) == ["blank"]
    image[0, :50] = 100
    assert pixel_findings(image) == ["blank"]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tenth_of_the_pixels_at_the_greatest_value_is_saturated(bits):
    image = synthetic_radiograph(400, 400, bits=bits)
    level = np.sort(image.ravel())[int(image.size * 0.85)]
    assert "saturated" in pixel_findings(np.minimum(image, level))
    assert "saturated" not in pixel_findings(np.minimum(image, image.max() - 1))


def test_fewer_than_64_levels_are_a_low_depth():
    image = synthetic_radiograph(400, 400)
    assert pixel_findings(image // 8) == ["low-depth"]
    assert "low-depth" not in pixel_findings(image // 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_images_of_any_shape_are_looked_at(shape):
    ramp = np.arange(np.prod(shape)).reshape(shape).astype(np.uint16)
    assert set(pixel_findings(ramp)) <= set(KINDS)


@pytest.mark.parametrize(
    ("modality", "view", "expected"),
    [
        (None, None, []), ("CR", "PA", []), ("DX", "AP", []), ("DX", "LLD", []),
        ("DX", "LL", ["lateral"]), ("CR", "LATERAL", ["lateral"]),
        ("CT", None, ["other-modality"]), ("MG", "RL", ["other-modality", "lateral"]),
    ],
)  # fmt: skip
def test_the_header_tells_views_and_modalities(modality, view, expected):
    info = ImageInfo(format="DICOM", height=9, width=9, modality=modality, view=view)
    assert header_findings(info) == expected


def test_burned_in_annotation_of_the_header_is_a_finding():
    info = ImageInfo(format="DICOM", height=9, width=9)
    assert header_findings(info, {0x00280301: ("YES",)}) == ["burned-in-text"]
    assert header_findings(info, {0x00280301: ("NO",)}) == header_findings(info, {}) == []
