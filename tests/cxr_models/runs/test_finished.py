import json
import shutil
from pathlib import Path

import pytest

import cxr_models as cxm
from cxr_models.config import RunConfig
from cxr_models.records.manifest import Manifest, Record
from cxr_models.records.splits import read_split, write_split
from cxr_models.runs.finished import file_sha256, keep_split, read_run


def test_a_run_knows_its_split_images_classes_and_weights(finished, small_split):
    run = read_run(finished)
    assert run.split.manifest == small_split.manifest
    assert run.class_names == run.labels == ("covid", "normal", "virus")
    assert run.weights_sha256 == file_sha256(finished / "best.weights.h5")
    assert run.name == "run"


def test_one_class_against_the_rest_names_both(finished):
    config = RunConfig().with_setting("model.task", "binary")
    (finished / "config.json").write_text(config.to_json())
    assert read_run(finished).class_names == ("not covid", "covid")


def test_a_run_does_not_say_where_images_are_cached(finished, tmp_path):
    config = RunConfig().with_setting("data.cache_dir", str(tmp_path / "elsewhere"))
    (finished / "config.json").write_text(config.to_json())
    assert read_run(finished).config.data.cache_dir is None


def test_a_moved_split_is_taken_from_where_it_is_and_must_be_the_same(finished, small_split):
    folder = finished.parent
    records = small_split.manifest.records
    write_split(folder / "moved.csv", records, {})
    assert read_run(finished, split=folder / "moved.csv").split.manifest.root == folder
    write_split(folder / "other.csv", records[1:], {})
    with pytest.raises(ValueError, match="must be the one that the run was trained on"):
        read_run(finished, split=folder / "other.csv")


def test_a_split_in_memory_is_kept_so_that_it_can_be_read(tmp_path):
    records = tuple(
        Record(file=f" {k}.png", label="xy"[k % 2], patient=f"p{k} ", manufacturer="Philips ")
        for k in range(12)
    )
    split = cxm.split(Manifest(records=records, root=tmp_path))
    keep_split(tmp_path, split)
    kept = read_split(tmp_path / "split.csv")
    assert (kept.hash, kept.manifest) == (split.hash, split.manifest)


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("config.json", "`RUN` must be the folder of a run"),
        ("run.json", "`RUN` must be the folder of a run"),
        ("best.weights.h5", "`RUN` must be a run that has ended.*lacks best.weights.h5"),
        ("split.csv", "must hold the split.csv it was trained on"),
    ],
)
def test_says_what_a_folder_lacks(finished, lost, sentence):
    (finished / lost).unlink()
    with pytest.raises(ValueError, match=sentence):
        read_run(finished)


def test_a_run_without_its_split_is_read_after_what_the_sentences_ask_for(finished):
    before = read_run(finished).split
    folder, facts = finished.parent, json.loads((finished / "run.json").read_text())
    (finished / "split.csv").rename(folder / "elsewhere.csv")
    (finished / "run.json").write_text(json.dumps(facts | {"split_root": None}))
    with pytest.raises(ValueError, match="Copy that split to") as caught:
        read_run(finished)
    shutil.copy(folder / "elsewhere.csv", str(caught.value).split("'")[-2])
    with pytest.raises(ValueError, match="`split_root` must be stated") as caught:
        read_run(finished)
    Path(str(caught.value).split("'")[1]).write_text(json.dumps(facts))
    assert read_run(finished).split == before


def test_says_what_is_wrong_with_the_facts(finished):
    (finished / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"`run\.json` must be JSON"):
        read_run(finished)
    (finished / "run.json").write_text(json.dumps({"class_names": []}))
    with pytest.raises(ValueError, match=r"must be as .*, where split_sha256 is missing"):
        read_run(finished)
