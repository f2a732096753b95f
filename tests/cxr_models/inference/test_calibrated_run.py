import dataclasses
import json
import math
import shutil

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import h5py
import keras
from keras.src.saving.serialization_lib import SafeModeScope

from cxr_models.cli import main
from cxr_models.inference.calibrated_run import read_served_run
from cxr_models.networks.backbones import find_backbone_builder
from cxr_models.networks.weights import load_pretrained
from cxr_models.records import splits
from cxr_models.records.splits import read_split, records_hash, write_split
from tests.helpers.runs import calibrate, calibrate_findings, make_run, write_small_split
from tests.helpers.tiny_backbone import tiny_application

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
    assert "cxr-models evaluate" in read_served_run(run).calibration.no_temperature_reason
    calibrate(run, 2.5)
    served = read_served_run(run)
    assert (served.calibration.temperature, served.calibration.no_temperature_reason) == (2.5, "")
    assert served.metadata()["temperature"] == 2.5
    calibrate(run, weights_sha256="0" * 64)
    served = read_served_run(run)
    assert served.calibration.temperature == 1.0
    assert "have changed since" in served.calibration.line
    calibrate(
        run,
        calibration={"temperature": 1.0, "fitted_on": "val", "reason": "the loss keeps falling"},
    )
    assert read_served_run(run).calibration.line.endswith("the loss keeps falling")


def test_operating_points_travel_in_the_metadata(run):
    assert read_served_run(run).metadata()["operating_points"] is None
    calibrate(run, threshold=0.25)
    assert read_served_run(run).metadata()["operating_points"] == {
        "rule": "made up",
        "thresholds": {"covid": 0.25, "normal": 0.25, "virus": 0.25},
    }


