"""Runs as objects say what the commands say of them."""

import csv
import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

import cxr_models as cxm
from cxr_enhance import read_image, write_image
from cxr_models import backbones
from tests.cxr_models.test_backbones import blue_first_about_a_half, small
from tests.helpers.radiographs import draw
from tests.helpers.runs import calibrate, make_run, write_images, write_small_split

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture
def folder(tmp_path):
    """Give the folder of a run of random weights."""
    return make_run(tmp_path / "run", write_small_split(tmp_path / "images"))


def files_of(folder):
    return sorted(str(path) for path in folder.iterdir())


def test_probabilities_are_those_of_the_command(folder, tmp_path):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models.cli import main

    calibrate(folder)
    images = write_images(tmp_path / "new", 7)
    table = tmp_path / "p.csv"
    assert main(["predict", str(folder), str(images), "--out", str(table)]) == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    run = cxm.load_run(folder)
    predicted = run.predict(images)
    assert predicted.files == tuple(row["file"] for row in rows)
    assert predicted.labels == tuple(row["predicted"] for row in rows)
    assert [";".join(names) for names in predicted.called] == [row["called"] for row in rows]
    assert predicted.calibrated
    assert run.calibrated
    assert predicted.probabilities.dtype == np.float64
    names = ("covid", "normal", "virus")
    told = [[float(row[f"probability:{name}"]) for name in names] for row in rows]
    np.testing.assert_allclose(predicted.probabilities, told, rtol=1e-6)
    assert len(predicted) == 7


def test_files_arrays_stacks_and_batches_of_any_size_give_the_same(folder, tmp_path):
    run = cxm.load_run(folder)
    files = files_of(write_images(tmp_path / "new", 6))
    whole = run.predict(files)
    assert not whole.calibrated
    assert whole.called == ()
    arrays = [read_image(file) for file in files]
    mixed = run.predict([files[0], *arrays[1:5], tmp_path / "new" / "05.png"], batch_size=4)
    np.testing.assert_allclose(mixed.probabilities, whole.probabilities, rtol=1e-6)
    assert mixed.files == (files[0], "", "", "", "", files[5])
    gray = np.stack([draw(seed) for seed in range(3)])
    one_by_one = run.predict(list(gray)).probabilities
    np.testing.assert_allclose(run.predict(gray).probabilities, one_by_one, rtol=1e-6)
    colours = np.stack([gray] * 3, axis=-1)
    np.testing.assert_allclose(run.predict(colours).probabilities, one_by_one, rtol=1e-6)
    sixteen = run.predict(gray[0].astype(np.uint16) * 257).probabilities
    assert sixteen.shape == (1, 3)
    np.testing.assert_allclose(sixteen, one_by_one[:1], atol=0.05)


def test_raw_probabilities_are_those_of_the_network_on_prepared_images(folder, tmp_path):
    run = cxm.load_run(folder)
    images = run.prepare(write_images(tmp_path / "new", 4))
    assert (images.shape, images.dtype) == ((4, 32, 40, 1), np.uint8)
    expected = np.asarray(run.model(images, training=False))
    predicted = run.predict(tmp_path / "new").probabilities
    np.testing.assert_allclose(predicted, expected, rtol=1e-4)
    maps = cxm.GradCam(run.model)(images, predicted.argmax(axis=1))
    assert len(maps) == 4


@pytest.mark.parametrize(
    ("images", "error", "sentence"),
    [
        ([], ValueError, "`images` must hold at least one image; got none"),
        (3, TypeError, "`images` must be names of files, NumPy arrays, or a list.*; got int"),
        (["a.png", None], TypeError, "`images` must be names .*; got NoneType. Make arrays of"),
        ("nowhere.png", FileNotFoundError, "nowhere.png"),
        (np.zeros((4, 4), np.float32), TypeError, "`image` must have dtype uint8 or uint16"),
        ([np.zeros((4, 4, 2), np.uint8)], ValueError, "`image` must have shape"),
    ],
)
def test_what_is_no_image_is_told(folder, images, error, sentence):
    run = cxm.load_run(folder)
    with pytest.raises(error, match=sentence):
        run.predict(images)


