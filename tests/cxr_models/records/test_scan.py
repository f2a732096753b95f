"""Images below a folder, by suffix or by what a file begins with; no pipe is waited for."""

from __future__ import annotations

import os

import pytest

from cxr_models.records.scan import FolderListing, find_images


@pytest.mark.skipif(os.name != "posix", reason="POSIX links and pipes")
def test_links_pipes_and_hidden_files_are_sorted_without_being_opened(tmp_path):
    for name in ("a.PNG", "b.jpe", "notes.txt", ".hidden.png", "__MACOSX/c.png", "d/e.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "dicom").write_bytes(bytes(128) + b"DICM")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "to-pipe").symlink_to("pipe.png")
    (tmp_path / "to-pipe.png").symlink_to("pipe.png")
    (tmp_path / "broken.png").symlink_to("nowhere")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "linked").symlink_to("d")
    assert find_images(tmp_path) == FolderListing(
        images=("a.PNG", "b.jpe", "broken.png", "dicom", "d/e.tif"),
        unentered=(("linked", "a link to a folder, not followed"),),
        other_files=("broken", "notes.txt", "pipe.png", "to-pipe", "to-pipe.png"),
    )


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert find_images(tmp_path / "none").unentered == ((".", os.strerror(2)),)
