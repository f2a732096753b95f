"""Exported runs, each run in a fresh process where only its runtime is, give what predict gives."""

import csv
import functools
import hashlib
import importlib.util
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")


pytest.importorskip("typer", reason="typer is not installed")

import keras

if keras.backend.backend() != "tensorflow":
    pytest.skip("exports are made on the tensorflow backend", allow_module_level=True)

import cv2
from keras.src.applications import nasnet

import cxr_enhance
from cxr_models.cli import main
from cxr_models.inference.calibrated_run import read_served_run
from cxr_models.inference.export import Intake, export, read_metadata, serving_model
from cxr_models.records.manifest import Record
from cxr_models.records.splits import read_split, write_split
from tests.helpers.fresh_process import run_code
from tests.helpers.runs import (
    calibrate,
    calibrate_findings,
    make_run,
    write_images,
    write_small_split,
)
from tests.helpers.tiny_backbone import tiny_application

pytestmark = pytest.mark.filterwarnings(
    # Of the exporters, about themselves: deprecations within TensorFlow and protobuf.
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore:.*:UserWarning:keras",
    "ignore:.*tf.lite.Interpreter is deprecated.*:UserWarning",
)

NEEDED = {"onnx": ("onnx", "tf2onnx", "onnxruntime"), "litert": ("ai_edge_litert",)}
NAMES = {"keras": "m.keras", "saved_model": "m", "onnx": "m.onnx", "litert": "m.tflite"}
OURS = ["cxr_enhance", "cxr_models", "numba"]
RUNTIMES = {
    "keras": (
        """
        import keras, cxr_enhance.adapters.keras_layers, cxr_models.inference.export_layers
        model = keras.models.load_model(path)
        run = lambda image: model(image)
        """,
        [],
    ),
    "saved_model": (
        """
        import tensorflow as tf
        model = tf.saved_model.load(path)
        run = lambda image: model.serve(tf.constant(image))["probabilities"]
        """,
        [*OURS, "keras"],
    ),
    "onnx": (
        """
        import onnxruntime
        session = onnxruntime.InferenceSession(path)
        run = lambda image: session.run(["probabilities"], {"image": image})[0]
        """,
        [*OURS, "keras", "tensorflow"],
    ),
    "litert": (
        """
        from ai_edge_litert.interpreter import Interpreter
        model = Interpreter(path).get_signature_runner()
        run = lambda image: model(image=image)["probabilities"]
        """,
        [*OURS, "keras", "tensorflow"],
    ),
}


BORDER = cxr_enhance.Preparation(params=None, crop_border=True)


