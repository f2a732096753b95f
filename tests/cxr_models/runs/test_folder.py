"""Training writes into a new folder or that of the same run, and keeps what is not its own."""

import dataclasses
import hashlib

import pytest

from cxr_models.config import RunConfig, with_absolute_weights
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.folder import HISTORY_COLUMNS, RunFolder

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
