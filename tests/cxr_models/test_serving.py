import json
import math
import shutil

import keras
import numpy as np
import pytest
from keras.src.saving.serialization_lib import SafeModeScope

from cxr_models.backbones import BACKBONES
from cxr_models.cli import main
from cxr_models.serving import read_served_run
from cxr_models.weights import load_pretrained
from tests.cxr_models.serving import calibrate, make_run, write_small_split

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make one run, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    return make_run(folder / "run", write_small_split(folder / "images"))


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def changed(run, file, **values):
    path = run / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_run_is_calibrated_by_the_evaluation_of_its_own_weights(run):
    assert "cxr-models evaluate" in read_served_run(run).calibration.missing
    calibrate(run, 2.5)
    served = read_served_run(run)
    assert (served.calibration.temperature, served.calibration.missing) == (2.5, "")
    assert served.metadata()["temperature"] == 2.5
    calibrate(run, weights_sha256="0" * 64)
    served = read_served_run(run)
    assert served.calibration.temperature == 1.0
    assert "have changed since" in served.calibration.told
    calibrate(run, calibration={"temperature": 1.0, "reason": "the loss falls without end"})
    assert read_served_run(run).calibration.told.endswith("the loss falls without end")


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf, 1e9, "2", None, True])
def test_a_temperature_that_is_none_is_refused(run, temperature):
    calibrate(run, temperature)
    with pytest.raises(ValueError, match=r"must be a number from 0\.05 to 20"):
        read_served_run(run)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weights_sha256": 1, "calibration": []}'])
def test_an_evaluation_that_is_none_is_refused(run, text):
    calibrate(run)
    (run / "evaluation/evaluation.json").write_text(text)
    with pytest.raises(ValueError, match=r"`evaluation.json` must be what evaluate wrote"):
        read_served_run(run)


@pytest.mark.parametrize("name", ["config.json", "run.json", "split.csv", "best.weights.h5"])
def test_a_run_whose_file_is_a_link_to_elsewhere_is_refused(run, name):
    shutil.move(run / name, run.parent / name)
    (run / name).symlink_to(f"../{name}")
    with pytest.raises(ValueError, match=f"whose {name} is a link to a file elsewhere"):
        read_served_run(run)


def test_a_run_whose_evaluation_is_a_link_to_elsewhere_is_refused(run):
    calibrate(run)
    shutil.move(run / "evaluation", run.parent / "evaluation")
    (run / "evaluation").symlink_to("../evaluation")
    with pytest.raises(ValueError, match=r"whose evaluation/evaluation.json is a link"):
        read_served_run(run)


@pytest.mark.parametrize("label", ["../../x", "a\\b", "a\nb", 7])
def test_a_run_with_a_path_for_a_label_is_refused(run, label, capsys):
    changed(run, "run.json", class_names=[label, "normal", "virus"])
    out = run.parent / "p.csv"
    assert main(["predict", str(run), str(run.parent / "images"), "--out", str(out)]) == 2
    assert "`class_names` must be names without slashes" in capsys.readouterr().err
    assert not out.exists()


def test_no_path_in_the_settings_is_opened(run, capsys):
    settings = json.loads((run / "config.json").read_text())
    settings["data"]["cache_dir"] = str(run / "../../hostile-cache")
    settings["model"]["weights"] = "../../hostile.weights.h5"
    (run / "config.json").write_text(json.dumps(settings))
    changed(run, "run.json", split_root="../../hostile-root")
    out = run.parent / "p.csv"
    image = run.parent / "images/covid/covid-p0-0.png"
    assert main(["predict", str(run), str(image), "--out", str(out)]) == 0
    assert not (run / "../../hostile-cache").resolve().exists()


def test_weights_with_code_in_them_are_refused_and_the_code_is_not_run(tmp_path):
    proof = tmp_path / "proof"

    def hostile(x, path=str(proof)):
        import pathlib

        pathlib.Path(path).write_text("ran")
        return x

    model = keras.Sequential([keras.Input((32, 40, 3)), keras.layers.Lambda(hostile)])
    model.save(tmp_path / "hostile.keras")
    proof.unlink()  # ran while it was made
    target = keras.Sequential([keras.Input((32, 40, 3)), keras.layers.Conv2D(1, 1)])
    spec = BACKBONES["nasnet_mobile"]
    # Even where someone has told Keras to trust every file.
    with (
        SafeModeScope(False),
        pytest.raises(ValueError, match="`weights` must be a model without code"),
    ):
        load_pretrained(target, str(tmp_path / "hostile.keras"), spec, (32, 40))
    assert not proof.exists()


def test_arrays_with_pickles_are_refused(tmp_path):
    from cxr_models.loading import cache_key, cached_images
    from tests.cxr_models.tiny import tiny_config

    config, paths = tiny_config().data, [str(tmp_path / "a.png")]
    (tmp_path / "a.png").write_bytes(b"")
    cached = tmp_path / f"images-{cache_key(config, paths)}.npy"
    np.save(cached, np.array([{"code": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"allow_pickle|Array can't be memory-mapped"):
        cached_images(config, paths, tmp_path)
