import dataclasses
import json
import shutil

import pytest

from cxr_models.config import RunConfig
from cxr_models.records.manifest import Manifest
from cxr_models.records.splits import Split
from cxr_models.runs.folder import RunFolder
from cxr_models.runs.warm_start import check_warm_start, seen_before, starting_splits


def with_parts(split, parts):
    """Give a split of the same images, their parts exchanged by name."""
    records = tuple(
        dataclasses.replace(record, split=parts.get(record.split, record.split))
        for record in split.manifest.records
    )
    return Split(manifest=Manifest(records=records, root=split.manifest.root), hash="")


def copied(split, folder):
    """Give the same split of copied images, so that no path is the same."""
    shutil.copytree(split.manifest.root, folder)
    return Split(manifest=dataclasses.replace(split.manifest, root=folder), hash="")


@pytest.mark.parametrize("file", ["best.weights.h5", "phases/head.weights.h5"])
def test_weights_lead_to_the_split_of_their_run(finished, small_split, file):
    (finished / file).write_bytes(b"weights")
    assert starting_splits(str(finished / file)) == {str(finished.resolve()): small_split.manifest}


def test_weights_of_no_run_lead_nowhere(tmp_path):
    (tmp_path / "mine.weights.h5").write_bytes(b"weights")
    assert starting_splits(str(tmp_path / "mine.weights.h5")) == {}
    assert starting_splits("imagenet") == starting_splits("none") == {}


def test_runs_before_the_first_are_followed_and_a_ring_ends(finished, small_split):
    second = shutil.copytree(finished, finished.with_name("second"))
    for run, start in ((second, finished), (finished, second)):
        weights = str(RunFolder(path=start).best_weights)
        config = RunConfig().with_setting("model.weights", weights)
        (run / "config.json").write_text(config.to_json())
    parts = seen_before(str(second / "best.weights.h5"))
    assert [part.name.split(",")[0] for part in parts] == [
        f"train of {second.resolve()}",
        f"val of {second.resolve()}",
        f"train of {finished.resolve()}",
        f"val of {finished.resolve()}",
    ]
    assert parts[3].manifest == small_split.select("val")


def test_a_start_that_is_gone_is_said(tmp_path):
    said = []
    assert starting_splits(str(tmp_path / "gone.weights.h5"), say=said.append) == {}
    assert said == [
        f"WARNING: what {tmp_path / 'gone.weights.h5'}, the start of a run, has seen is not known: "
        "it is gone"
    ]


def test_a_relative_start_of_an_earlier_version_is_looked_for_in_the_working_folder(
    finished, small_split, monkeypatch
):
    second = shutil.copytree(finished, finished.with_name("second"))
    weights = f"{finished.name}/best.weights.h5"
    config = RunConfig().with_setting("model.weights", weights)
    (second / "config.json").write_text(config.to_json())
    monkeypatch.chdir(finished.parent)
    assert len(starting_splits("second/best.weights.h5")) == 2
    monkeypatch.chdir(second)
    said = []
    assert len(starting_splits("best.weights.h5", say=said.append)) == 1
    assert said == [
        f"WARNING: what {weights}, the start of a run, has seen is not known: the working folder "
        "has no such file"
    ]


def test_the_same_split_may_be_trained_on_further(finished, small_split, tmp_path):
    weights = str(finished / "best.weights.h5")
    found = check_warm_start(copied(small_split, tmp_path / "copy"), weights)
    assert found.keys() == {"val", "test"}


@pytest.mark.parametrize(
    ("exchange", "part"),
    [
        ({"train": "test", "test": "train"}, "test"),
        ({"train": "val", "val": "train"}, "val"),
        ({"val": "test", "test": "val"}, "test"),
    ],
)
def test_a_split_whose_val_or_test_was_seen_is_refused(
    finished, small_split, tmp_path, exchange, part
):
    split = with_parts(copied(small_split, tmp_path / "copy"), exchange)
    count = len(split.select(part).records)
    sentence = f"not seen the images of {part}; got .*, which has seen {count} of {count}:"
    with pytest.raises(ValueError, match=sentence) as caught:
        check_warm_start(split, str(finished / "best.weights.h5"))
    assert "equal, " in str(caught.value)


def test_images_that_no_part_judged_may_judge_now(finished, small_split, tmp_path):
    split = with_parts(copied(small_split, tmp_path / "copy"), {"test": "val", "val": ""})
    check_warm_start(split, str(finished / "best.weights.h5"))


def test_patients_that_the_start_has_seen_are_listed(finished, small_split, tmp_path):
    patient = small_split.select("train").records[0].patient
    first = small_split.select("test").records[0]
    records = tuple(
        dataclasses.replace(record, patient=patient if record == first else "")
        for record in small_split.manifest.records
    )
    split = Split(manifest=Manifest(records=records, root=small_split.manifest.root), hash="")
    said = []
    found = check_warm_start(split, str(finished / "best.weights.h5"), say=said.append)
    assert [one.file for one in found["test"].patients] == [first.file]
    assert any("1 image of test is of a patient" in line for line in said)


def test_a_run_whose_files_are_damaged_is_named(finished):
    (finished / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"`run\.json` must be JSON; got '.*run\.json'"):
        starting_splits(str(finished / "best.weights.h5"))
    (finished / "run.json").write_text(json.dumps({"split_root": 3}))
    with pytest.raises(ValueError, match=r"`run\.json` must be as .*, where split_sha256 is missi"):
        starting_splits(str(finished / "best.weights.h5"))