def test_arguments_of_predict_are_checked(folder, tmp_path):
    run = cxm.load_run(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="`images` must name images or folders of images"):
        run.predict(tmp_path / "empty")
    with pytest.raises(ValueError, match="`batch_size` must be an int of at least 1"):
        run.predict(draw(0), batch_size=0)


@pytest.mark.parametrize("rule", [None, "mean"])
def test_patients_are_predicted_as_by_the_command(folder, tmp_path, rule):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models.cli import main

    images, table = tmp_path / "images", tmp_path / "p.csv"
    run = cxm.load_run(folder)
    run.evaluate(draws=100, aggregate="patient", aggregate_by=rule)
    words = ["--aggregate", "patient", "--records", str(images / "split.csv")]
    assert main(["predict", str(folder), str(images), "--out", str(table), *words]) == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    predicted = run.predict(
        images, aggregate="patient", aggregate_by=rule, records=images / "split.csv"
    )
    assert len(predicted) == len(rows) < len(run.predict(images))
    assert predicted.files == tuple(row["file"] for row in rows)
    assert [";".join(files) for files in predicted.joined_files] == [row["files"] for row in rows]
    assert predicted.labels == tuple(row["predicted"] for row in rows)
    assert [";".join(names) for names in predicted.called] == [row["called"] for row in rows]
    stated = [[float(row[f"probability:{name}"]) for name in run.class_names] for row in rows]
    np.testing.assert_allclose(predicted.probabilities, stated, rtol=1e-6)
    assert (predicted.calibrated, {row["calibrated"] for row in rows}) == (True, {"yes"})
    twice = [*predicted.joined_files[0], *predicted.joined_files[0][:1]]
    once = run.predict(twice, aggregate="patient", aggregate_by=rule, records=images / "split.csv")
    assert once.joined_files == predicted.joined_files[:1]
    np.testing.assert_allclose(once.probabilities, predicted.probabilities[:1], rtol=1e-6)
    alone = run.predict(images)
    assert (alone.calibrated, alone.called, alone.joined_files) == (False, (), ())


@pytest.mark.parametrize(
    ("images", "options", "sentence"),
    [
        (None, {"records": "m.csv"}, "`records` is only allowed with `aggregate`; got 'm.csv'"),
        (None, {"aggregate": "ward"}, "`aggregate` must be patient or study; got 'ward'"),
        (None, {"aggregate": "patient", "aggregate_by": "max"}, "`aggregate_by` must be mean for"),
        (None, {"aggregate": "patient"}, "Name a manifest that has it with `records`"),
        (draw(0), {"aggregate": "patient"}, "`aggregate` is only allowed for files; got an array"),
    ],
)
def test_images_that_cannot_be_joined_are_refused(folder, tmp_path, images, options, sentence):
    run = cxm.load_run(folder)
    with pytest.raises(ValueError, match=sentence):
        run.predict(tmp_path / "images" if images is None else images, **options)


def test_an_evaluation_is_that_of_the_command_and_calibrates(folder, tmp_path):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models.cli import main

    run = cxm.load_run(folder)
    before = run.predict(draw(3))
    evaluation = run.evaluate(draws=100, seed=2)
    stored = (folder / "evaluation" / "evaluation.json").read_bytes()
    assert main(["evaluate", str(folder), "--draws", "100", "--seed", "2"]) == 0
    assert (folder / "evaluation" / "evaluation.json").read_bytes() == stored
    assert json.loads(stored)["sets"]["test"]["images"] == evaluation.sets["test"].images
    assert run.calibrated == (not evaluation.calibration.reason)
    after = run.predict(draw(3))
    assert after.called
    logits = np.log(before.probabilities)
    scaled = np.exp(logits / evaluation.calibration.temperature)
    np.testing.assert_allclose(after.probabilities, scaled / scaled.sum(), rtol=1e-5)
    assert repr(run) == (
        f"<Run {str(folder)!r}: nasnet_mobile, multiclass covid, normal, virus, "
        f"{'calibrated' if run.calibrated else 'not calibrated'}>"
    )


