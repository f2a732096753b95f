"""What is copied from the page gives the image that it showed."""

import shlex

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from cxr_enhance.archive.task import result_image
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_enhance.tuner.choice import Choice
from cxr_enhance.tuner.source import source_of_array, source_of_file
from cxr_enhance.tuner.texts import texts_of
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from cxr_enhance.cli import main  # noqa: E402
from tests.helpers.dicom_files import data_set, saved  # noqa: E402

CHOICES = [
    {},
    {"clip_limit": 3.3, "tile_grid_size": (8, 4)},
    {"percentiles": (0.1, 97.5), "num_bins": 64},
    {"percentiles": None},
    {"clip_limit": None},
    {"clip_limit": None, "percentiles": (1.0, 99.0), "num_bins": 100},
    {"num_bins": None, "clip_limit": 0.0},
    {"bit_shift": 2},
    {"bits": 12, "tile_grid_size": (4, 4)},
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cxe.write_image("gray.png", synthetic_radiograph(120, 90, bits=12))
    gray = synthetic_radiograph(120, 90)
    cxe.write_image("two words.png", np.dstack([gray, gray // 2, 255 - gray]))
    cxe.write_image("-dash.png", gray)
    pixels = synthetic_radiograph(120, 90, bits=12)
    pixels[:, :12] = 0
    ds = data_set(pixels, bits=12, PixelPaddingValue=0, WindowCenter=1500, WindowWidth=2200)
    with open("scan.dcm", "wb") as file:
        file.write(saved(ds))


def shown_for(path, choice):
    source = source_of_file(path, choice.read)
    return result_image(source.decoded, choice.job(), []).image, texts_of(source, choice)


def assert_both_give(image, texts):
    names = {}
    exec(texts["python"], names)
    assert_same_image(names["enhanced"], image)
    words = shlex.split(texts["command"])
    assert main([*words[1:], "--quiet"]) == 0
    assert_same_image(cxe.read_image(words[words.index("--out") + 1]), image)


@pytest.mark.parametrize("options", CHOICES, ids=str)
@pytest.mark.parametrize("path", ["gray.png", "scan.dcm"])
def test_both_commands_give_the_image_that_is_shown(files, path, options):
    choice = Choice(params=EnhanceParams(**options))
    image, texts = shown_for(path, choice)
    assert_both_give(image, texts)
    assert EnhanceParams.from_json(texts["params"]) == choice.params


@pytest.mark.parametrize("path", ["two words.png", "-dash.png"])
def test_odd_names_are_quoted(files, path):
    assert_both_give(*shown_for(path, Choice(params=EnhanceParams(clip_limit=4.0))))


@pytest.mark.parametrize("voi", ["auto", "window", "none"])
def test_the_voi_transform_stands_beside_the_params(files, voi):
    image, texts = shown_for("scan.dcm", Choice(params=EnhanceParams(), voi=voi))
    assert_both_give(image, texts)
    assert ("--voi" in texts["command"]) == ("voi=" in texts["python"]) == (voi != "auto")


@pytest.mark.parametrize("window", [(1800.0, 900.0), (-0.5, 2.25)])
@pytest.mark.parametrize("preset", [None, "study"])
def test_a_chosen_window_stands_beside_the_params_too(files, window, preset):
    choice = Choice(params=EnhanceParams(clip_limit=4.0), window=window, preset=preset)
    image, texts = shown_for("scan.dcm", choice)
    assert_both_give(image, texts)
    assert f"window={window}" in texts["python"]
    assert texts["command"].endswith(f"--window {window[0]} {window[1]}")
    assert "window" not in texts["params"]
    assert "window" not in "".join(shown_for("gray.png", choice)[1].values())


def test_a_chosen_window_goes_with_the_recipe_of_mimic(files):
    choice = Choice(params=EnhanceParams(), preset="mimic-cxr-jpg", window=(1800.0, 900.0))
    image, texts = shown_for("scan.dcm", choice)
    assert texts["command"].endswith("--preset mimic-cxr-jpg --window 1800.0 900.0")
    assert main([*shlex.split(texts["command"])[1:], "--quiet"]) == 0
    written = cxe.read_image("scan-enhanced.jpg").astype(int)
    assert np.abs(written - image).mean() < 2  # JPEG


def test_the_preset_of_the_study_is_a_call_and_a_command(files):
    image, texts = shown_for("gray.png", Choice(params=EnhanceParams(), preset="study"))
    assert image.shape == (224, 224)
    assert_both_give(image, texts)


def test_the_preset_of_mimic_is_a_command_alone(files):
    choice = Choice(params=EnhanceParams(), preset="mimic-cxr-jpg", voi="none")
    image, texts = shown_for("scan.dcm", choice)
    assert (texts["python"], texts["params"]) == ("", "")
    assert texts["command"] == (
        "cxr-enhance run scan.dcm --out scan-enhanced.jpg --preset mimic-cxr-jpg"
    )
    assert main([*shlex.split(texts["command"])[1:], "--quiet"]) == 0
    written = cxe.read_image("scan-enhanced.jpg").astype(int)
    assert np.abs(written - image).mean() < 2  # JPEG


def test_options_without_a_word_are_left_to_the_file_of_params(files):
    choice = Choice(params=EnhanceParams(output="rgb", clip_limit=5.0))
    image, texts = shown_for("gray.png", choice)
    assert "--params params.json" in texts["command"]
    with open("params.json", "w") as file:
        file.write(texts["params"])
    assert_both_give(image, texts)


def test_an_array_has_a_call_and_no_command():
    source = source_of_array(synthetic_radiograph(40, 30))
    texts = texts_of(source, Choice(params=EnhanceParams(clip_limit=3.0)))
    assert texts["command"] == ""
    assert texts["python"].splitlines()[-1] == (
        "enhanced = cxe.enhance(image, cxe.EnhanceParams(clip_limit=3.0))"
    )
