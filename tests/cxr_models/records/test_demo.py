import pytest

pytest.importorskip("cv2", reason="opencv is not installed")

from cxr_enhance import read_image
from cxr_models.records.demo import write_demo_set
from cxr_models.records.manifest import Manifest
from cxr_models.records.overlap import Part, SeenImages


def test_demo_set_has_patients_of_two_unequal_images(tmp_path):
    records = write_demo_set(tmp_path, patients=2, size=40)
    assert len(records) == 12
    assert len({record.patient for record in records}) == 6
    contents = {(tmp_path / record.file).read_bytes() for record in records}
    assert len(contents) == 12


def test_the_other_source_shares_neither_patients_nor_images_near_copies_included(tmp_path):
    first, other = (
        Manifest(
            records=tuple(write_demo_set(tmp_path / name, patients=6, other_source=name == "b")),
            root=tmp_path / name,
        )
        for name in "ab"
    )
    overlap = SeenImages([Part("train", first)]).overlap(other)
    assert overlap == ([], [], [], 0)
    one, two = (read_image(manifest.paths()[0]) for manifest in (first, other))
    assert two.shape < one.shape
    assert two.mean() < one.mean()