def test_options_of_an_evaluation_are_those_of_the_command(folder, capsys):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models._typed_json import to_json
    from cxr_models.cli import main

    words = ["--sensitivity", "0.8", "--prevalence", "0.1,0.3", "--at-specificity", "0.75"]
    words += ["--aggregate", "patient", "--by", "label", "--draws", "100", "--json"]
    assert main(["evaluate", str(folder), *words]) == 0
    told = json.loads(capsys.readouterr().out)
    run = cxm.load_run(folder)
    options = {
        "sensitivity": 0.8,
        "prevalence": (0.1, 0.3),
        "at_specificity": 0.75,
        "aggregate": "patient",
        "by": "label",
        "draws": 100,
    }
    assert to_json(run.evaluate(**options)) == told
    assert not run.calibrated  # it predicts images, and patients were evaluated
    for image in run.split.manifest.paths():
        Path(image).unlink()
    assert to_json(run.evaluate(from_predictions=True, **options)) == told


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"by": "colour"}, "`by` must name columns of which an image of a tested set states"),
        ({"aggregate": "ward"}, "`aggregate` must be patient or study; got 'ward'"),
        ({"aggregate_by": "max"}, "`aggregate_by` is only allowed with `aggregate`; got 'max'"),
        ({"prevalence": 2}, "`prevalence` must be different numbers above 0 and below 1; got 2.0"),
        ({"from_predictions": True, "external": ["a.csv"]},
         "`from_predictions` is only allowed without `external` and `split`; got `external`"),
        ({"from_predictions": True}, "`run` must hold predictions; got .* out from_predictions=T"),
    ],
)  # fmt: skip
def test_options_of_an_evaluation_are_checked(folder, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        cxm.load_run(folder).evaluate(**options)


def test_another_source_is_tested_on(folder, tmp_path):
    for label in ("covid", "normal"):
        (tmp_path / "other" / label).mkdir(parents=True)
        for number in range(4):
            seed = 5000 + number + 100 * (label == "normal")
            write_image(tmp_path / f"other/{label}/q{seed}.png", draw(seed, 56))
    cxm.index(tmp_path / "other", patient_pattern=r"q\d+", out=tmp_path / "other.csv")
    run = cxm.load_run(folder)
    said = []
    with pytest.warns(UserWarning, match="^1 image of other is a near copy of images that"):
        evaluation = run.evaluate(external=[tmp_path / "other.csv"], draws=100, say=said.append)
    assert evaluation.sets["other"].images == 8
    assert "predicting other: 8 images" in said
    with pytest.raises(ValueError, match="`external` must hold no image that the run was trained"):
        run.evaluate(external=[tmp_path / "images" / "split.csv"])


def test_images_like_those_of_the_training_are_a_warning(folder, tmp_path):
    run = cxm.load_run(folder)
    seen = run.split.select("train").paths()[0]
    for name, image in (("a", 255 - read_image(seen)), ("b", draw(901, 200))):
        write_image(tmp_path / f"{name}.png", image)
    (tmp_path / "near.csv").write_text("file,label\na.png,covid\nb.png,normal\n")
    with pytest.warns(UserWarning, match="1 image of near is a near copy of images that") as seen:
        evaluation = run.evaluate(external=tmp_path / "near.csv", draws=100)
    assert evaluation.sets["near"].images == 2
    assert [w.filename for w in seen if w.category is UserWarning] == [__file__]


@pytest.mark.parametrize("path", ["nowhere", "images"])
def test_a_folder_that_is_no_run_is_told(folder, tmp_path, path):
    with pytest.raises(
        ValueError, match=r"`folder` must be the folder of a run; got '.*cxr-models"
    ):
        cxm.load_run(tmp_path / path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # Keras has a metadata.json too
def test_an_export_says_what_the_run_says_and_replaces_nothing_unasked(folder, tmp_path):
    run = cxm.load_run(calibrate(folder))
    out = tmp_path / "run.keras"
    metadata = cxm.export(run, out=out, format="keras", channels=1)
    assert metadata["temperature"] == 1.7
    image = draw(5, 64)
    exported = keras.models.load_model(out).predict(image[None, ..., None], verbose=0)
    np.testing.assert_allclose(exported, run.predict(image).probabilities, atol=2e-3)
    with pytest.raises(FileExistsError, match=r"`out` must not exist; .* with overwrite=True"):
        cxm.export(folder, out=out, format="keras")
    with pytest.raises(ValueError, match=r"`out` must end in .onnx for onnx"):
        cxm.export(folder, out=out, format="onnx")
    with pytest.raises(
        ValueError, match="`format` must be one of keras, saved_model, onnx, litert"
    ):
        cxm.export(folder, out=out, format="h5")


# --- networks of one's own ------------------------------------------------------------------------


@pytest.fixture
def own_run(tmp_path, monkeypatch):
    """Train a run of a network that is registered nowhere afterwards."""
    monkeypatch.setattr(backbones, "_registered", {})
    split = write_small_split(tmp_path / "images")
    settings = {
        "data.image_size": (32, 40),
        "model.weights": "none",
        "training.epochs_head": 1,
        "training.batch_size": 6,
    }
    out = tmp_path / "own"
    run = cxm.train(
        split, out=out, config=settings, backbone=small, preprocess=blue_first_about_a_half
    )
    expected = run.predict(draw(1)).probabilities
    assert run.config.model.backbone == "small"
    monkeypatch.setattr(backbones, "_registered", {})
    return out, expected


def test_a_run_of_a_network_of_ones_own_is_loaded_with_its_functions(own_run):
    folder, expected = own_run
    with pytest.raises(ValueError, match=r"must be one of .*; got 'small'. Register a network"):
        cxm.load_run(folder)
    also_small = functools.partial(small)  # whatever its name
    run = cxm.load_run(folder, backbone=also_small, preprocess=blue_first_about_a_half)
    np.testing.assert_allclose(run.predict(draw(1)).probabilities, expected, rtol=1e-6)


def other(*, weights=None, input_tensor=None, input_shape=None):
    """Build a network that takes the weights of `small` and makes something else of an image."""
    x = keras.layers.Conv2D(4, 3, strides=2, activation="tanh")(input_tensor)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(5, 3, strides=2, activation="relu")(x)
    return keras.Model(keras.utils.get_source_inputs(x)[0], x)


@pytest.mark.parametrize(
    ("backbone", "preprocess"),
    [(other, blue_first_about_a_half), (small, lambda images: images / 255.0)],
    ids=["another-network", "another-preprocessing"],
)
def test_other_functions_than_those_of_the_training_are_noticed(own_run, backbone, preprocess):
    folder, _ = own_run
    run = cxm.load_run(folder, backbone=backbone, preprocess=preprocess)
    with pytest.raises(
        ValueError, match=r"must be those that '.*own' was trained with; got others"
    ):
        run.predict(draw(1))


def test_functions_for_a_run_that_needs_none_or_without_the_other_are_told(folder):
    with pytest.raises(ValueError, match="`backbone` is only allowed with a run of a network of"):
        cxm.load_run(folder, backbone=small, preprocess=blue_first_about_a_half)
    with pytest.raises(
        ValueError, match="`preprocess` must be given with a `backbone` of your own"
    ):
        cxm.load_run(folder, backbone=small)
    sentence = re.escape("`preprocess` is only allowed with a function as `backbone`; got None")
    with pytest.raises(ValueError, match=sentence):
        cxm.load_run(folder, preprocess=blue_first_about_a_half)


def test_the_name_of_a_backbone_is_refused(folder):
    with pytest.raises(
        TypeError, match=r"`backbone` must be the function .*; got the name 'resnet"
    ):
        cxm.load_run(folder, backbone="resnet101")
