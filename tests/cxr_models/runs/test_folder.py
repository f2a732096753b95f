"""Training writes into a new folder or that of the same run, and keeps what is not its own."""

import dataclasses
import errno
import hashlib
import sys

import numpy as np
import pytest

from cxr_enhance.io.atomic import temporary_name
from cxr_models.config import RunConfig, with_absolute_weights
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.folder import HISTORY_COLUMNS, RunFolder
from tests.helpers.full_disk import full_disk

FACTS = RunFacts(split_sha256="s", class_names=("a", "b"))


class Model:
    """Saves weights that are a word."""

    def save_weights(self, path, *, overwrite):
        path.write_text("weights")


@pytest.mark.parametrize("text", ['{"architectures": ["ViT"]}', "no JSON", "{}"])
def test_settings_of_another_program_are_not_written_over(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"whose config\.json holds something else"):
        RunFolder(path=tmp_path).begin(RunConfig().with_setting("training.seed", 5), FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_text() == text


def test_a_start_that_was_stopped_before_its_facts_goes_on(tmp_path):
    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), FACTS)
    facts = (tmp_path / "run.json").read_bytes()
    (tmp_path / "run.json").unlink()
    folder.begin(RunConfig(), FACTS)
    assert (tmp_path / "run.json").read_bytes() == facts


def test_a_run_is_resumed_by_the_file_of_its_weights_however_its_path_is_given(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    relative, absolute, other = (
        RunConfig().with_setting("model.weights", path)
        for path in ("w.keras", str(tmp_path / "w.keras"), "v.keras")
    )
    for stored, given in ((relative, absolute), (absolute, relative)):
        folder = RunFolder(path=tmp_path / stored.model.weights.replace("/", "_"))
        folder.begin(stored, FACTS)
        folder.check(given, FACTS.split_sha256)
        with pytest.raises(ValueError, match="whose run has other settings"):
            folder.check(other, FACTS.split_sha256)


def test_a_run_that_was_moved_is_resumed_by_the_content_of_its_weights(tmp_path, monkeypatch):
    old, new = tmp_path / "old", tmp_path / "new"
    config = RunConfig().with_setting("model.weights", "w.keras")
    old.mkdir()
    (old / "w.keras").write_bytes(b"first")
    monkeypatch.chdir(old)
    sha256 = hashlib.sha256(b"first").hexdigest()
    facts = dataclasses.replace(FACTS, weights_sha256=sha256)
    RunFolder(path=old / "run").begin(with_absolute_weights(config), facts)
    old.rename(new)
    monkeypatch.chdir(new)
    folder = RunFolder(path=new / "run")
    folder.check(config, FACTS.split_sha256)
    (new / "w.keras").write_bytes(b"other")
    for refused in (config, RunConfig(), config.with_setting("training.seed", 3)):
        with pytest.raises(ValueError, match="whose run has other settings"):
            folder.check(refused, FACTS.split_sha256)


def test_settings_that_differ_from_those_of_the_run_are_named_with_both_values(tmp_path):
    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), FACTS)
    changes = [("training.batch_size", 8), ("data.enhance", None), ("data.cache_dir", "c")]
    with pytest.raises(ValueError, match="other settings") as caught:
        folder.check(RunConfig().with_settings(changes), FACTS.split_sha256)
    assert "training.batch_size is 64 there and 8 here" in str(caught.value)
    assert "data.cache_dir is None there and 'c' here, data.enhance" in str(caught.value)
    assert "data.enhance.clip_limit is 2.0 there and None here" in str(caught.value)


def test_a_run_whose_empty_folders_were_not_copied_with_it_goes_on(tmp_path):
    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), FACTS)
    for name in ("phases", "backup"):
        (tmp_path / name).rmdir()
    folder.begin(RunConfig(), FACTS)
    folder.save_backup(Model(), 0, 1)
    folder.save_weights(Model(), folder.best_of("head"))


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_one_process_trains_a_run_at_a_time(tmp_path):
    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), FACTS)
    with folder.training():
        with pytest.raises(ValueError, match="whose run another process trains now"):
            folder.training().__enter__()
        folder.check(RunConfig(), FACTS.split_sha256)
    with folder.training():
        pass
    assert folder.read_config() == RunConfig()


