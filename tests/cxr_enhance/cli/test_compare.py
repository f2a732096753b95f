"""`cxr-enhance compare` with options: the images of `run`, in one picture."""

from __future__ import annotations

import io

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers.compare import assert_same_image

cv2 = pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from matplotlib.image import imread  # noqa: E402

from cxr_enhance.cli import _compare  # noqa: E402
from cxr_enhance.cli._figure import Panel, draw_sheet  # noqa: E402
from tests.helpers.dicom_files import data_set, saved  # noqa: E402

DEFAULT = "clip limit 2, 16 x 16 tiles\npercentiles 0.05 to 99.95, 256 bins"


@pytest.fixture
def drawn(monkeypatch):
    """Give the panels that were drawn, in place of the picture's pixels."""
    panels = []

    def sheet(rows):
        panels.extend([list(row) for row in rows])
        return draw_sheet(rows)

    monkeypatch.setattr(_compare, "draw_sheet", sheet)
    return panels


@pytest.fixture
def scan(tmp_path):
    cxe.write_image(tmp_path / "scan.png", synthetic_radiograph(320, 300))
    return tmp_path / "scan.png"


def test_an_option_that_is_repeated_makes_a_panel_for_each_value(cli, scan, tmp_path, drawn):
    out = tmp_path / "sheet.png"
    words = ["--clip-limit", 1, "--clip-limit", 4, "--tile-grid-size", 8, 4]
    result = cli("compare", scan, "--out", out, *words, "--tile-grid-size=2", 3)
    assert (result.status, result.err, result.out) == (0, "", f"wrote {out}\n")
    ((before, *after),) = drawn
    image = cxe.read_image(scan)
    assert before.title == "scan.png"
    assert_same_image(before.image, image)
    chosen = [(1.0, (8, 4)), (4.0, (8, 4)), (1.0, (2, 3)), (4.0, (2, 3))]
    for panel, (limit, grid) in zip(after, chosen, strict=True):
        params = cxe.EnhanceParams(clip_limit=limit, tile_grid_size=grid)
        assert_same_image(panel.image, cxe.enhance(image, params))
        assert panel.caption.startswith(f"clip limit {limit:g}, {grid[0]} x {grid[1]} tiles\n")
    assert imread(out).shape[1] == pytest.approx(5 * 2.6 * 110, abs=2)


def test_several_images_stand_below_each_other(cli, scan, tmp_path, drawn):
    cxe.write_image(tmp_path / "other.png", synthetic_radiograph(300, 350, bits=12))
    result = cli("compare", scan, tmp_path / "other.png", "--out", tmp_path / "sheet.png")
    assert (result.status, result.err) == (0, "")
    assert [[panel.title for panel in row] for row in drawn] == [
        ["scan.png", ""],
        ["other.png", ""],
    ]
    for row, name in zip(drawn, ["scan.png", "other.png"], strict=True):
        assert_same_image(row[1].image, cxe.enhance(cxe.read_image(tmp_path / name)))
        assert row[1].caption == DEFAULT


def test_files_of_params_and_presets_are_panels_too(cli, scan, tmp_path, drawn):
    bold = cxe.EnhanceParams(clip_limit=6.0, tile_grid_size=(4, 4), percentiles=None, bits=8)
    (tmp_path / "bold.json").write_text(bold.to_json())
    (tmp_path / "plain.json").write_text(cxe.EnhanceParams(clip_limit=None).to_json())
    words = ["--params", tmp_path / "bold.json", "--params", tmp_path / "plain.json"]
    assert cli("compare", scan, "--out", tmp_path / "first.png", *words).status == 0
    words = ["--preset", "study", "--preset", "mimic-cxr-jpg"]
    assert cli("compare", scan, "--out", tmp_path / "second.png", *words).status == 0
    (_, first, second), (_, study, mimic) = drawn
    image = cxe.read_image(scan)
    assert_same_image(first.image, cxe.enhance(image, bold))
    assert first.caption == (
        "bold.json\nclip limit 6, 4 x 4 tiles\nno white balance, 256 bins, 8 bits"
    )
    assert second.caption == "plain.json\nno CLAHE\npercentiles 0.05 to 99.95"
    assert study.image.shape == (224, 224)
    assert study.caption == f"preset study\n{DEFAULT}\n224 x 224 pixels, resized first"
    assert mimic.caption == "preset mimic-cxr-jpg"
    assert cli("run", scan, "--out", tmp_path / "study.npy", "--preset", "study").status == 0
    assert_same_image(study.image, np.load(tmp_path / "study.npy"))
    shown = image - image.min()
    shown = (shown / shown.max() * 255).astype(np.uint8)
    assert_same_image(mimic.image, cv2.equalizeHist(shown))


