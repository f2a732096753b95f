"""Reading equals ``cv2.imread`` on the same file, and says in a sentence what it cannot read."""

from __future__ import annotations

import gzip
import io
import os
import pathlib
import struct
import time

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance.io import image_info
from cxr_enhance.io._headers import jpeg_has_too_many_scans
from cxr_enhance.io._signatures import HEAD_BYTES, READ, image_format
from tests.helpers.compare import assert_native_and_contiguous, assert_same_image
from tests.helpers.image_files import (
    drawn,
    encoded,
    exif_orientation,
    jpeg_with_orientation,
    png,
    png_chunk,
    tiff,
)

cv2 = pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

GRAY, COLOUR = drawn(), drawn(channels=3)
GRAY16, COLOUR16 = drawn(dtype=np.uint16), drawn(dtype=np.uint16, channels=3)
ALPHA, ALPHA16 = drawn(seed=9), drawn(dtype=np.uint16, seed=9)
TRNS = png_chunk(b"tRNS", b"\0\x05")
PALETTE = png_chunk(b"PLTE", bytes(i * 7 % 256 for i in range(768)))

GRAY_FILES = {
    "jpeg": encoded(".jpg", GRAY),
    "png": encoded(".png", GRAY),
    "png-16": encoded(".png", GRAY16),
    "png-alpha": png(np.dstack([GRAY, ALPHA]), 4),
    "png-alpha-16": png(np.dstack([GRAY16, ALPHA16]), 4),
    "png-transparent-level": png(GRAY, 0, TRNS),
    "tiff": encoded(".tif", GRAY),
    "tiff-16": encoded(".tif", GRAY16),
    "tiff-big-endian-16": tiff([GRAY16], order=">"),
    "bigtiff": tiff([GRAY], big=True),
    "bigtiff-big-endian-16": tiff([GRAY16], big=True, order=">"),
    "tiff-alpha": tiff([np.dstack([GRAY, ALPHA])], extra_samples=2),
    "tiff-white-is-zero": tiff([GRAY], photometric=0),
    "tiff-two-pages": tiff([GRAY, drawn(20, 30)]),
    "bmp": encoded(".bmp", GRAY),
    "jpeg-turned": jpeg_with_orientation(encoded(".jpg", GRAY), 6),
    "png-turned": png(GRAY, 0, png_chunk(b"eXIf", exif_orientation(8))),
}  # fmt: skip
COLOUR_FILES = {
    "jpeg": encoded(".jpg", COLOUR),
    "jpeg-progressive": encoded(".jpg", COLOUR, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "jpeg-equal-channels": encoded(".jpg", np.dstack([GRAY] * 3)),
    "png": encoded(".png", COLOUR),
    "png-16": encoded(".png", COLOUR16),
    "png-alpha": encoded(".png", np.dstack([COLOUR, ALPHA])),
    "png-alpha-16": encoded(".png", np.dstack([COLOUR16, ALPHA16])),
    "png-palette": png(GRAY, 3, PALETTE),
    "png-palette-transparent": png(GRAY, 3, PALETTE + TRNS),
    "tiff": encoded(".tif", COLOUR),
    "tiff-16": encoded(".tif", COLOUR16),
    "tiff-16-alpha": tiff([np.dstack([COLOUR16, ALPHA16])], photometric=2, extra_samples=2),
    "webp": encoded(".webp", COLOUR),
    "webp-lossless": encoded(".webp", COLOUR, [cv2.IMWRITE_WEBP_QUALITY, 101]),
    "webp-gray": encoded(".webp", GRAY),
    "bmp": encoded(".bmp", COLOUR),
    "bmp-alpha": encoded(".bmp", np.dstack([COLOUR, ALPHA])),
    "jpeg-turned": jpeg_with_orientation(encoded(".jpg", COLOUR), 5),
}
EIGHT_BIT_FILES = [
    *[
        pytest.param(data, id=f"gray-{name}")
        for name, data in GRAY_FILES.items()
        if "16" not in name
    ],
    *[
        pytest.param(data, id=f"rgb-{name}")
        for name, data in COLOUR_FILES.items()
        if "16" not in name
    ],
]


def cv2_imread(tmp_path, data):
    """Read as the notebook does: ``cv2.imread(path)``, three channels, BGR."""
    path = tmp_path / "file"
    path.write_bytes(data)
    return cv2.imread(str(path))


@pytest.mark.parametrize("data", EIGHT_BIT_FILES)
def test_has_the_pixels_of_the_notebooks_imread(tmp_path, data):
    expected = cv2_imread(tmp_path, data)
    image = read_image(data)
    three = np.dstack([image] * 3) if image.ndim == 2 else image[..., ::-1]
    assert_same_image(three, expected)


@pytest.mark.parametrize("data", GRAY_FILES.values(), ids=GRAY_FILES)
def test_gray_files_have_two_axes(data):
    image = read_image(data)
    assert image.ndim == 2
    assert_native_and_contiguous(image)


@pytest.mark.parametrize("data", COLOUR_FILES.values(), ids=COLOUR_FILES)
def test_colour_files_have_three_channels(data):
    image = read_image(data)
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert_native_and_contiguous(image)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(GRAY_FILES["png-16"], GRAY16, id="png"),
        pytest.param(GRAY_FILES["png-alpha-16"], GRAY16, id="png-alpha"),
        pytest.param(GRAY_FILES["tiff-16"], GRAY16, id="tiff"),
        pytest.param(GRAY_FILES["tiff-big-endian-16"], GRAY16, id="tiff-big-endian"),
        pytest.param(GRAY_FILES["bigtiff-big-endian-16"], GRAY16, id="bigtiff-big-endian"),
        pytest.param(COLOUR_FILES["png-16"], COLOUR16[..., ::-1], id="rgb-png"),
        pytest.param(COLOUR_FILES["png-alpha-16"], COLOUR16[..., ::-1], id="rgb-png-alpha"),
        pytest.param(COLOUR_FILES["tiff-16"], COLOUR16[..., ::-1], id="rgb-tiff"),
        pytest.param(COLOUR_FILES["tiff-16-alpha"], COLOUR16, id="rgb-tiff-alpha"),
    ],
)
def test_sixteen_bits_stay_sixteen_bits(data, expected):
    assert_same_image(read_image(data), np.ascontiguousarray(expected))