def test_a_second_start_at_the_same_moment_does_not_replace_the_file_that_is_locked(tmp_path):
    first, second = (RunFolder(path=tmp_path) for _ in range(2))
    first.begin(RunConfig(), FACTS)
    with first.training():
        first.facts_file.unlink()  # the second has looked for it before the first wrote it
        second.begin(RunConfig(), FACTS)
        with pytest.raises(ValueError, match="whose run another process trains now"):
            second.training().__enter__()


def test_weights_that_a_killed_process_was_writing_are_removed_and_nothing_else(tmp_path):
    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), FACTS)
    (tmp_path / "backup" / temporary_name(".weights.h5")).write_bytes(b"half")
    (tmp_path / "phases" / temporary_name(".weights.h5")).write_bytes(b"half")
    (tmp_path / "phases" / "mine.weights.h5").write_bytes(b"mine")
    with folder.training():
        assert [path.name for path in tmp_path.glob("*/*")] == ["mine.weights.h5"]


def test_a_full_disk_is_an_error_that_names_the_weights_and_keeps_the_former(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")

    class Large:
        def save_weights(self, path, *, overwrite):
            with h5py.File(path, "w") as file:
                file["weights"] = np.ones(100_000, np.uint8)

    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), FACTS)
    folder.save_backup(Model(), 0, 1)
    with full_disk(20_000), pytest.raises(OSError, match="00002") as caught:
        folder.save_backup(Large(), 0, 2)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path / "backup/0-00002.weights.h5")
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["0-00001.weights.h5"]


def test_older_backups_go_and_files_of_other_names_stay(tmp_path):
    folder = RunFolder(path=tmp_path)
    folder.begin(RunConfig(), FACTS)
    mine = tmp_path / "backup/of-monday.weights.h5"
    mine.write_text("mine")
    for epochs in (1, 2):
        folder.save_backup(Model(), 0, epochs)
    assert sorted(path.name for path in mine.parent.iterdir()) == [
        "0-00002.weights.h5",
        "of-monday.weights.h5",
    ]
    assert folder.newest_backup() == (tmp_path / "backup/0-00002.weights.h5", 0, 2)


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "phase,epoch\nhead,1\n", ",".join(HISTORY_COLUMNS) + "\nhead,1\n"],
    ids=["empty", "of others", "some lack", "a short row"],
)
def test_a_history_without_its_columns_is_one_sentence(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ValueError, match=r"`history\.csv` must have the columns phase, epoch, .*"):
        RunFolder(path=tmp_path).read_history()


@pytest.mark.parametrize(
    ("epochs", "backup", "kept"),
    [
        ([], None, 0),
        (["head"], None, 0),  # stopped between history and backup
        (["head"], "0-00001", 1),
        (["head", "head"], "0-00001", 1),
        (["head", "head"], "0-00002", 2),
        (["head", "fine_tune"], "0-00001", 1),
        (["head", "head", "fine_tune"], "0-00002", 2),
        (["head", "head", "fine_tune"], "1-00001", 3),
        (["fine_tune", "fine_tune"], "1-00002", 2),  # without a first phase
    ],
)
def test_epochs_are_kept_that_a_backup_holds(tmp_path, epochs, backup, kept):
    (tmp_path / "backup").mkdir()
    folder = RunFolder(path=tmp_path)
    numbers = dict.fromkeys(HISTORY_COLUMNS[2:], 0.5)
    folder.write_history([EpochRow(phase=name, epoch=0, **numbers) for name in epochs])
    if backup is not None:
        (tmp_path / f"backup/{backup}.weights.h5").write_bytes(b"")
    assert folder.epochs_kept() == kept
