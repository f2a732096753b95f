"""A study stored by an earlier version loads in this one: manifest, split, run and export.

`study/` was made with ``cxr-models index``, ``split``, ``train``, ``evaluate --external``,
``predict`` and ``export --format keras``, with the one convolution of `tiny_application` in the
place of NASNetMobile. It is never made anew: what users have stored must go on loading.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxr_models import read_manifest, read_split
from cxr_models._typed_json import from_json, read_object, to_json
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.results import Evaluation
from cxr_models.evaluation.stored import stored_sets
from cxr_models.inference.calibrated_run import read_served_run
from tests.helpers.fresh_process import run_code

STUDY = Path(__file__).parent / "study"
EVALUATION = STUDY / "run/evaluation/evaluation.json"


@pytest.fixture
def study(tmp_path):
    folder = shutil.copytree(STUDY, tmp_path / "study")
    facts = json.loads((folder / "run/run.json").read_text())
    (folder / "run/run.json").write_text(json.dumps({**facts, "split_root": str(folder)}))
    return folder


def probabilities(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name.startswith("probability:")]
    return np.array([[float(row[name]) for name in columns] for row in rows])


def test_the_studys_manifest_and_split_load():
    manifest, split = read_manifest(STUDY / "manifest.csv"), read_split(STUDY / "split.csv")
    assert [len(manifest.records), len(split.manifest.records)] == [18, 18]
    assert split.hash == "c5f2660275ef59c569097885c96dbdcb61ee882c2b94b4dfa4235ff3f862e812"
    assert {part: len(split.select(part).records) for part in ("train", "val", "test")} == {
        "train": 12,
        "val": 3,
        "test": 3,
    }


def test_its_stored_predictions_give_the_stored_evaluation():
    pytest.importorskip("scipy", reason="scipy is not installed")
    stored = from_json(Evaluation, read_object(EVALUATION))
    again = evaluate_sets("run", stored_sets(STUDY / "run"), Method())
    assert [stored.format, again.format] == [1, 2]
    for name in ("class_names", "labels", "bootstrap", "calibration", "weights_sha256"):
        assert getattr(again, name) == getattr(stored, name)
    for name, values in stored.sets.items():
        assert again.sets[name].confusion == values.confusion
        # Intervals are made in another way, and images ranked by calibrated probabilities.
        for (title, now), (_, then) in zip(
            again.sets[name].overall.titled(), values.overall.titled(), strict=True
        ):
            assert now.value == then.value or "ROC" in title


def test_its_evaluation_is_read_as_a_record_and_written_as_it_was():
    stored = read_object(EVALUATION)
    assert json.dumps(to_json(from_json(Evaluation, stored))) + "\n" == EVALUATION.read_text()


def test_thresholds_of_its_evaluation_are_not_used_and_the_cure_is_named():
    pytest.importorskip("scipy", reason="scipy is not installed")
    calibration = read_served_run(STUDY / "run").calibration
    assert calibration.thresholds == ()
    assert calibration.line_on_calls == (
        "no class is called: the evaluation is of an earlier version; make it again with: "
        "cxr-models evaluate RUN --from-predictions"
    )


def test_its_run_predicts_what_it_predicted(study, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    import keras

    from cxr_models.cli import main
    from tests.helpers.tiny_backbone import tiny_application

    monkeypatch.setattr(keras.applications, "NASNetMobile", tiny_application)
    monkeypatch.chdir(study)
    assert main(["predict", "run", "images", "--out", str(tmp_path / "again.csv")]) == 0
    expected = probabilities(STUDY / "predictions.csv")
    np.testing.assert_allclose(probabilities(tmp_path / "again.csv"), expected, rtol=0, atol=1e-6)


def test_its_export_loads_in_a_fresh_process_and_predicts_the_same(study):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    done = run_code(
        """
        import keras
        import numpy as np
        import cxr_enhance
        import cxr_enhance.adapters.keras_layers
        import cxr_models.inference.export_layers

        model = keras.models.load_model(sys.argv[1])
        for path in sys.argv[2:]:
            image = np.repeat(cxr_enhance.read_image(path)[None, ..., None], 3, axis=-1)
            print(*model.predict(image, verbose=0)[0])
        """,
        study / "model.keras",
        *sorted((study / "images").rglob("*.png")),
    )
    found = np.array([line.split() for line in done.stdout.splitlines()], float)
    expected = probabilities(STUDY / "predictions.csv")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