def test_white_is_zero_comes_out_as_positive():
    assert_same_image(read_image(GRAY_FILES["tiff-white-is-zero"]), 255 - GRAY)


def test_first_page_is_read():
    assert_same_image(read_image(GRAY_FILES["tiff-two-pages"]), GRAY)


def test_alpha_is_dropped_not_blended():
    invisible = np.dstack([COLOUR, np.zeros_like(ALPHA)])
    assert_same_image(
        read_image(encoded(".png", invisible)), np.ascontiguousarray(COLOUR[..., ::-1])
    )


def test_orientation_is_applied():
    turned = read_image(png(GRAY, 0, png_chunk(b"eXIf", exif_orientation(6))))
    assert_same_image(turned, np.ascontiguousarray(np.rot90(GRAY, -1)))


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_tiff_depths_are_shifted_up_to_sixteen(bits):
    values = (GRAY16 >> (16 - bits))[:, :48]
    high = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(37, 48, 2), axis=-1)
    packed = np.packbits(high[..., 16 - bits :].reshape(37, -1), axis=-1)
    data = tiff([packed], bits=bits)
    width_tag = struct.pack("<HHII", 256, 4, 1, packed.shape[1])
    data = data.replace(width_tag, struct.pack("<HHII", 256, 4, 1, 48))
    assert_same_image(read_image(data), values << (16 - bits))


@pytest.mark.parametrize("kind", [str, pathlib.Path])
@pytest.mark.parametrize(
    "name", ["scan.png", "Röntgen 胸.png", "no-extension", "lies.jpg", "new\nline.png", "-d.png"]
)
def test_a_file_of_any_name_is_read(tmp_path, kind, name):
    path = tmp_path / name
    path.write_bytes(encoded(".png", GRAY))
    assert_same_image(read_image(kind(path)), GRAY)


def test_reads_a_name_that_is_not_utf8(tmp_path):
    path = os.path.join(tmp_path, os.fsdecode(b"scan\xff.png"))
    try:
        with open(path, "wb") as file:
            file.write(encoded(".png", GRAY))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert_same_image(read_image(path), GRAY)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_reads_bytes_like_content(kind):
    assert_same_image(read_image(kind(encoded(".png", GRAY))), GRAY)


@pytest.mark.parametrize(
    "data",
    [GRAY_FILES["jpeg"], GRAY_FILES["png"], GRAY_FILES["tiff"], COLOUR_FILES["webp"]],
    ids=["jpeg", "png", "tiff", "webp"],
)
def test_bytes_after_the_image_do_no_harm(data):
    assert_same_image(read_image(data + b"appended by some archive" * 40), read_image(data))


