"""Folders of killed runs are removed, but never the proof that a run wrote an output."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from cxr_enhance.archive import workspace as module
from cxr_enhance.archive.workspace import file_id, unrecorded_outputs, workspace
from cxr_enhance.io.atomic import temporary_name


@pytest.fixture
def abandoned(tmp_path):
    """Make the folder of a killed run with proof of an output, and with files to be removed."""
    folder = tmp_path / temporary_name()
    folder.mkdir()
    (folder / "lock").touch()
    (tmp_path / "output").write_bytes(b"pixels")
    for name in ("link", "second link"):
        os.link(tmp_path / "output", folder / name)
    for name in ("half", "whole"):
        (folder / name).touch()
    return folder


def test_proof_stays_where_two_runs_clean_one_folder_at_once(abandoned, monkeypatch):
    unlink = os.unlink

    def other_run_was_faster(path):
        unlink(path)
        raise FileNotFoundError(2, "No such file or directory", path)

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "unlink", other_run_was_faster)
        module._remove_abandoned(str(abandoned.parent))
    assert len(os.listdir(abandoned)) == 2  # the lock and one link
    output = str(abandoned.parent / "output")
    assert unrecorded_outputs(str(abandoned.parent)) == {file_id(output)}


def test_two_runs_keep_the_same_link_to_an_output(abandoned, monkeypatch):
    linked = module._linked_elsewhere(str(abandoned))
    ((file, paths),) = linked.items()
    for order in (sorted(paths), sorted(paths, reverse=True)):  # both looked before either removed
        with monkeypatch.context() as patch:
            patch.setattr(module, "_linked_elsewhere", lambda _, order=order: {file: order})
            module._remove(str(abandoned))
    assert unrecorded_outputs(str(abandoned.parent)) == {file}


def test_proof_stays_beside_a_folder_that_someone_put_there(abandoned):
    (abandoned / "folder").mkdir()
    with workspace(str(abandoned.parent)):
        pass
    assert unrecorded_outputs(str(abandoned.parent))
    (abandoned.parent / "output").unlink()
    with workspace(str(abandoned.parent)):
        pass
    assert os.listdir(abandoned.parent) == []


@pytest.fixture
def windows(monkeypatch):
    """Take away locks, and refuse to rename or remove a file that is open in this process."""
    if not os.path.isdir("/dev/fd"):
        pytest.skip("open files are not listed here")
    rename, unlink = os.rename, os.unlink

    def check(path, dir_fd=None):
        file = os.stat(path, dir_fd=dir_fd)
        for descriptor in os.listdir("/dev/fd"):
            with contextlib.suppress(OSError):  # the descriptor of this listing is closed
                assert not os.path.samestat(file, os.fstat(int(descriptor)))

    def checked_rename(old, new):
        check(old)
        rename(old, new)

    def checked_unlink(path, *, dir_fd=None):
        check(path, dir_fd)
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(module, "try_lock", lambda _: None)
    monkeypatch.setattr(os, "rename", checked_rename)
    monkeypatch.setattr(os, "unlink", checked_unlink)


def test_without_locks_no_open_file_is_renamed_or_removed(windows, tmp_path):
    with open(tmp_path / "open", "w") as file:
        with pytest.raises(AssertionError):
            os.unlink(file.name)
        with pytest.raises(AssertionError):
            os.rename(file.name, tmp_path / "renamed")
    os.unlink(file.name)
    with workspace(str(tmp_path)) as folder, workspace(str(tmp_path)):
        assert os.listdir(folder) == ["lock"]
        Path(folder, "half").touch()
    assert os.listdir(tmp_path) == []


def test_a_run_leaves_no_folder_if_its_lock_cannot_be_made(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_make_lock", full)
    with pytest.raises(OSError, match="No space"), workspace(str(tmp_path)):
        pass
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_listed_stays(abandoned, monkeypatch):
    def unreadable(_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "scandir", unreadable)
        module._remove(str(abandoned))
    assert Path(abandoned, "link").exists()
