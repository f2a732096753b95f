"""Whatever is written is there whole or not at all, also where the disk is full."""

import errno
import functools
import os

import pytest

from cxr_enhance.io.atomic import is_temporary, replace_atomically, write_content_atomically
from tests.helpers.full_disk import full_disk


def only(folder):
    return sorted(os.listdir(folder))


def test_text_is_written_as_utf_8_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "ä.json"
    write_content_atomically(path, "alt")
    write_content_atomically(path, "für\n")
    assert path.read_bytes() == "für\n".encode()
    assert only(tmp_path) == ["ä.json"]


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before")

    def interrupted():
        with replace_atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "before"
    assert only(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", [1, 2])  # moving the former folder aside, the new one in its place
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.EIO, "Input/output error")])
def test_an_interrupt_between_two_renames_loses_no_folder(
    tmp_path, monkeypatch, moment, call, error
):
    path, calls = make_folder(tmp_path / "model", "before"), []

    def interrupted(rename, source, target):
        calls.append(source)
        if len(calls) == call and moment == "before":
            raise error
        rename(source, target)
        if len(calls) == call and moment == "after":
            raise error

    for name in ("rename", "replace"):
        real = getattr(type(path), name)
        monkeypatch.setattr(type(path), name, functools.partialmethod(spied, interrupted, real))
    with pytest.raises((KeyboardInterrupt, OSError)), replace_atomically(path) as temporary:
        make_folder(temporary, "after")
    is_new = (call, moment) == (2, "after")
    assert (path / "weights").read_text() == ("after" if is_new else "before")
    assert only(tmp_path) == ["model"]


def spied(self, interrupted, real, target):
    return interrupted(real, self, target)


def make_folder(path, content):
    path.mkdir()
    (path / "weights").write_text(content)
    return path


def test_a_folder_that_cannot_be_moved_back_stays_under_its_temporary_name(tmp_path, monkeypatch):
    path = make_folder(tmp_path / "model", "before")
    real = type(path).rename

    def rename(self, target):
        if target == path:
            raise OSError(errno.EIO, "Input/output error", str(self), None, str(target))
        return real(self, target)

    def replace(self, target):
        raise OSError(errno.EIO, "Input/output error", str(self), None, str(target))

    monkeypatch.setattr(type(path), "rename", rename)
    monkeypatch.setattr(type(path), "replace", replace)
    with (
        pytest.raises(OSError, match="Input/output error") as caught,
        replace_atomically(path) as temporary,
    ):
        make_folder(temporary, "after")
    (kept,) = tmp_path.iterdir()
    assert (kept / "weights").read_text() == "before"
    assert caught.value.filename == str(kept)


def test_a_full_disk_names_the_file_and_leaves_the_former(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before")
    with full_disk(), pytest.raises(OSError, match=r"a\.csv'$") as caught:
        write_content_atomically(path, b"x" * 5000)
    assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
    assert caught.value.filename == str(path)
    assert path.read_text() == "before"
    assert only(tmp_path) == ["a.csv"]


def test_errors_name_what_was_asked_for_and_no_temporary(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_content_atomically(tmp_path / "none/a.csv", "x")
    assert caught.value.filename == str(tmp_path / "none/a.csv")


def test_no_file_takes_the_place_of_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/kept").write_text("kept")
    with pytest.raises(OSError, match="directory"):
        write_content_atomically(tmp_path / "a", "x")
    assert (tmp_path / "a/kept").read_text() == "kept"
    assert only(tmp_path) == ["a"]


def test_a_folder_takes_the_place_of_another_and_what_fails_puts_it_back(tmp_path, monkeypatch):
    path = tmp_path / "model"
    with replace_atomically(path) as temporary:
        temporary.mkdir()
        (temporary / "saved_model.pb").write_text("one")
    replace = type(path).replace

    def refused(self, target):
        if self.name != path.name and target == path:
            raise OSError(errno.EIO, "no", str(self))
        return replace(self, target)

    monkeypatch.setattr(type(path), "replace", refused)
    with pytest.raises(OSError, match="model"), replace_atomically(path) as temporary:
        temporary.mkdir()
    assert (path / "saved_model.pb").read_text() == "one"
    monkeypatch.setattr(type(path), "replace", replace)
    with replace_atomically(path) as temporary:
        temporary.mkdir()
        (temporary / "saved_model.pb").write_text("two")
    assert (path / "saved_model.pb").read_text() == "two"
    assert only(tmp_path) == ["model"]


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path):
    path = tmp_path / "patients.csv"
    path.write_text("one")
    path.chmod(0o600)
    write_content_atomically(path, "two")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("two", 0o600)


def test_a_temporary_keeps_the_suffixes_and_is_known_for_one(tmp_path):
    with replace_atomically(tmp_path / "epoch-3.weights.h5") as temporary:
        assert temporary.name.endswith(".weights.h5")
        assert is_temporary(temporary.name)
        temporary.write_bytes(b"w")
    assert only(tmp_path) == ["epoch-3.weights.h5"]
