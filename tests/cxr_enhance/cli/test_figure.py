"""The picture of before and after, and `cxr-enhance compare`, which draws it of any image."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from matplotlib.image import imread  # noqa: E402

from cxr_enhance.cli._figure import draw_before_after  # noqa: E402

GRAY = synthetic_radiograph(300, 250)
IMAGES = {
    "gray": GRAY,
    "sixteen-bits": synthetic_radiograph(200, 250, bits=16),
    "twelve-bits": synthetic_radiograph(200, 250, bits=12),
    "colour": np.dstack([GRAY, GRAY // 2, 255 - GRAY]),
    "colour-sixteen-bits": np.dstack([GRAY.astype(np.uint16) * 257] * 3),
    "black": np.zeros((40, 30), np.uint8),
    "one-pixel": np.full((1, 1), 9, np.uint16),
    "wide": np.tile(np.arange(256, dtype=np.uint8), (2, 20)),
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_compare_draws_images_of_every_kind(cli, tmp_path, image):
    cxe.write_image(tmp_path / "scan.png", image)
    result = cli("compare", tmp_path / "scan.png", "--out", tmp_path / "picture.png")
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines()[-1] == f"wrote {tmp_path / 'picture.png'}"
    before = cxe.read_image(tmp_path / "scan.png")
    picture = draw_before_after(before, cxe.enhance(before), title="scan.png")
    assert (tmp_path / "picture.png").read_bytes() == picture


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (np.uint8(60), np.uint8(200), [60, 200]),
        (np.uint16(1000), np.uint16(4000), [1000 * 255 // 1023, 4000 * 255 // 4095]),
        (np.uint16(300), np.uint16(40_000), [300 * 255 // 511, 40_000 * 255 // 65_535]),
    ],
    ids=["8-bits", "12-bits", "16-bits"],
)
def test_before_is_left_and_after_is_right_in_the_grays_of_their_depth(before, after, shown):
    picture = draw_before_after(np.full((60, 50), before), np.full((60, 50), after), title="")
    pixels = imread(io.BytesIO(picture))
    height, width = pixels.shape[:2]
    for column, gray in zip((width // 4, 3 * width // 4), shown, strict=True):
        assert np.rint(pixels[height // 3, column] * 255).tolist() == [gray, gray, gray, 255]


@pytest.mark.parametrize("name", ["$a_b$ 100%.png", "胸.png", "new\nline.png", "^{.png"])
def test_any_name_becomes_a_title(cli, tmp_path, name, recwarn):
    cxe.write_image(tmp_path / name, GRAY)
    result = cli("compare", tmp_path / name, "--out", tmp_path / "picture.png")
    assert (result.status, result.err) == (0, "")


def test_an_existing_picture_stays_unless_overwriting(cli, tmp_path):
    cxe.write_image(tmp_path / "scan.png", GRAY)
    out = tmp_path / "picture.png"
    out.write_bytes(b"precious")
    result = cli("compare", tmp_path / "scan.png", "--out", out)
    assert result.status == 2
    assert result.err == (
        f"Error: `--out` must not exist; got {str(out)!r}. Replace it with --overwrite.\n"
    )
    assert out.read_bytes() == b"precious"
    assert cli("compare", tmp_path / "scan.png", "--out", out, "--overwrite").status == 0
    assert out.read_bytes() != b"precious"


def test_never_writes_over_the_image(cli, tmp_path):
    path = tmp_path / "scan.png"
    cxe.write_image(path, GRAY)
    before = path.read_bytes()
    os.link(path, tmp_path / "same.png")
    for out in (path, tmp_path / "same.png"):
        result = cli("compare", path, "--out", out, "--overwrite")
        assert result.status == 2
        assert result.err.startswith("Error: `--out` must not be the image itself; got")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "words"),
    [("picture.jpg", "must end in .png"), ("nowhere/p.png", "must lie in a folder that exists")],
)
def test_an_output_that_cannot_be_is_wrong_usage(cli, tmp_path, out, words):
    cxe.write_image(tmp_path / "scan.png", GRAY)
    result = cli("compare", tmp_path / "scan.png", "--out", tmp_path / out)
    assert result.status == 2
    assert words in result.err


def test_an_image_that_cannot_be_read_is_failed_work(cli, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    result = cli("compare", tmp_path / "text.png", "--out", tmp_path / "picture.png")
    assert result.status == 1
    assert result.err.startswith("Error: `source` must hold a whole JPEG")
    assert "text.png" in result.err
    result = cli("compare", tmp_path / "nothing.png", "--out", tmp_path / "picture.png")
    assert result.status == 1
    assert result.err == f"Error: {tmp_path / 'nothing.png'}: No such file or directory.\n"
    assert not (tmp_path / "picture.png").exists()