def needs(kind):
    for package in NEEDED.get(kind, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Give a folder with runs of three kinds, images, and what predict says of them."""
    folder = tmp_path_factory.mktemp("exports")
    write_images(folder / "images")
    labels = ("covid", "normal", "virus")
    records = [
        Record(file=f"{i:02d}.png", label=labels[i % 3], split=("train", "val", "test")[i // 11])
        for i in range(32)
    ]
    write_split(folder / "images/split.csv", records, {})
    split = read_split(folder / "images/split.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "NASNetMobile", tiny_application)
        kinds = {
            "study": {},
            "enhance-first": {"data__order": "enhance-first", "data__enhance__percentiles": None},
            "binary": {"model__task": "binary"},
            "raw": {"data__enhance": None},
            "pad": {"data__fit": "pad"},
            "crop": {"data__fit": "crop", "data__order": "enhance-first"},
            "pad-without-stretch": {"data__fit": "pad", "data__enhance__percentiles": None},
        }
        for name, settings in kinds.items():
            run = calibrate(make_run(folder / name, split, **settings), 0.8)
            out = str(folder / f"{name}.csv")
            assert main(["predict", str(run), str(folder / "images"), "--out", out]) == 0
        findings = {"model__task": "multilabel", "model__findings": ["Edema", "Mass"]}
        kinds = {"findings": {}, "raw-findings": {"data__enhance": None}}
        for name, settings in kinds.items():
            run = make_run(folder / name, split, **findings, **settings)
            calibrate_findings(run, {"Edema": 0.7, "Mass": 3.0}, {"Edema": 0.5, "Mass": 0.2})
            out = str(folder / f"{name}.csv")
            assert main(["predict", str(run), str(folder / "images"), "--out", out]) == 0
        yield folder


def shares_of_predict(place, run):
    return shares_of(place / f"{run}.csv")


def shares_of(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    shares = [
        [float(value) for name, value in row.items() if name.startswith("probability:")]
        for row in rows
    ]
    return np.array(shares)


def raw_images(place, channels=3):
    images = [cxr_enhance.read_image(path) for path in sorted((place / "images").glob("*.png"))]
    if channels == 1:
        return [image[..., None] for image in images if image.ndim == 2]
    return [image if image.ndim == 3 else np.stack([image] * 3, -1) for image in images]


def shares_of_export(folder, kind, images):
    """Run an export one image at a time in a fresh process."""
    np.savez(folder / "images.npz", *images)
    code, without = RUNTIMES[kind]
    script = f"""
import numpy as np, textwrap
path = sys.argv[1] + "/" + sys.argv[2]
exec(textwrap.dedent({code!r}))
images = np.load(sys.argv[1] + "/images.npz")
said = [np.asarray(run(images[name][None]))[0] for name in images.files]
np.save(sys.argv[1] + "/said.npy", np.stack(said))
"""
    run_code(script, folder, NAMES[kind], without=without)
    return np.load(folder / "said.npy")


def exported(place, run, kind, folder, *options):
    out = folder / NAMES[kind]
    words = ["export", str(place / run), "--format", kind, "--out", str(out), *options]
    assert main(words) == 0
    return out


@pytest.mark.parametrize(
    ("kind", "run"),
    [
        *(("keras", "study"), ("saved_model", "study"), ("onnx", "study"), ("onnx", "pad")),
        *((kind, "findings") for kind in ("keras", "saved_model", "onnx")),
    ],
)
def test_raw_images_of_any_size_give_the_probabilities_of_predict(place, kind, run, tmp_path):
    needs(kind)
    exported(place, run, kind, tmp_path)
    said = shares_of_export(tmp_path, kind, raw_images(place))
    np.testing.assert_allclose(said, shares_of_predict(place, run), atol=1e-5)


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_a_run_that_crops_borders_is_exported_for_images_without_them(
    place, tmp_path, monkeypatch, capsys, fit
):
    monkeypatch.setattr(keras.applications, "NASNetMobile", tiny_application)
    split = read_split(place / "images/split.csv")
    settings = {"data__fit": fit, "data__crop_border": True}
    run = calibrate(make_run(tmp_path / "run", split, **settings), 0.8)
    out = tmp_path / "shares.csv"
    assert main(["predict", str(run), str(place / "images"), "--out", str(out)]) == 0
    words = ["export", str(run), "--format", "keras", "--out", str(tmp_path / "m.keras")]
    capsys.readouterr()
    assert main(words) == 2
    assert "`--border-cropped` must be given for a run with data.crop_border" in (
        capsys.readouterr().err
    )
    assert main([*words, "--border-cropped"]) == 0
    assert "Preparation(params=None, crop_border=True)" in capsys.readouterr().out
    told = read_metadata(tmp_path / "m.keras")
    assert (told["fit"], told["crop_border"]) == (fit, True)
    assert told["input"]["border_cropped"] is True
    images = [cxr_enhance.prepare(image, BORDER).image for image in raw_images(place)]
    intake = Intake(border_cropped=True)
    said = shares_in_this_process(tmp_path, "run", images, intake)
    np.testing.assert_allclose(said, shares_of(out), atol=1e-5)
    words = ["export", str(place / "study"), "--format", "keras", "--border-cropped"]
    assert main([*words, "--out", str(tmp_path / "n.keras")]) == 2
    assert "`--border-cropped` is only allowed for runs with data.crop_border" in (
        capsys.readouterr().err
    )


def test_fit_and_border_are_the_same_from_training_to_export(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.applications, "NASNetMobile", tiny_application)
    split = write_small_split(tmp_path / "images")
    bare = {}
    for record in split.manifest.records:  # a frame of its own width around each
        path = tmp_path / "images" / record.file
        bare[record.file] = cxr_enhance.prepare(cxr_enhance.read_image(path), BORDER).image
        margins = ((len(bare), 5), (9, 30 - len(bare)))
        cxr_enhance.write_image(path, np.pad(bare[record.file], margins), overwrite=True)
    run = tmp_path / "run"
    words = ["train", str(tmp_path / "images/split.csv"), "--out", str(run), "--weights", "none"]
    words += ["--epochs-head", "1", "--batch-size", "4", "--image-size", "32", "40"]
    settings = ["--set", "data.fit=pad", "--set", "data.crop_border=true"]
    assert main([*words, *settings]) == 0
    out = tmp_path / "shares.csv"
    assert main(["predict", str(run), str(tmp_path / "images"), "--out", str(out)]) == 0
    with out.open(newline="") as file:
        files = [Path(row["file"]) for row in csv.DictReader(file)]
    images = [bare["/".join(file.parts[-2:])] for file in files]
    pad = cxr_enhance.Preparation(
        size=(32, 40), fit="pad", order="resize-first", interpolation="linear"
    )
    classifier = read_served_run(run).load()
    taken = np.stack([cxr_enhance.prepare(image, pad).image[..., None] for image in images])
    np.testing.assert_allclose(classifier.predict(taken, verbose=0), shares_of(out), atol=1e-6)
    gray = [image[..., None] for image in images]
    said = shares_in_this_process(tmp_path, "run", gray, Intake(channels=1, border_cropped=True))
    np.testing.assert_allclose(said, shares_of(out), atol=1e-5)


@pytest.mark.parametrize("kind", list(NAMES))
def test_the_lines_of_the_docs_load_an_export_and_predict_one_image(place, kind, tmp_path):
    needs(kind)
    docs = (Path(__file__).parents[3] / "docs/deployment.md").read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```python\n(.*?)```", docs, re.DOTALL)]
    (lines,) = [block for block in blocks if block.startswith(f"# {kind}\n")]
    name = re.search(r'"(first[./\w]*)"', lines)[1].rstrip("/")
    # As the docs' own sentence on LiteRT has it: of one size, and without white balance.
    run = "enhance-first" if kind == "litert" else "study"
    options = ["--input-size", "48", "56"] if kind == "litert" else []
    words = ["export", str(place / run), "--format", kind, "--out", str(tmp_path / name)]
    assert main([*words, *options]) == 0
    image = cxr_enhance.read_image(place / "images/01.png")
    assert image.ndim == 2
    if kind == "litert":
        image = cv2.resize(image, (56, 48))
    cxr_enhance.write_image(tmp_path / "chest.png", image)
    script = (
        "import os\nos.chdir(sys.argv[1])\n"
        + lines
        + ("import numpy as np\nnp.save('said.npy', np.asarray(probabilities))\n")
    )
    run_code(script, tmp_path, without=[] if kind == "keras" else OURS)
    words = ["predict", str(place / run), str(tmp_path / "chest.png"), "--out"]
    assert main([*words, str(tmp_path / "p.csv")]) == 0
    expected = shares_of(tmp_path / "p.csv")[0]
    np.testing.assert_allclose(np.load(tmp_path / "said.npy"), expected, atol=1e-5)


def test_litert_gives_the_probabilities_of_predict_for_images_balanced_before(place, tmp_path):
    needs("litert")
    exported(place, "study", "litert", tmp_path, "--white-balanced")
    images = [cxr_enhance.white_balance(cv2.resize(image, (40, 32))) for image in raw_images(place)]
    said = shares_of_export(tmp_path, "litert", images)
    np.testing.assert_allclose(said, shares_of_predict(place, "study"), atol=1e-5)


@pytest.mark.parametrize("run", ["enhance-first", "raw", "pad-without-stretch", "raw-findings"])
def test_litert_resizes_inside_where_there_is_no_white_balance(place, run, tmp_path):
    needs("litert")
    exported(place, run, "litert", tmp_path, "--input-size", "54", "62")  # that of one image
    images = raw_images(place)
    assert images[8].shape[:2] == (54, 62)
    said = shares_of_export(tmp_path, "litert", [images[8]])
    np.testing.assert_allclose(said[0], shares_of_predict(place, run)[8], atol=1e-5)


def shares_in_this_process(place, run, images, intake):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "NASNetMobile", tiny_application)
        model = serving_model(read_served_run(place / run), intake)
    return np.concatenate([np.asarray(model(image[None])) for image in images])


@pytest.mark.parametrize(
    ("size", "shape"),
    [(None, ["batch", "height", "width", 3]), ((48, 56), ["batch", 48, 56, 3])],
    ids=["any size", "one size"],
)
def test_an_onnx_model_names_its_ends_and_its_open_sizes(place, tmp_path, size, shape):
    needs("onnx")
    import onnx
    import onnxruntime

    path = tmp_path / "m.onnx"
    export(read_served_run(place / "raw"), path, "onnx", intake=Intake(size=size))
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.shape, taken.type) == ("image", shape, "tensor(uint8)")
    assert (given.name, given.shape, given.type) == (
        "probabilities", ["batch", 3], "tensor(float)",
    )  # fmt: skip
    images = np.zeros((2, 48, 56, 3), np.uint8)
    (probabilities,) = session.run(["probabilities"], {"image": images})
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_signature_of_a_saved_model_names_what_goes_in_and_out(place, tmp_path):
    import tensorflow as tf

    export(read_served_run(place / "raw"), tmp_path / "m", "saved_model")
    signature = tf.saved_model.load(tmp_path / "m").signatures["serving_default"]
    _, taken = signature.structured_input_signature
    assert {name: (one.shape.as_list(), one.dtype.name) for name, one in taken.items()} == {
        "image": ([None, None, None, 3], "uint8")
    }
    assert {name: one.shape.as_list() for name, one in signature.structured_outputs.items()} == {
        "probabilities": [None, 3]
    }


@pytest.mark.parametrize("run", ["binary", "enhance-first", "raw", "pad", "crop"])
def test_other_runs_give_the_probabilities_of_predict(place, run):
    said = shares_in_this_process(place, run, raw_images(place), Intake())
    np.testing.assert_allclose(said, shares_of_predict(place, run), atol=1e-5)


@pytest.mark.parametrize("run", ["study", "enhance-first"])
def test_gray_and_sixteen_bits_are_taken_too(place, run, tmp_path):
    images = [image.astype(np.uint16) * 16 + 7 for image in raw_images(place, 1)[::3]]
    for number, image in enumerate(images):
        cxr_enhance.write_image(tmp_path / f"{number:02d}.png", image)
    out = tmp_path / "deep.csv"
    assert main(["predict", str(place / run), str(tmp_path), "--out", str(out)]) == 0
    wanted = shares_of(out)
    said = shares_in_this_process(place, run, images, Intake(channels=1, bit_depth=16))
    np.testing.assert_allclose(said, wanted, atol=1e-5)


@pytest.mark.parametrize("order", ["resize-first", "enhance-first"])
@pytest.mark.parametrize("bins", [256, None])
def test_a_run_of_fewer_bits_gives_the_probabilities_of_predict(
    place, order, bins, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(keras.applications, "NASNetMobile", tiny_application)
    settings = {"data__order": order, "data__enhance__bits": 12, "data__enhance__num_bins": bins}
    split = read_split(place / "images/split.csv")
    run = calibrate(make_run(tmp_path / "run", split, **settings), 0.8)
    images = [image.astype(np.uint16) * 16 + 7 for image in raw_images(place, 1)[::3]]
    (tmp_path / "images").mkdir()
    for number, image in enumerate(images):
        cxr_enhance.write_image(tmp_path / f"images/{number:02d}.png", image)
    out = tmp_path / "deep.csv"
    assert main(["predict", str(run), str(tmp_path / "images"), "--out", str(out)]) == 0
    said = shares_in_this_process(tmp_path, "run", images, Intake(channels=1, bit_depth=16))
    np.testing.assert_allclose(said, shares_of(out), atol=1e-5)
    capsys.readouterr()
    words = ["export", str(run), "--format", "keras", "--out", str(tmp_path / "m.keras")]
    assert main(words) == 2
    assert "`--bit-depth` must be 16 for a run with enhance.bits 12" in capsys.readouterr().err


@pytest.mark.parametrize("kind", list(NAMES))
def test_every_format_tells_classes_hashes_and_version(place, kind, tmp_path, capsys):
    needs(kind)
    options = ["--white-balanced"] if kind == "litert" else []
    out = exported(place, "study", kind, tmp_path, *options)
    output = capsys.readouterr().out
    assert "out: N x 3 probabilities: covid, normal, virus" in output
    assert "calibrated: temperature 0.8" in output
    told = read_metadata(out)
    served = read_served_run(place / "study")
    assert told["class_names"] == ["covid", "normal", "virus"]
    assert told["temperature"] == 0.8
    assert told["cxr_enhance_version"] == cxr_enhance.__version__
    assert told["weights_sha256"] == served.run.weights_sha256
    params = served.run.config.data.enhance.to_dict()
    assert told["enhance"] == params
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    assert told["enhance_sha256"] == digest
    assert told["input"]["white_balanced"] is (kind == "litert")
    if kind in ("keras", "litert"):  # without this library
        assert json.loads(zipfile.ZipFile(out).read("metadata.json")) == told


@pytest.mark.parametrize("kind", list(NAMES))
def test_every_format_tells_the_findings_of_a_run(place, kind, tmp_path, capsys):
    needs(kind)
    options = ["--white-balanced"] if kind == "litert" else []
    told = read_metadata(exported(place, "findings", kind, tmp_path, *options))
    assert "out: N x 2 probabilities, each by itself: Edema, Mass" in capsys.readouterr().out
    assert (told["task"], told["class_names"]) == ("multilabel", ["Edema", "Mass"])
    assert told["temperature"] == {"Edema": 0.7, "Mass": 3.0}
    assert told["operating_points"]["thresholds"] == {"Edema": 0.5, "Mass": 0.2}


def test_what_a_format_cannot_hold_is_refused_with_the_way_round(place, tmp_path, capsys):
    def refused(run, kind, name, *options):
        out = tmp_path / name
        words = ["export", str(place / run), "--format", kind, "--out", str(out), *options]
        assert main(words) == 2
        assert not out.exists()
        return capsys.readouterr().err

    assert "no float64. Give --white-balanced" in refused("study", "litert", "m.tflite")
    assert "`--input-size` must be given" in refused("enhance-first", "litert", "m.tflite")
    assert "`--input-size` must be (32, 40) with --white-balanced" in refused(
        "study", "litert", "m.tflite", "--white-balanced", "--input-size", "64", "64"
    )
    assert "only allowed for runs with white balance" in refused(
        "raw", "onnx", "m.onnx", "--white-balanced"
    )
    assert "`--format` must be one of keras" in refused("study", "tflite", "m.tflite")
    assert "`--out` must end in .onnx for onnx" in refused("study", "onnx", "m.keras")
    assert "`--out` must be a folder for saved_model" in refused("study", "saved_model", "m.onnx")
    assert "`channels` must be 1 or 3; got 2" in refused(
        "study", "onnx", "m.onnx", "--channels", "2"
    )
    assert "`bit_depth` must be 8 or 16" in refused("study", "onnx", "m.onnx", "--bit-depth", "12")


def test_nothing_is_overwritten_unasked_and_no_folder_of_others_ever(place, tmp_path, capsys):
    served = read_served_run(place / "study")
    out = tmp_path / "m"
    export(served, out, "saved_model")
    with pytest.raises(FileExistsError, match="`--out` must not exist"):
        export(served, out, "saved_model")
    before = (out / "assets.extra/metadata.json").read_text()
    export(served, out, "saved_model", intake=Intake(channels=1), overwrite=True)
    assert (out / "assets.extra/metadata.json").read_text() != before
    (out / "notes.txt").write_text("mine")  # beside the model's own files
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "saved_model.pb").write_text("mine")
    for folder in (out, mine):
        with pytest.raises(ValueError, match="must not name a folder of other files"):
            export(served, folder, "saved_model", overwrite=True)
    assert (out / "notes.txt").read_text() == (mine / "saved_model.pb").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "mine"]


@pytest.mark.parametrize("kind", ["keras", "onnx", "litert"])
def test_a_model_of_another_program_is_kept_and_an_earlier_export_replaced(place, kind, tmp_path):
    needs(kind)
    run = "raw" if kind == "litert" else "study"
    out = tmp_path / f"m.{'tflite' if kind == 'litert' else kind}"
    words = ["export", str(place / run), "--format", kind, "--out", str(out)]
    with zipfile.ZipFile(tmp_path / "theirs.keras", "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3"}')  # as Keras itself names it
    for content in (b"not a model", (tmp_path / "theirs.keras").read_bytes()):
        out.write_bytes(content)
        for more in ([], ["--overwrite"]):
            assert main([*words, *more]) == 2
        assert out.read_bytes() == content
    out.unlink()
    for more in ([], ["--overwrite"]):
        assert main([*words, *more]) == 0
    assert read_metadata(out)["temperature"]


def test_a_failed_export_leaves_what_was_there(place, tmp_path, monkeypatch):
    served = read_served_run(place / "study")
    out = tmp_path / "m.keras"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("metadata.json", json.dumps(served.metadata()))
    before = out.read_bytes()

    def fail(self, path, **options):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        export(served, out, "keras", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]
    assert out.read_bytes() == before


def test_another_backend_is_refused(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    words = ["export", str(place / "study"), "--format", "onnx", "--out", str(tmp_path / "m.onnx")]
    assert main(words) == 1
    assert "`KERAS_BACKEND` must be tensorflow for export; got 'jax'" in capsys.readouterr().err


def test_metadata_that_claim_to_be_huge_are_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", " " * (1 << 21) + "{}")
    with pytest.raises(ValueError, match=r"holds no metadata\.json"):
        read_metadata(tmp_path / "m.keras")


def test_a_saved_model_that_tensorflow_cannot_write_is_an_error_of_the_system(
    place, tmp_path, monkeypatch, capsys
):
    import tensorflow as tf

    def full(*_words, **_options):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(keras.Model, "export", full)
    words = ["export", str(place / "study"), "--format", "saved_model", "--out"]
    assert main([*words, str(tmp_path / "m")]) == 1
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_file_without_metadata_is_refused(tmp_path):
    (tmp_path / "m.tflite").write_bytes(b"TFL3")
    with pytest.raises(ValueError, match="`path` must be a model that cxr-models export wrote"):
        read_metadata(tmp_path / "m.tflite")


def assert_nasnet_agrees(place, folder, kinds):
    """Export a run of NASNetMobile at 64 x 64 pixels with random weights; compare with predict."""
    for kind in kinds:
        needs(kind)
    run = make_run(
        folder / "run",
        read_split(place / "images/split.csv"),
        backbone=None,
        data__image_size=[64, 64],
    )
    out = folder / "p.csv"
    assert main(["predict", str(run), str(place / "images"), "--out", str(out)]) == 0
    some = slice(None, None, 6)  # every size anew costs a second
    images, wanted = raw_images(place)[some], shares_of(out)[some]
    assert np.ptp(wanted, axis=0).max() > 1e-3  # images differ, or agreement would prove nothing
    for kind in kinds:
        (folder / kind).mkdir()
        told = images
        if kind == "litert":
            told = [cxr_enhance.white_balance(cv2.resize(image, (64, 64))) for image in images]
        words = ["export", str(run), "--format", kind, "--out", str(folder / kind / NAMES[kind])]
        assert main([*words, *(["--white-balanced"] if kind == "litert" else [])]) == 0
        said = shares_of_export(folder / kind, kind, told)
        np.testing.assert_allclose(said, wanted, atol=1e-4)


@pytest.mark.slow
def test_the_cells_of_nasnet_mobile_give_the_probabilities_of_predict_in_every_format_but_onnx(
    place, tmp_path, monkeypatch
):
    """One normal cell, not four, at each resolution: exporters take their time for each."""
    shallow = functools.partial(
        nasnet.NASNet,
        num_blocks=1,
        penultimate_filters=1056,
        stem_block_filters=32,
        skip_reduction=False,
    )
    monkeypatch.setattr(keras.applications, "NASNetMobile", shallow)
    assert_nasnet_agrees(place, tmp_path, [kind for kind in NAMES if kind != "onnx"])


@pytest.mark.slow
def test_all_of_nasnet_mobile_gives_the_probabilities_of_predict_in_onnx(
    place, tmp_path, monkeypatch
):
    monkeypatch.setattr(keras.applications, "NASNetMobile", nasnet.NASNetMobile)
    assert_nasnet_agrees(place, tmp_path, ["onnx"])
    assert (tmp_path / "run/best.weights.h5").stat().st_size > 4 * 4e6  # all its parameters
