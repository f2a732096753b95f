"""The one walk through folders: in one order, links not entered, nothing silently left out."""

from __future__ import annotations

import os

import pytest

from cxr_enhance.io.folders import FolderEntry, check_parent_references, walk_folder


def nothing(_):
    return False


def test_files_of_a_folder_come_by_name_before_those_of_its_folders(tmp_path):
    for name in ("b/2.png", "b/a/0.png", "c.png", "a.png", "a/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    entries = list(walk_folder(str(tmp_path), nothing))
    assert [os.path.relpath(entry.path, tmp_path) for entry in entries] == [
        "a.png", "c.png", "a/1.png", "b/2.png", "b/a/0.png",
    ]  # fmt: skip
    assert {entry.kind for entry in entries} == {"file"}


@pytest.mark.skipif(os.name != "posix", reason="POSIX links and pipes")
def test_links_pipes_and_what_cannot_be_listed_are_named(tmp_path):
    top = tmp_path / "top"
    (top / "folder").mkdir(parents=True)
    (top / "folder" / "loop").symlink_to(top)
    (top / "broken").symlink_to("nowhere")
    (top / "linked.png").symlink_to(__file__)
    os.mkfifo(top / "pipe")
    entries = {
        os.path.relpath(entry.path, top): (entry.kind, entry.is_link)
        for entry in walk_folder(str(top), nothing)
    }
    assert entries == {
        "broken": ("file", True),
        "linked.png": ("file", True),
        "pipe": ("special", False),
        "folder/loop": ("linked folder", True),
    }
    missing = str(tmp_path / "none")
    assert list(walk_folder(missing, nothing)) == [
        FolderEntry("unlistable", missing, "none", os.strerror(2))
    ]


def test_what_is_skipped_is_not_entered(tmp_path):
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "a.png").touch()
    (tmp_path / "b.png").touch()
    entries = walk_folder(str(tmp_path), lambda entry: entry.name == "hidden")
    assert [entry.name for entry in entries] == ["b.png"]


def test_a_name_that_goes_up_from_a_folder_that_is_not_there_is_refused(tmp_path):
    check_parent_references(tmp_path / ".." / "x", "--out")
    with pytest.raises(ValueError, match=r"`--out` must go through folders that exist"):
        check_parent_references(tmp_path / "none" / ".." / "x", "--out")
