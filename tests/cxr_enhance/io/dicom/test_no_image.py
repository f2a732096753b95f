"""DICOM objects that hold no image are told from images that lost theirs."""

from __future__ import annotations

import pytest

from cxr_enhance.io import image_info, read_image
from cxr_enhance.io.dicom.no_image import NoImageError

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import saved  # noqa: E402


def holding(sop_class, syntax=uid.ExplicitVRLittleEndian, **elements):
    """Make the content of an object without pixel data."""
    data_set = pydicom.Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = sop_class, "1.2.3"
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    return saved(data_set, syntax)


WITHOUT = {
    name: value
    for name, value in vars(uid).items()
    if name.endswith("Storage") and isinstance(value, str)
    and any(word in name for word in ("SR", "PresentationState", "Document", "Waveform",
                                      "Encapsulated", "Plan", "Structure", "Registration"))
}  # fmt: skip
IMAGES = {
    name: value
    for name, value in vars(uid).items()
    if name.endswith("ImageStorage") and isinstance(value, str)
}


@pytest.mark.parametrize("sop_class", WITHOUT.values(), ids=WITHOUT)
def test_classes_without_images_hold_none(sop_class):
    with pytest.raises(NoImageError, match="got a DICOM file without an image: an object of class"):
        read_image(holding(sop_class))


@pytest.mark.parametrize("sop_class", IMAGES.values(), ids=IMAGES)
def test_images_without_pixels_are_damaged(sop_class):
    with pytest.raises(ValueError, match="no rows or no columns") as caught:
        read_image(holding(sop_class))
    assert not isinstance(caught.value, NoImageError)


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian],
)
def test_every_native_syntax_is_understood(syntax, tmp_path):
    data = holding(uid.BasicTextSRStorage, syntax)
    with pytest.raises(NoImageError, match=uid.BasicTextSRStorage):
        read_image(data)
    (tmp_path / "report").write_bytes(data)
    with pytest.raises(ValueError, match="got a DICOM file without an image: an object of class"):
        image_info(tmp_path / "report")


def test_an_object_with_rows_is_meant_to_have_pixels():
    with pytest.raises(ValueError, match="columns") as caught:
        read_image(holding(uid.BasicTextSRStorage, Rows=5))
    assert not isinstance(caught.value, NoImageError)
