"""Which bytes are a frame's: swapped words of odd frames, fragments without a table of offsets."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from cxr_enhance import read_image
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import compressed, data_set, jpeg_lossless, saved  # noqa: E402
from tests.helpers.image_files import drawn  # noqa: E402

GRAY8 = drawn(36, 52)
FRAMES = np.stack([GRAY8, 255 - GRAY8, GRAY8 // 2])
GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4


def frame_of(data, frame):
    """Read a frame, whatever is said of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = read_image(data, frame=frame)
    return image, " ".join(str(warning.message) for warning in caught)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(3, 5), (1, 1), (4, 5), (5, 7)])
def test_bytes_in_words_of_big_endian_are_read_in_order(count, size):
    frames = np.random.default_rng(1).integers(0, 256, (count, *size)).astype(np.uint8)
    raw = frames.tobytes() + b"\0" * (frames.size % 2)
    ds = data_set(frames if count > 1 else frames[0])
    ds.PixelData = np.frombuffer(raw, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
    ds["PixelData"].VR = "OW"
    data = saved(ds, uid.ExplicitVRBigEndian)
    for index in range(count):
        assert_same_image(frame_of(data, index)[0], frames[index])


def test_colours_in_words_of_big_endian_are_read_in_order():
    colours = drawn(3, 5, channels=3)
    ds = data_set(colours)
    raw = np.frombuffer(colours.tobytes() + b"\0", np.uint8)
    ds.PixelData = raw.reshape(-1, 2)[:, ::-1].tobytes()
    ds["PixelData"].VR = "OW"
    assert_same_image(read_image(saved(ds, uid.ExplicitVRBigEndian)), colours)


def fragmented(frames, *, per_frame, syntax=uid.JPEGLosslessSV1, table=False, pixels=FRAMES):
    """Encapsulate frames in several fragments each."""
    ds = data_set(pixels)
    ds.PixelData = pydicom.encaps.encapsulate(frames, fragments_per_frame=per_frame, has_bot=table)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return saved(ds, syntax)


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("per_frame", [2, 3, 7])
def test_fragments_without_a_table_are_told_by_end_markers(frame, per_frame):
    data = fragmented([jpeg_lossless(image) for image in FRAMES], per_frame=per_frame)
    assert_same_image(frame_of(data, frame)[0], FRAMES[frame])


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_frames_of_unequal_numbers_of_fragments_are_told_by_end_markers(frame):
    items = b""
    for image, parts in zip(FRAMES, (1, 4, 2), strict=True):
        jpeg = jpeg_lossless(image)
        jpeg += b"\0" * (-len(jpeg) % (2 * parts))
        step = len(jpeg) // parts
        for start in range(0, len(jpeg), step):
            part = jpeg[start : start + step]
            items += b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part
    ds = data_set(FRAMES)
    ds.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0" + items
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    assert_same_image(frame_of(saved(ds, uid.JPEGLosslessSV1), frame)[0], FRAMES[frame])


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_a_table_of_offsets_that_does_not_fit_is_told_and_not_used(frame):
    data = fragmented([jpeg_lossless(image) for image in FRAMES], per_frame=2, table=True)
    start = data.index(b"\xfe\xff\x00\xe0\x0c\0\0\0") + 8
    wrong = data[:start] + (5).to_bytes(4, "little") + data[start + 4 :]
    image, notes = frame_of(wrong, frame)
    assert_same_image(image, FRAMES[frame])
    assert "table of offsets does not fit; frames told by their ends" in notes
    assert "table of offsets" not in frame_of(data, frame)[1]


def test_frames_that_nothing_tells_apart_are_one_sentence():
    frames = [jpeg_lossless(image)[:-2] + b"\0\0" for image in FRAMES]
    data = fragmented(frames, per_frame=2)
    with pytest.raises(ValueError, match="without a table or end markers that tell which is whose"):
        read_image(data)


def test_the_fragments_of_one_frame_are_joined():
    ds = pydicom.dcmread(pydicom.filebase.DicomBytesIO(
        compressed(data_set(GRAY12, bits=12), uid.JPEG2000Lossless)
    ))  # fmt: skip
    (frame,) = pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1)
    ds.PixelData = pydicom.encaps.encapsulate([frame], fragments_per_frame=4, has_bot=False)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    assert_same_image(read_image(saved(ds, uid.JPEG2000Lossless)), GRAY12)
