import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv is not installed")

from cxr_enhance import read_image
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_models.records.demo import write_demo_set
from cxr_models.records.manifest import Manifest
from cxr_models.records.overlap import Overlap, Part, SeenImages


def test_demo_set_has_patients_of_two_unequal_images(tmp_path):
    records = write_demo_set(tmp_path, patients=2, size=40)
    assert [(record.file, record.label, record.patient) for record in records] == [
        (f"{label}/{label}-p{patient:03d}-{exposure}.png", label, f"{label}-p{patient:03d}")
        for label in ("covid", "normal", "virus")
        for patient in range(2)
        for exposure in range(2)
    ]
    drawn = synthetic_radiograph(40, 35, seed=2001, opacity=0.9, opacity_pattern="diffuse")
    first, second = (read_image(tmp_path / record.file) for record in records[-2:])
    np.testing.assert_array_equal(first, drawn)
    np.testing.assert_array_equal(second, (drawn * np.float32(0.85)).astype(np.uint8))


def test_the_other_source_shares_neither_patients_nor_images_near_copies_included(tmp_path):
    first, other = (
        Manifest(
            records=tuple(write_demo_set(tmp_path / name, patients=6, other_source=name == "b")),
            root=tmp_path / name,
        )
        for name in "ab"
    )
    overlap = SeenImages([Part("train", first)]).overlap(other)
    assert overlap == Overlap(near=(), patients=(), unread=0)
    one, two = (read_image(manifest.paths()[0]) for manifest in (first, other))
    assert two.shape < one.shape
    assert two.mean() < one.mean()