def test_a_dicom_file_is_shown_as_run_enhances_it(cli, tmp_path, drawn):
    pixels = synthetic_radiograph(90, 80, bits=12)
    pixels[:, :9] = 0
    ds = data_set(pixels, bits=12, PixelPaddingValue=0, WindowCenter=1500, WindowWidth=2000)
    (tmp_path / "scan.dcm").write_bytes(saved(ds))
    words = ["--voi", "window", "--voi", "none"]
    result = cli("compare", tmp_path / "scan.dcm", "--out", tmp_path / "sheet.png", *words)
    assert (result.status, result.err) == (0, "")
    ((before, *after),) = drawn
    assert_same_image(before.image, cxe.read_image(tmp_path / "scan.dcm", voi="window"))
    for panel, voi in zip(after, ("window", "none"), strict=True):
        out = tmp_path / f"{voi}.png"
        assert cli("run", tmp_path / "scan.dcm", "--out", out, "--voi", voi).status == 0
        assert_same_image(panel.image, cxe.read_image(out))
        assert panel.caption.endswith(f"\nVOI {voi}")


def test_windows_are_those_of_run_and_stand_under_their_panels(cli, tmp_path, drawn):
    pixels = synthetic_radiograph(90, 80, bits=12)
    ds = data_set(pixels, bits=12, WindowCenter=1500, WindowWidth=2000)
    (tmp_path / "scan.dcm").write_bytes(saved(ds))
    words = ["--window", "-20.5", "3000", "--window", "1800", "900"]
    result = cli("compare", tmp_path / "scan.dcm", "--out", tmp_path / "sheet.png", *words)
    assert (result.status, result.err) == (0, "")
    ((_, *after),) = drawn
    for panel, window in zip(after, [("-20.5", "3000"), ("1800", "900")], strict=True):
        out = tmp_path / f"{window[1]}.png"
        assert cli("run", tmp_path / "scan.dcm", "--out", out, "--window", *window).status == 0
        assert_same_image(panel.image, cxe.read_image(out))
        assert panel.caption.endswith("\nwindow {} / {}".format(*window))


def test_fit_border_and_polarity_are_those_of_run(cli, tmp_path, drawn):
    framed = np.zeros((200, 180), np.uint8)
    framed[20:180, 30:150] = synthetic_radiograph(160, 120)
    cxe.write_image(tmp_path / "framed.png", framed)
    shape = ["--size", 64, 48, "--crop-border", "--invert", "yes"]
    words = ["--fit", "squash", "--fit", "pad", "--fit", "crop"]
    out = tmp_path / "sheet.png"
    result = cli("compare", tmp_path / "framed.png", "--out", out, *shape, *words)
    assert (result.status, result.err) == (0, "")
    ((before, *after),) = drawn
    assert_same_image(before.image, framed)
    for panel, fit in zip(after, ("squash", "pad", "crop"), strict=True):
        alone = tmp_path / f"{fit}.png"
        assert cli("run", tmp_path / "framed.png", "--out", alone, *shape, "--fit", fit).status == 0
        assert_same_image(panel.image, cxe.read_image(alone))
        words = "" if fit == "squash" else f", fit {fit}"
        assert panel.caption == f"{DEFAULT}\n64 x 48 pixels\ninverted, border cropped{words}"


def test_spacing_is_that_of_run_and_needs_a_header(cli, scan, tmp_path, drawn):
    pixels = synthetic_radiograph(90, 80, bits=12)
    (tmp_path / "scan.dcm").write_bytes(saved(data_set(pixels, bits=12, PixelSpacing=[0.5, 0.25])))
    words = ["--spacing", 1, "--spacing", 2, "--resize-first"]
    out = tmp_path / "sheet.png"
    result = cli("compare", tmp_path / "scan.dcm", "--out", out, *words)
    assert (result.status, result.err) == (0, "")
    for panel, spacing, size in zip(drawn[0][1:], (1, 2), ((45, 20), (22, 10)), strict=True):
        alone = ["--out", tmp_path / f"{spacing}.png", "--spacing", spacing, "--resize-first"]
        assert cli("run", tmp_path / "scan.dcm", *alone).status == 0
        assert_same_image(panel.image, cxe.read_image(tmp_path / f"{spacing}.png"))
        assert panel.image.shape == size
        assert panel.caption == f"{DEFAULT}\n{spacing} mm a pixel, resized first"
    result = cli("compare", scan, "--out", tmp_path / "none.png", "--spacing", 1)
    assert result.status == 1
    assert "`--spacing` is only allowed for images whose pixels have a size" in result.err
    assert f"File: '{scan}'." in result.err
    assert not (tmp_path / "none.png").exists()


