"""Writing keeps every pixel where the format can, and the file is whole or not there."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys

import numpy as np
import pytest

import cxr_enhance.io.atomic as atomic
from cxr_enhance import read_image, write_image
from cxr_enhance.io.write import encode_image
from tests.helpers.compare import assert_same_image
from tests.helpers.full_disk import full_disk
from tests.helpers.image_files import drawn

cv2 = pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and pipes")

IMAGES = {
    "gray": drawn(),
    "rgb": drawn(channels=3),
    "gray-16": drawn(dtype=np.uint16),
    "rgb-16": drawn(dtype=np.uint16, channels=3),
    "one-pixel": np.full((1, 1), 7, np.uint8),
}


@pytest.mark.parametrize("extension", [".png", ".PNG", ".tif", ".tiff"])
@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_lossless_formats_give_back_every_pixel(tmp_path, extension, image):
    write_image(tmp_path / f"scan{extension}", image)
    assert_same_image(read_image(tmp_path / f"scan{extension}"), image)


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_npy_holds_the_array(tmp_path, image):
    write_image(tmp_path / "scan.npy", image)
    assert_same_image(np.load(tmp_path / "scan.npy"), image)


@pytest.mark.parametrize(
    ("extension", "flag"),
    [(".jpg", "IMWRITE_JPEG_QUALITY"), (".jpeg", "IMWRITE_JPEG_QUALITY"),
     (".webp", "IMWRITE_WEBP_QUALITY")],
)  # fmt: skip
@pytest.mark.parametrize("quality", [1, 80, 95, 100])
def test_lossy_formats_write_opencvs_bytes_at_the_quality_asked_for(
    tmp_path, extension, flag, quality
):
    write_image(tmp_path / f"scan{extension}", IMAGES["rgb"], quality=quality)
    bgr = np.ascontiguousarray(IMAGES["rgb"][..., ::-1])
    _, expected = cv2.imencode(extension, bgr, [getattr(cv2, flag), quality])
    assert (tmp_path / f"scan{extension}").read_bytes() == expected.tobytes()


def test_quality_is_95_unless_said(tmp_path):
    write_image(tmp_path / "a.jpg", IMAGES["gray"])
    write_image(tmp_path / "b.jpg", IMAGES["gray"], quality=95)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


def test_one_channel_with_an_axis_is_written_as_gray(tmp_path):
    write_image(tmp_path / "scan.png", IMAGES["gray"][..., None])
    assert_same_image(read_image(tmp_path / "scan.png"), IMAGES["gray"])


@pytest.mark.parametrize(
    "arrange",
    [np.asfortranarray, lambda image: image[::-1, ::2], lambda image: image.astype(">u2")],
    ids=["fortran", "strided", "big-endian"],
)
@pytest.mark.parametrize("extension", [".png", ".npy"])
def test_any_layout_is_written_and_left_alone(tmp_path, arrange, extension):
    image = arrange(drawn(dtype=np.uint16, channels=3))
    image.flags.writeable = False
    before = image.copy()
    write_image(tmp_path / f"scan{extension}", image)
    np.testing.assert_array_equal(image, before)
    path = tmp_path / f"scan{extension}"
    read = np.load(path) if extension == ".npy" else read_image(path)
    assert_same_image(read, np.ascontiguousarray(image, dtype=np.uint16))


@pytest.mark.parametrize("name", ["Röntgen 胸.png", "new\nline.png", "-dash.png", " .png"])
def test_writes_any_name(tmp_path, name):
    write_image(tmp_path / name, IMAGES["gray"])
    assert os.listdir(tmp_path) == [name]


def test_replaces_an_existing_file_by_default(tmp_path):
    write_image(tmp_path / "scan.png", IMAGES["gray"])
    write_image(tmp_path / "scan.png", IMAGES["rgb"])
    assert_same_image(read_image(tmp_path / "scan.png"), IMAGES["rgb"])


def test_without_overwrite_an_existing_file_stays(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"scan\.png"):
        write_image(path, IMAGES["gray"], overwrite=False)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["scan.png"]


@pytest.mark.parametrize("linking_works", [True, False])
def test_without_overwrite_a_file_that_appears_meanwhile_stays(
    tmp_path, monkeypatch, linking_works
):
    path = tmp_path / "scan.png"
    link = os.link

    def somebody_is_faster(source, target):
        path.write_bytes(b"precious")
        if not linking_works:
            raise OSError("no hard links here")
        link(source, target)

    monkeypatch.setattr(atomic.os, "link", somebody_is_faster)
    with pytest.raises(FileExistsError):
        write_image(path, IMAGES["gray"], overwrite=False)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["scan.png"]


def test_without_overwrite_writes_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError("no hard links here")

    monkeypatch.setattr(atomic.os, "link", no_links)
    write_image(tmp_path / "scan.png", IMAGES["gray"], overwrite=False)
    assert_same_image(read_image(tmp_path / "scan.png"), IMAGES["gray"])
    assert os.listdir(tmp_path) == ["scan.png"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, error):
    path = tmp_path / "scan.png"
    write_image(path, IMAGES["gray"])

    def fail(source, target):
        raise error

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(type(error)):
        write_image(path, IMAGES["rgb"])
    assert_same_image(read_image(path), IMAGES["gray"])
    assert os.listdir(tmp_path) == ["scan.png"]


@posix_only
@pytest.mark.parametrize("extension", [".npy", ".png"])
def test_a_full_disk_is_an_error_with_a_number_that_names_the_file(tmp_path, extension):
    noise = np.random.default_rng(0).integers(0, 1 << 16, (300, 300), dtype=np.uint16)
    path = tmp_path / f"scan{extension}"
    with full_disk(), pytest.raises(OSError, match="scan") as caught:
        write_image(path, noise)
    assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (5, 7), (5, 7, 1), (5, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_npy_has_the_bytes_of_numpys_own_files(tmp_path, shape, dtype):
    image = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    write_image(tmp_path / "scan.npy", image)
    np.save(tmp_path / "expected.npy", image)
    expected = (tmp_path / "expected.npy").read_bytes()
    assert (tmp_path / "scan.npy").read_bytes() == expected
    assert bytes(encode_image(image, ".npy", 95)) == expected


def test_a_new_file_has_the_umasks_permissions(tmp_path):
    previous = os.umask(0o027)
    try:
        write_image(tmp_path / "scan.png", IMAGES["gray"])
        write_image(tmp_path / "new.png", IMAGES["gray"], overwrite=False)
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "scan.png").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o640


@posix_only
def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "scan.png"
    write_image(path, IMAGES["gray"])
    path.chmod(0o604)
    write_image(path, IMAGES["rgb"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@posix_only
def test_a_link_is_replaced_not_followed(tmp_path):
    write_image(tmp_path / "original.png", IMAGES["gray"])
    (tmp_path / "link.png").symlink_to(tmp_path / "original.png")
    write_image(tmp_path / "link.png", IMAGES["rgb"])
    assert not (tmp_path / "link.png").is_symlink()
    assert_same_image(read_image(tmp_path / "original.png"), IMAGES["gray"])


@posix_only
def test_refuses_to_replace_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match=r"`path` must name a regular file; got"):
        write_image(tmp_path / "pipe.png", IMAGES["gray"])


def test_operating_system_errors_name_the_file_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no-folder.scan\.png"):
        write_image(tmp_path / "no-folder" / "scan.png", IMAGES["gray"])
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.png"):
        write_image(tmp_path / "folder.png", IMAGES["gray"])


@pytest.mark.parametrize("name", ["scan", "scan.gif", "scan.dcm", ".png"])
def test_rejects_an_extension_it_does_not_write(tmp_path, name):
    rule = r"`path` must end in \.png, \.jpg, \.jpeg, \.tif, \.tiff, \.webp or \.npy; got"
    with pytest.raises(ValueError, match=rule):
        write_image(tmp_path / name, IMAGES["gray"])


@pytest.mark.parametrize("extension", [".jpg", ".webp"])
def test_rejects_sixteen_bits_where_the_format_has_eight(tmp_path, extension):
    with pytest.raises(ValueError, match=r"must have dtype uint8 for .*; got uint16\. Write \.png"):
        write_image(tmp_path / f"scan{extension}", IMAGES["gray-16"])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("white", [65_535, 4095, 300, 255, 3, 0])
def test_the_cure_for_sixteen_bits_keeps_as_many_levels_as_fit_eight_bits(tmp_path, white):
    image = np.linspace(0, white, 64 * 64).astype(np.uint16).reshape(64, 64)
    with pytest.raises(ValueError, match="must have dtype uint8") as caught:
        write_image(tmp_path / "scan.jpg", image)
    cure = re.search(r"with (.*)\.$", str(caught.value))[1]
    reduced = eval(cure, {"image": image, "np": np})  # the cure, taken literally
    assert reduced.dtype == np.uint8
    assert np.all(np.diff(reduced.reshape(-1).astype(int)) >= 0)
    assert reduced.max() == white >> max(white.bit_length() - 8, 0)
    write_image(tmp_path / "scan.jpg", reduced)


@pytest.mark.parametrize(
    ("extension", "shape", "dtype", "cure"),
    [
        (".jpg", (2, 2), np.uint16, "Choose --format png."),
        (".jpg", (1, 65_501), np.uint8, "Choose --format png or npy."),
        (".png", (1, 1_000_001), np.uint8, "Choose --format npy."),
    ],
)
def test_the_cure_for_a_command_is_an_option(extension, shape, dtype, cure):
    with pytest.raises(ValueError, match="`image` must") as caught:
        encode_image(np.zeros(shape, dtype), extension, 95)
    assert str(caught.value).endswith(cure)
    larger = re.search(r"(\w+)\.$", cure)[1]
    assert len(encode_image(np.zeros(shape, dtype), f".{larger}", 95))


def test_the_cure_for_a_side_too_long_for_tiff_is_no_tiff(tmp_path):
    with pytest.raises(ValueError, match=r"Write \.npy\.$"):
        write_image(tmp_path / "scan.tif", np.zeros((1, 2**20 + 1), np.uint8))


@pytest.mark.parametrize(("extension", "side"), [(".jpg", 65_501), (".webp", 16_384)])
def test_rejects_a_side_longer_than_the_format_holds(tmp_path, extension, side):
    with pytest.raises(ValueError, match="pixels a side"):
        write_image(tmp_path / f"scan{extension}", np.zeros((1, side), np.uint8))


@pytest.mark.parametrize(
    ("quality", "error"), [(0, ValueError), (101, ValueError), ("95", TypeError), (9.5, TypeError),
                           (True, TypeError)],
)  # fmt: skip
def test_rejects_a_wrong_quality(tmp_path, quality, error):
    with pytest.raises(error, match="`quality` must be"):
        write_image(tmp_path / "scan.jpg", IMAGES["gray"], quality=quality)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (None, TypeError),
        ([[1, 2]], TypeError),
        (np.zeros((4, 4)), TypeError),
        (np.zeros((4, 4, 4), np.uint8), ValueError),
        (np.zeros((0, 4), np.uint8), ValueError),
        (np.zeros(4, np.uint8), ValueError),
    ],
)
def test_rejects_what_is_no_image(tmp_path, image, error):
    with pytest.raises(error, match="`image` must"):
        write_image(tmp_path / "scan.png", image)
    assert os.listdir(tmp_path) == []


def test_rejects_what_is_no_name():
    with pytest.raises(TypeError, match="`path` must be a file's name; got int"):
        write_image(3, IMAGES["gray"])


def test_rejects_a_name_with_nul():
    with pytest.raises(ValueError, match="`path` must be a file's name without NUL; got"):
        write_image("a\0b.png", np.zeros((2, 2), np.uint8))