@pytest.fixture(scope="module")
def made_of_findings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    options = {"model__task": "multilabel", "model__findings": ["Edema", "Mass"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "NASNetMobile", tiny_application)
        return make_run(folder / "run", write_small_split(folder / "images"), **options)


@pytest.fixture
def run_of_findings(made_of_findings, tmp_path):
    shutil.copytree(made_of_findings.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_each_finding_has_a_temperature_and_an_operating_point_of_its_own(run_of_findings):
    run = run_of_findings
    served = read_served_run(run)
    assert served.class_names == ("Edema", "Mass")
    assert "no temperature yet" in served.calibration.line
    assert "no finding is called: no operating point yet" in served.calibration.line_on_calls
    assert served.metadata()["temperature"] == {"Edema": 1.0, "Mass": 1.0}
    calibrate_findings(run, {"Edema": 2.0, "Mass": 0.5}, {"Edema": 0.25, "Mass": None})
    served = read_served_run(run)
    assert served.calibration.thresholds == (0.25, None)
    assert served.calibration.line == (
        "calibrated: a temperature of each finding, fitted on val by evaluate"
    )
    told = served.metadata()
    assert (told["task"], told["class_names"]) == ("multilabel", ["Edema", "Mass"])
    assert told["temperature"] == {"Edema": 2.0, "Mass": 0.5}
    assert told["operating_points"]["thresholds"] == {"Edema": 0.25, "Mass": None}
    logits = np.array([[3.0, -1.0], [-800.0, 800.0]])
    expected = [[1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(2.0))], [0.0, 1.0]]
    np.testing.assert_allclose(served.probabilities(logits), expected, atol=1e-12)


def test_a_finding_without_a_temperature_is_said(run_of_findings):
    reasons = {"Mass": "no image of val shows it"}
    temperatures = {"Edema": 2.0, "Mass": 1.0}
    calibrate_findings(run_of_findings, temperatures, dict.fromkeys(temperatures), reasons=reasons)
    served = read_served_run(run_of_findings)
    assert served.calibration.line.endswith("but not of Mass (no image of val shows it)")
    assert served.metadata()["calibrated"] is False
    assert served.divisors.tolist() == [2.0, 1.0]
    assert served.calibration.line_on_calls == (
        "no finding is called: validation does not hold both a finding and its absence"
    )


@pytest.mark.parametrize(
    ("temperatures", "thresholds", "sentence"),
    [
        ({"Mass": 1.0}, {"Edema": 0.5, "Mass": 0.5}, "a temperature for each of Edema, Mass; got"),
        ({"Edema": 1.0, "Mass": 2e6}, {"Edema": 0.5, "Mass": 0.5}, "from 0.000001 to 1,000,000"),
        ({"Edema": 1.0, "Mass": 1.0}, {"Edema": 0.5}, "`operating_points` must hold a rule"),
        ({"Edema": 1.0, "Mass": 1.0}, {"Edema": 0.5, "Mass": 2}, "`operating_points` must hold"),
    ],
)
def test_an_evaluation_of_other_findings_is_refused(
    run_of_findings, temperatures, thresholds, sentence
):
    calibrate_findings(run_of_findings, temperatures, thresholds)
    with pytest.raises(ValueError, match=sentence):
        read_served_run(run_of_findings)


def test_an_evaluation_of_classes_is_none_of_findings(run_of_findings):
    calibrate(run_of_findings)
    with pytest.raises(ValueError, match=r"`evaluation.json` must be what evaluate wrote"):
        read_served_run(run_of_findings)


DELETED = object()


@pytest.mark.parametrize(
    "points",
    [
        None,
        {"thresholds": DELETED},
        {"thresholds": {"covid": 0.5}},
        {"thresholds": {"covid": 0.5, "normal": "0.5", "virus": 0.5}},
        {"thresholds": {"covid": 0.5, "normal": math.nan, "virus": 0.5}},
        {"thresholds": {"covid": 1.5, "normal": 0.5, "virus": 0.5}},
        {"rule": 1},
    ],
)
def test_operating_points_that_are_none_are_refused(run, points):
    if points is not None:
        thresholds = {"covid": 0.5, "normal": 0.5, "virus": 0.5}
        whole = {"rule": "r", "chosen_on": "val", "thresholds": thresholds} | points
        points = {name: value for name, value in whole.items() if value is not DELETED}
    calibrate(run, operating_points=points)
    words = "`operating_points` must hold a rule|where operating_points"
    with pytest.raises(ValueError, match=words):
        read_served_run(run)


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf, 1e9, "2", None, True])
def test_a_temperature_that_is_none_is_refused(run, temperature):
    calibrate(run, temperature)
    words = r"number from 0\.000001 to 1,000,000|where calibration\.temperature is .*, not a finite"
    with pytest.raises(ValueError, match=words):
        read_served_run(run)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weights_sha256": 1, "calibration": []}'])
def test_an_evaluation_that_is_none_is_refused(run, text):
    calibrate(run)
    (run / "evaluation/evaluation.json").write_text(text)
    with pytest.raises(ValueError, match=r"`evaluation.json` must (be|hold)"):
        read_served_run(run)


@pytest.mark.parametrize("name", ["config.json", "run.json", "split.csv", "best.weights.h5"])
def test_a_run_whose_file_is_a_link_to_elsewhere_is_refused(run, name):
    shutil.move(run / name, run.parent / name)
    (run / name).symlink_to(f"../{name}")
    with pytest.raises(ValueError, match=f"whose {name} is a link to elsewhere"):
        read_served_run(run)


def test_a_run_whose_evaluation_is_a_link_to_elsewhere_is_refused(run):
    calibrate(run)
    shutil.move(run / "evaluation", run.parent / "evaluation")
    (run / "evaluation").symlink_to("../evaluation")
    with pytest.raises(ValueError, match=r"whose evaluation is a link"):
        read_served_run(run)