@pytest.mark.parametrize("left_out", [1, 2, 13, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GRAY_FILES["jpeg"], id="gray-jpeg"),
        pytest.param(COLOUR_FILES["jpeg"], id="jpeg"),
        pytest.param(COLOUR_FILES["jpeg-progressive"], id="progressive"),
        pytest.param(GRAY_FILES["png"], id="png"),
        pytest.param(COLOUR_FILES["png-16"], id="png-16"),
        pytest.param(COLOUR_FILES["webp"], id="webp"),
        pytest.param(COLOUR_FILES["webp-lossless"], id="webp-lossless"),
        pytest.param(GRAY_FILES["bmp"], id="bmp"),
        pytest.param(GRAY_FILES["bigtiff"], id="bigtiff"),
    ],
)
def test_a_file_cut_short_raises(data, left_out):
    kept = len(data) - (left_out if isinstance(left_out, int) else int(len(data) * left_out))
    if data[:2] == b"II" and left_out in (1, 2):
        kept = len(data) - 20  # the last bytes of a TIFF may hold no more than "no next page"
    with pytest.raises(ValueError, match=r"`source` must hold a whole .* image; got"):
        read_image(data[:kept])


def test_a_tiff_cut_within_its_pixels_raises():
    with pytest.raises(ValueError, match="TIFF"):
        read_image(tiff([GRAY])[:600])
    pixels_last = tiff([GRAY, GRAY])  # the second page's directory is gone, the first is whole
    assert_same_image(read_image(pixels_last[: len(tiff([GRAY])) + 100]), GRAY)


def test_damaged_png_raises():
    data = bytearray(png(GRAY, 0))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ValueError, match=r"a PNG of .* bytes that is cut short, damaged"):
        read_image(bytes(data))


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "got an empty file", id="empty"),
        pytest.param(b"not an image", r"got 12 bytes that begin with b'not an i'", id="text"),
        pytest.param(b"BMW is a car, and this is no bitmap", "got 35 bytes", id="text-like-bmp"),
        pytest.param(npy(GRAY), r"a NumPy array\. Load it with numpy\.load\.$", id="npy"),
        pytest.param(b"P5\n53 37\n255\n" + GRAY.tobytes(), "a Netpbm image. Convert", id="pgm"),
        pytest.param(b"P53 is no chip", "got 14 bytes", id="text-like-pgm"),
        pytest.param(gzip.compress(b""), "a gzip file. Unpack it first", id="gzip"),
        pytest.param(b"PK\3\4" + bytes(99), "a zip file. Unpack it first", id="zip"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\n", "with git lfs pull", id="git-lfs"
        ),
        pytest.param(b"GIF89a" + bytes(99), r"got GIF\. Convert it to PNG", id="gif"),
        pytest.param(bytes(128) + b"DICM" + bytes(99), "got a DICOM file", id="dicom"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99), "got JPEG 2000", id="jp2"),
        pytest.param(b"\0\0\0 ftypavif" + bytes(99), "got AVIF", id="avif"),
        pytest.param(tiff([GRAY.astype(np.float32)], sample_format=3), "floating", id="float32"),
        pytest.param(tiff([GRAY.astype(np.float64)], sample_format=3), "floating", id="float64"),
        pytest.param(tiff([GRAY.view(np.int8)], sample_format=2), "signed", id="int8"),
        pytest.param(tiff([GRAY16.view(np.int16)], sample_format=2), "signed", id="int16"),
        pytest.param(tiff([GRAY.astype(np.uint32)]), "unsigned 32-bit", id="uint32"),
        pytest.param(
            tiff([np.dstack([GRAY16, ALPHA16])], extra_samples=2), "without alpha", id="16bit-alpha"
        ),
        pytest.param(b"II*\0\xff\xff\xff\x7f" + bytes(99), "a TIFF of 107 bytes", id="wild-offset"),
        pytest.param(
            png(np.zeros((1, 1), np.uint8), 0)
            .replace(struct.pack(">II", 1, 1), struct.pack(">II", 16_000, 16_000)),
            "a PNG",
            id="false-size",
        ),
    ],
)  # fmt: skip
def test_errors_of_reading_name_what_the_source_holds(data, words):
    if image_format(data[:HEAD_BYTES]) not in READ:
        with pytest.raises(ValueError, match=words):
            image_info(data)
    with pytest.raises(ValueError, match=words) as caught:
        read_image(data)
    assert str(caught.value).startswith(
        "`source` must hold a whole JPEG, PNG, TIFF, WebP, BMP or DICOM"
    )


