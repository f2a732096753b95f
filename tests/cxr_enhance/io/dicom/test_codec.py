"""Compressed frames that are not what the header says: they are decoded as what they are."""

from __future__ import annotations

import io

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance.io import image_info
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("jpeg_ls")
pytest.importorskip("openjpeg")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import (  # noqa: E402
    HTJ2K_FRAME,
    HTJ2K_PIXELS,
    compressed,
    data_set,
    j2k,
    jpeg_lossless,
    near_lossless,
    read_with_notes,
    saved,
)
from tests.helpers.image_files import drawn, encoded  # noqa: E402

GRAY8 = drawn(36, 52)
GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4


def encapsulated(pixels, frame, syntax, **elements):
    """Put a compressed frame under any transfer syntax."""
    data = saved(data_set(pixels, **elements), uid.JPEG2000Lossless, [frame])
    old, new = uid.JPEG2000Lossless.encode(), syntax.encode()
    return data.replace(old, new + b"\0" * (len(old) - len(new)))


RLE_FRAME = next(pydicom.encaps.generate_frames(
    pydicom.dcmread(io.BytesIO(compressed(data_set(GRAY12, bits=12), uid.RLELossless))).PixelData,
    number_of_frames=1,
))  # fmt: skip

STREAMS = {
    "JPEG 2000": (GRAY12, j2k(GRAY12, 12), 12),
    "JPEG": (GRAY12, jpeg_lossless(GRAY12, bits=12), 12),
    "JPEG-LS": (GRAY12, near_lossless(GRAY12, 0), 12),
    "HTJ2K": (HTJ2K_PIXELS, HTJ2K_FRAME, 12),
    "RLE": (GRAY12, RLE_FRAME, 12),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    "syntax",
    [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.JPEGBaseline8Bit, uid.RLELossless],
)
def test_a_frame_is_decoded_as_what_it_is(name, syntax):
    pixels, frame, bits = STREAMS[name]
    if syntax == uid.ImplicitVRLittleEndian:
        ds = data_set(pixels, bits=bits)
        native = saved(ds, syntax)
        start = native.index(b"\xe0\x7f\x10\0")
        whole = pydicom.encaps.encapsulate([frame]) + b"\xfe\xff\xdd\xe0\0\0\0\0"
        data = native[: start + 4] + b"\xff\xff\xff\xff" + whole
    else:
        data = encapsulated(pixels, frame, syntax, bits=bits)
    image, notes = read_with_notes(data)
    assert_same_image(image, pixels)
    same = (name, syntax) in (("RLE", uid.RLELossless), ("JPEG", uid.JPEGBaseline8Bit))
    assert (f"transfer syntax {syntax} over {name}" in notes) == (not same)
    assert any("transfer syntax" in note for note in image_info(data).notes) == (not same)


def test_encapsulated_pixels_of_no_known_kind_under_a_native_syntax_are_one_sentence():
    data = encapsulated(GRAY8, b"no code stream known here", uid.ExplicitVRLittleEndian)
    with pytest.raises(ValueError, match="compressed in a way that is not known"):
        read_image(data)


def test_encapsulated_pixels_of_a_defined_length_are_read():
    data = saved(data_set(GRAY12, bits=12), uid.JPEG2000Lossless, [j2k(GRAY12, 12)])
    start = data.index(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff")
    length = len(data) - start - 12
    data = data[: start + 8] + length.to_bytes(4, "little") + data[start + 12 :]
    assert_same_image(read_image(data), GRAY12)


def test_native_pixels_under_a_compressed_syntax_are_read_with_a_note():
    data = saved(data_set(GRAY12, bits=12))
    old = b"1.2.840.10008.1.2.1\0"
    place = data.index(old)
    new = uid.JPEG2000Lossless.encode()
    shorter = data[: place - 2] + len(new).to_bytes(2, "little") + new + data[place + len(old) :]
    length = int.from_bytes(shorter[140:144], "little") + len(new) - len(old)
    shorter = shorter[:140] + length.to_bytes(4, "little") + shorter[144:]
    image, notes = read_with_notes(shorter)
    assert_same_image(image, GRAY12)
    assert "native pixels under transfer syntax" in notes


@pytest.mark.parametrize("stored", [8, 12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_jpeg_of_8_bits_in_16_allocated_is_read(stored, photometric):
    frame = encoded(".jpg", GRAY8)
    plain = saved(data_set(GRAY8, photometric=photometric), uid.JPEGBaseline8Bit, [frame])
    ds = data_set(GRAY8.astype(np.uint16), bits=stored, photometric=photometric)
    image, notes = read_with_notes(saved(ds, uid.JPEGBaseline8Bit, [frame]))
    assert_same_image(image, read_image(plain))
    assert ("compressed pixels of 8; taken as 8" in notes) == (stored > 8)


def test_a_stream_deeper_than_the_bits_allocated_keeps_its_depth():
    data = saved(data_set(GRAY8), uid.JPEG2000Lossless, [j2k(GRAY12, 12)])
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert "Bits Stored 8 over compressed pixels of 12; taken as 12" in notes