@pytest.mark.parametrize("label", ["../../x", "a\\b", "a\nb"])
def test_a_run_with_a_path_for_a_label_is_refused(run, label, capsys, monkeypatch):
    # As an earlier version, or somebody with another program, writes it.
    monkeypatch.setattr(splits, "check_label", lambda *told: None)
    split = read_split(run / "split.csv")
    records = [
        dataclasses.replace(record, label=record.label.replace("covid", label))
        for record in split.manifest.records
    ]
    write_split(run / "split.csv", records, {})
    names = sorted([label, "normal", "virus"])
    changed(run, "run.json", class_names=names, split_sha256=records_hash(records))
    out = run.parent / "p.csv"
    assert main(["predict", str(run), str(run.parent / "images"), "--out", str(out)]) == 2
    assert "`class_names` must be names without slashes" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("names", [5, "abc", [], ["covid"], [1, 2, 3], {"covid": 1}])
def test_labels_that_are_not_those_of_the_split_are_refused(run, names):
    changed(run, "run.json", class_names=names)
    words = "`class_names` must be the labels of the run's split|where class_names"
    with pytest.raises(ValueError, match=words):
        read_served_run(run)


@pytest.mark.parametrize("name", ["config.json", "run.json"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"[]", b'{"data": 1}'])
def test_files_that_are_not_those_of_a_run_are_named(run, name, content):
    (run / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"`{name}` must .*{name}"):
        read_served_run(run)


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


def of_file_elsewhere(file, name, shape, elsewhere):
    file[name] = h5py.ExternalLink(elsewhere, name)


def of_bytes_elsewhere(file, name, shape, elsewhere):
    file.create_dataset(name, shape, "f4", external=[(elsewhere, 0, h5py.h5f.UNLIMITED)])


def of_view_elsewhere(file, name, shape, elsewhere):
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(elsewhere, name, shape)
    file.create_virtual_dataset(name, layout)


def of_a_terabyte_in_a_few_bytes(file, name, shape, elsewhere):
    file.create_dataset(name, (1 << 20, 1 << 18), "f4", chunks=(1024, 1024), compression="gzip")


def of_room_that_was_never_filled(file, name, shape, elsewhere):
    file.create_dataset(name, (1 << 20, 1 << 18), "f4")


@pytest.mark.parametrize(
    "hostile",
    [
        of_file_elsewhere,
        of_bytes_elsewhere,
        of_view_elsewhere,
        of_a_terabyte_in_a_few_bytes,
        of_room_that_was_never_filled,
    ],
)
def test_weights_that_lie_elsewhere_or_claim_to_be_huge_are_refused(run, hostile):
    shutil.copy(run / "best.weights.h5", run.parent / "elsewhere.h5")
    name = "layers/dense/vars/0"
    with h5py.File(run / "best.weights.h5", "a") as file:
        shape = file[name].shape
        del file[name]
        hostile(file, name, shape, str(run.parent / "elsewhere.h5"))
    with pytest.raises(ValueError, match="`weights` must be those of a run with these settings"):
        read_served_run(run).load()


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
    builder = find_backbone_builder("nasnet_mobile")
    # Even where someone has told Keras to trust every file.
    with (
        SafeModeScope(False),
        pytest.raises(ValueError, match="`weights` must be a model without code"),
    ):
        load_pretrained(target, str(tmp_path / "hostile.keras"), builder, (32, 40))
    assert not proof.exists()


def test_kept_images_that_hold_pickles_are_made_anew_unread(tmp_path):
    from cxr_enhance import write_image
    from cxr_enhance.synthetic import synthetic_radiograph
    from cxr_models.inputs.loader import ImageLoader, cache_key, cached_images
    from tests.helpers.tiny_backbone import tiny_config

    proof = tmp_path / "proof"

    class Hostile:
        def __reduce__(self):
            return proof.touch, ()

    config, paths = tiny_config().data, [str(tmp_path / "a.png")]
    write_image(paths[0], synthetic_radiograph(64, 64, seed=1))
    cached = tmp_path / f"images-{cache_key(config, paths)}.npy"
    np.save(cached, np.array([Hostile()], dtype=object), allow_pickle=True)
    made = cached_images(config, paths, tmp_path)
    np.testing.assert_array_equal(made, ImageLoader(config)(paths), strict=True)
    assert not proof.exists()
