"""A header is looked at before its file is read, and whatever it says ends in a sentence."""

from __future__ import annotations

import os
import re
import struct
import threading
import time
import zlib

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance.io import _decoders, image_info, info
from tests.helpers.compare import assert_same_image
from tests.helpers.dicom_files import data_set, saved
from tests.helpers.image_files import bmp, drawn, encoded, png, png_chunk, tiff_fields, tiff_of

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

GRAY = drawn()
MORE_THAN_ANY_MEMORY = 1 << 40  # takes no place on the disk


def large_jpeg():
    data = bytearray(encoded(".jpg", GRAY))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    profile = b"\xff\xe2" + struct.pack(">H", 60_000) + bytes(59_998)
    return bytes(data[:2] + profile * 5 + data[2:])


def large_dicom():
    data = saved(data_set(np.zeros((2, 2), np.uint16)))
    for tag in (b"\x28\0\x10\0US\2\0", b"\x28\0\x11\0US\2\0"):
        data = data.replace(tag + b"\2\0", tag + b"\xff\xff")
    place = data.index(b"\xe0\x7f\x10\0OW")
    return data[: place + 8] + struct.pack("<I", 0xFFFFFFF0)


def large_bigtiff(directory):
    fields = [(256, 4, 90_000), (257, 4, 90_000), (258, 3, 8), (262, 3, 1)]
    entries = b"".join(struct.pack("<HHQQ", tag, kind, 1, value) for tag, kind, value in fields)
    return b"II+\0\x08\0\0\0" + struct.pack("<Q", directory), struct.pack("<Q", 4) + entries


HEADER = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
WEBP = b"RIFF\xff\xff\xff\x7fWEBPVP8X\n\0\0\0\0\0\0\0" + b"\xff\xff\0" * 2
STARTS = {
    "PNG": b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", HEADER),
    "JPEG": large_jpeg(),
    "BMP": bmp([b""], 24, 100_000, -100_000),
    "BMP of OS/2": bmp([b""], 8, 60_000, 60_000, core=True),
    "WebP": WEBP,
    "TIFF": tiff_of(tiff_fields(100_000, 100_000, 8, 1, 1, counts=[1]), b""),
    "DICOM": large_dicom(),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_file_of_too_many_pixels_is_not_read_whole(tmp_path, name):
    path = tmp_path / "bomb"
    path.write_bytes(STARTS[name])
    os.truncate(path, MORE_THAN_ANY_MEMORY)
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"at most 268435456 pixels; got a .* File: '.*bomb'"):
        read_image(path)
    assert image_info(path).height >= 60_000
    assert time.perf_counter() - started < 5


def test_a_directory_at_the_end_of_a_tiff_is_found_without_what_is_before(tmp_path):
    path = tmp_path / "bomb.tif"
    start, directory = large_bigtiff(MORE_THAN_ANY_MEMORY)
    with path.open("wb") as file:
        file.write(start)
        file.seek(MORE_THAN_ANY_MEMORY)
        file.write(directory)
    with pytest.raises(ValueError, match="got a TIFF image of 90000 x 90000"):
        read_image(path)
    assert image_info(path).width == 90_000


@pytest.mark.parametrize("read", [read_image, image_info])
@pytest.mark.parametrize("offset", [1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("mark", [b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"])
def test_an_offset_beyond_all_files_is_no_exception_of_its_own(tmp_path, read, offset, mark):
    order = "<" if mark[:2] == b"II" else ">"
    data = mark + struct.pack(order + "Q", offset) + bytes(64)
    (tmp_path / "far.tif").write_bytes(data)
    for source in (data, tmp_path / "far.tif"):
        if read is image_info:
            assert read(source).height is None
        else:
            with pytest.raises(ValueError, match="got a TIFF of 80 bytes that is cut short"):
                read(source)


@pytest.mark.parametrize("tag", [256, 258, 277, 322, 338])
def test_values_beyond_all_files_are_no_exception_of_their_own(tag):
    entry = struct.pack("<HHQQ", tag, 16, 4, (1 << 64) - 8)
    data = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + struct.pack("<Q", 1) + entry + bytes(64)
    assert image_info(data).height is None
    with pytest.raises(ValueError, match="got a TIFF of"):
        read_image(data)


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), RecursionError(), KeyError(3)])
def test_whatever_a_decoder_raises_is_a_sentence(monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setitem(_decoders.DECODERS, "PNG", fails)
    monkeypatch.setattr(info, "_depth", fails)
    for read in (read_image, image_info):
        said = re.escape(f"cannot be decoded ({type(error).__name__}")
        with pytest.raises(ValueError, match=said) as caught:
            read(png(GRAY, 0))
        assert caught.value.__cause__ is error


def test_a_pipe_is_read(tmp_path):
    path = tmp_path / "pipe"
    try:
        os.mkfifo(path)
    except (AttributeError, OSError):
        pytest.skip("this system has no named pipes")
    data = png(GRAY, 0)
    for read, check in ((read_image, assert_same_image), (image_info, assert_equal)):
        writer = threading.Thread(target=path.write_bytes, args=(data,))
        writer.start()
        check(read(path), read(data))
        writer.join()


def assert_equal(got, expected):
    assert got == expected


def test_chunks_of_a_png_that_never_end_are_gone_through_in_bounded_time():
    start = png(GRAY, 0)[:33]
    started = time.perf_counter()
    for filler in (bytes(60_000_000), png_chunk(b"tEXt", b"") * 3_000_000):
        with pytest.raises(ValueError, match="a PNG"):
            read_image(start + filler)
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("kind", [b"IDAT", b"IEND", b"tEXt", b"acTL"])
def test_no_room_is_made_for_a_chunk_longer_than_its_png(kind):
    data = png(GRAY, 0)
    started = time.perf_counter()
    for length in (0x7FFFFFFF, 0xE1E60000):
        with pytest.raises(ValueError, match="got a PNG cut short"):
            read_image(data[:-12] + struct.pack(">I", length) + kind + data[-4:] * 3)
    assert time.perf_counter() - started < 1


def test_a_png_is_not_inflated_beyond_its_pixels():
    inflated = zlib.compress(bytes(1 << 27), 9)
    whole = png(GRAY, 0)
    pixels = whole.index(b"IDAT") - 4
    started = time.perf_counter()
    for kind, start in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        notes = png_chunk(kind, start + inflated) * 100
        assert_same_image(read_image(whole[:pixels] + notes + whole[pixels:]), GRAY)
    for chunks in (png_chunk(b"IDAT", inflated * 100), png_chunk(b"IDAT", inflated[:9000]) * 100):
        with pytest.raises(ValueError, match="got a PNG of"):
            read_image(whole[:pixels] + chunks + whole[pixels:])
    assert time.perf_counter() - started < 3