def bomb(width=40_000, height=40_000):
    """Make a PNG that declares more than it holds."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"")
    return data + png_chunk(b"IEND", b"")


def test_too_many_pixels_are_refused_before_decoding():
    with pytest.raises(ValueError, match="must hold at most 268435456 pixels; got a PNG image of"):
        read_image(bomb())


@pytest.mark.parametrize("data", [*GRAY_FILES.values(), *COLOUR_FILES.values()])
def test_every_format_minds_the_limit_on_pixels(data):
    with pytest.raises(ValueError, match=r"at most 100 pixels; got a .* image of (53|48|37) x"):
        read_image(data, max_pixels=100)
    assert read_image(data, max_pixels=37 * 53).size


def jpeg_after(filler):
    """Make a JPEG with something between its start and its first segment."""
    whole = bytes(encoded(".jpg", drawn(40, 50)))
    return whole[:2] + filler + whole[2:]


@pytest.mark.parametrize("filler", [b"\0\1\2", b"\xff" * 7, b"\xff\0\xff\0", b"\xff\xff\0"])
def test_what_stands_between_segments_of_a_jpeg_hides_no_size(filler):
    with pytest.raises(ValueError, match="at most 100 pixels; got a JPEG image of 50 x 40"):
        read_image(b"\xff\xd8\xff\xe0\0\2" + jpeg_after(filler)[2:], max_pixels=100)


@pytest.mark.parametrize("filler", [b"\xff" * 4_000_000, b"\xff\1" * 2_000_000])
def test_markers_of_a_jpeg_are_looked_for_in_bounded_time(filler):
    started = time.process_time()
    assert image_info(jpeg_after(filler)).format == "JPEG"
    assert time.process_time() - started < 1


def test_a_jpeg_whose_size_cannot_be_found_is_not_decoded():
    with pytest.raises(ValueError, match="got a JPEG of 4000"):
        read_image(b"\xff\xd8\xff\xe0\0\2" + jpeg_after(b"\xff\1" * 2_000_000)[2:])


@pytest.mark.parametrize("progressive", [0, 1])
def test_bytes_after_the_end_of_a_jpeg_are_no_scans(progressive):
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, 1]
    whole = cv2.imencode(".jpg", drawn(40, 50), options)[1].tobytes()
    assert_same_image(read_image(whole + b"\xff\xda\0\1" * 1000), read_image(whole))


def test_an_end_marker_in_a_comment_hides_no_scans():
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    whole = cv2.imencode(".jpg", drawn(40, 50), options)[1].tobytes()
    place = whole.rindex(b"\xff\xda")
    scan = whole[place : place + 10] + b"\0"
    comment = b"\xff\xfe\0\4\xff\xd9"
    with pytest.raises(ValueError, match="got a JPEG of more scans than any encoder writes"):
        read_image(whole[:-2] + comment + scan * 200 + whole[-2:])


@pytest.mark.parametrize("filler", [b"\xff\xd0", b"\xff\xfe\0\2", b"\xff\0", b"\xff"])
def test_scans_are_counted_in_bounded_time(filler):
    data = b"\xff\xd8" + filler * (8_000_000 // len(filler)) + b"\xff\xda\0\2" * 300
    started = time.process_time()
    jpeg_has_too_many_scans(data)
    assert time.process_time() - started < 2


def test_a_jpeg_of_more_scans_than_any_encoder_writes_is_refused():
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    whole = cv2.imencode(".jpg", drawn(40, 50), options)[1].tobytes()
    place = whole.rindex(b"\xff\xda")
    scan = whole[place : place + 10] + b"\0"
    assert_same_image(read_image(whole[:-2] + scan * 20 + whole[-2:]), read_image(whole))
    with pytest.raises(ValueError, match="got a JPEG of more scans than any encoder writes"):
        read_image(whole[:-2] + scan * 200 + whole[-2:])


def test_too_many_pixels_for_opencv_is_a_sentence():
    with pytest.raises(ValueError, match=r"within OpenCV's size limits; got a PNG"):
        read_image(bomb(), max_pixels=1 << 40)


def test_a_second_frame_of_one_is_a_sentence():
    with pytest.raises(ValueError, match="`frame` must be 0 for a PNG image; got 1"):
        read_image(GRAY_FILES["png"], frame=1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"voi": "x"}, "`voi` must be one of 'auto', 'window', 'lut', 'none'; got 'x'"),
        (
            {"window": (0, 0)},
            r"`window` must be finite, with a width greater than 0; got \(0\.0, 0\.0\)\.",
        ),
        ({"window": (float("nan"), 9)}, "`window` must be finite"),
        (
            {"window": (5, 9), "voi": "lut"},
            "`window` is only allowed with `voi` 'auto' or 'window'; got 'lut'",
        ),
        ({"frame": -1}, "`frame` must be at least 0; got -1"),
        ({"max_pixels": 0}, "`max_pixels` must be at least 1; got 0"),
    ],
)
def test_options_out_of_range_are_sentences(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_image(GRAY_FILES["png"], **options)
    with pytest.raises(TypeError, match=r"`max_pixels` must be an int; got 1\.5"):
        read_image(GRAY_FILES["png"], max_pixels=1.5)


@pytest.mark.parametrize("window", [3, "12", (1,), (1, 2, 3), (True, 4), ("1", 2)])
def test_a_window_of_other_things_than_two_numbers_is_a_sentence(window):
    with pytest.raises(TypeError, match=r"`window` must be two numbers \(center, width\) or None"):
        read_image(GRAY_FILES["png"], window=window)


def test_a_window_leaves_formats_that_have_none_as_they_are():
    assert_same_image(read_image(GRAY_FILES["png"], window=(10, 5)), read_image(GRAY_FILES["png"]))


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(encoded(".png", GRAY)[:100])
    with pytest.raises(ValueError, match=r"got a PNG cut short after 100 bytes\. File: '.*broken"):
        read_image(path)


def test_operating_system_errors_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(OSError):  # noqa: PT011 - IsADirectoryError, on Windows PermissionError
        read_image(tmp_path)


@pytest.mark.parametrize("source", [None, 3, [1, 2], GRAY])
def test_rejects_what_is_neither_name_nor_bytes(source):
    with pytest.raises(TypeError, match="`source` must be a file's name or its bytes; got"):
        read_image(source)


def test_rejects_an_open_file_with_the_cure(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(encoded(".png", GRAY))
    with path.open("rb") as file, pytest.raises(TypeError, match=r"Pass its \.read\(\)"):
        read_image(file)


@pytest.mark.parametrize("read", [read_image, image_info])
def test_a_name_with_nul_is_a_sentence(read):
    with pytest.raises(
        ValueError, match=r"`source` must be a file's name without NUL; got 'a\\x00b'"
    ):
        read("a\0b")


def test_a_large_file_that_is_no_image_is_not_read_whole(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("no image")
    os.truncate(path, 1 << 40)  # more than any memory; takes no place on the disk
    said = r"bytes that begin with b'no image'\. File: '.*log\.txt'"
    with pytest.raises(ValueError, match=said):
        read_image(path)


def test_a_dicom_file_is_refused_by_its_header_before_it_is_read_whole(tmp_path, monkeypatch):
    pytest.importorskip("pydicom")
    from cxr_enhance.io import read as module
    from tests.helpers.dicom_files import data_set, saved

    path = tmp_path / "bomb.dcm"
    path.write_bytes(saved(data_set(drawn(300, 400), Rows=65_000, Columns=65_000)))
    monkeypatch.setattr(module, "decode_image", None)  # never comes to it
    with pytest.raises(ValueError, match=r"65000.*bomb\.dcm"):
        read_image(path)


@pytest.mark.parametrize("name", ["DeflatedExplicitVRLittleEndian", "ExplicitVRLittleEndian"])
def test_a_dicom_header_longer_than_what_is_looked_at_first_is_read(tmp_path, name):
    uid = pytest.importorskip("pydicom").uid
    from tests.helpers.dicom_files import data_set, saved

    image = np.random.default_rng(1).integers(0, 256, (300, 400), np.uint8)
    made = data_set(image, ImageComments="x" * 9000)
    made.add_new(0x00091001, "OB", np.random.default_rng(2).bytes(100_000))
    made.add_new(0x00090010, "LO", "nobody")
    path = tmp_path / "long.dcm"
    path.write_bytes(saved(made, getattr(uid, name)))
    assert path.stat().st_size > 200_000
    assert_same_image(read_image(path), read_image(path.read_bytes()))