def test_one_choice_is_drawn_with_histograms_and_its_words(cli, scan, tmp_path, monkeypatch):
    drawn = {}

    def draw(before, after, **words):
        drawn.update(words, after=after)
        return b"png"

    monkeypatch.setattr(_compare, "draw_before_after", draw)
    assert cli("compare", scan, "--out", tmp_path / "p.png", "--percentiles", 1, 99).status == 0
    assert drawn["caption"] == "clip limit 2, 16 x 16 tiles\npercentiles 1 to 99, 256 bins"
    params = cxe.EnhanceParams(percentiles=(1, 99))
    assert_same_image(drawn["after"], cxe.enhance(cxe.read_image(scan), params))


def test_an_option_without_effect_is_said_once(cli, scan, tmp_path):
    words = ["--clip-limit", 0.1, "--clip-limit", 0.2, "--percentiles", 1, 99]
    result = cli("compare", scan, scan, "--out", tmp_path / "sheet.png", *words)
    assert result.status == 0
    notes = [line for line in result.out.splitlines() if line.startswith("note: ")]
    assert len(notes) == len(set(notes)) == 2
    assert "--clip-limit 0.1 has no effect" in notes[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--percentiles", "1"], "`--percentiles` must be two numbers; got '1'."),
        (
            ["--tile-grid-size", "8", "x"],
            "`--tile-grid-size` must be two whole numbers; got '8 x'.",
        ),
        (["--fit", "pad"], "`--fit` pad is only allowed with --size."),
        (["--window", "9", "0"], "`window` must be finite, with a width greater than 0"),
        (["--window", "9", "x"], "`--window` must be two numbers; got '9 x'."),
        (["--window", "9", "2", "--voi", "lut"], "`window` is only allowed with `voi`"),
        (["--spacing", "0"], "`--spacing` must be a positive number of millimetres; got 0.0."),
        (["--clip-limit", "2", "--clip-limit", "-1"], "`clip_limit` must be finite and at least 0"),
        (
            ["--preset", "mimic-cxr-jpg", "--clip-limit", "2"],
            "`--preset mimic-cxr-jpg` is only allowed without options",
        ),
        (
            [word for i in range(100) for word in ("--clip-limit", i)],
            "A contact sheet must have at most 100 panels; got 101: 1 images, each before and with "
            "100 choices.",
        ),
    ],
)
def test_choices_that_cannot_be_are_wrong_usage(cli, scan, tmp_path, words, sentence):
    result = cli("compare", scan, "--out", tmp_path / "sheet.png", *words)
    assert result.status == 2
    assert sentence in result.err
    assert not (tmp_path / "sheet.png").exists()


def test_one_bad_image_leaves_no_picture(cli, scan, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    out = tmp_path / "sheet.png"
    result = cli("compare", scan, tmp_path / "bad.png", "--out", out)
    assert result.status == 1
    assert f"File: '{tmp_path / 'bad.png'}'." in result.err
    assert not out.exists()


def test_each_panel_of_a_sheet_shows_its_gray_at_its_place():
    grays = [[10, 60, 110], [160, 210, 250]]
    rows = [[Panel(np.full((50, 50), gray, np.uint8), "$x", "$y") for gray in row] for row in grays]
    pixels = np.rint(imread(io.BytesIO(draw_sheet(rows)))[..., 0] * 255)
    height, width = pixels.shape
    shown = [
        [pixels[int((y + 0.5) * height / 2), int((x + 0.5) * width / 3)] for x in range(3)]
        for y in range(2)
    ]
    assert shown == grays


def test_a_long_name_is_shortened_to_the_width_of_its_panel():
    name = "00_uint16_23E99E2E-447C-46E5-8EB2-D35D12473C39.png"
    row = [Panel(np.full((50, 50), 128, np.uint8), name, "x") for _ in range(2)]
    pixels = imread(io.BytesIO(draw_sheet([row])))[..., 0]
    assert pixels[:, [0, -1]].min() == 1, "nothing is cut off at the edges of the picture"
