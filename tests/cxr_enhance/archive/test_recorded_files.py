"""Rows of earlier runs are found again, whatever names a later run uses for the same folders."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.archive.recorded_files import RecordedFiles
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import contents, make_archive
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Make an archive of three images in a folder, which becomes the working folder."""
    folder = tmp_path / "place"
    make_archive(folder / "in", 3)
    monkeypatch.chdir(folder)
    return folder


def change(path):
    new = synthetic_radiograph(60, 50, seed=99)
    cxe.write_image(path, new)
    return cxe.enhance(new)


def assert_goes_on(run, words, folder):
    """Check that a run with these words knows the outputs in the folder `folder`."""
    enhanced = change(folder / "in/p0/0000.png")
    cxe.write_image(folder / "in/new.png", synthetic_radiograph(60, 50, seed=9))
    before = contents(folder / "out")
    status, report, err = run(*words, "--clip-limit", "3.5")
    assert (status, report) == (2, None)
    assert "got 2 with clip_limit 2.0, now 3.5" in err
    assert contents(folder / "out") == before
    status, report, err = run(*words)
    assert (status, report["written"], report["changed"], err) == (0, 2, 1, "")
    assert (report["exists"], report["unrecorded_outputs"]) == (2, 0)
    assert_same_image(cxe.read_image(folder / "out/p0/0000.png"), enhanced)


@pytest.mark.parametrize("first", ["in", "./in", "ABSOLUTE/in"])
@pytest.mark.parametrize("then", ["in", "in/", "ABSOLUTE/in", "../place/in"])
def test_a_run_goes_on_whatever_form_the_names_have(run, place, first, then):
    first, then = (name.replace("ABSOLUTE", str(place)) for name in (first, then))
    run(first, "--out", "out")
    assert_goes_on(run, [then, "--out", "out"], place)


def test_a_run_goes_on_in_an_output_folder_of_another_form(run, place):
    run("in", "--out", "out")
    assert_goes_on(run, ["in", "--out", place / "out"], place)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
@pytest.mark.parametrize(("first", "then"), [("place", "link"), ("link", "place")])
def test_a_run_goes_on_through_a_link_to_the_folders(run, place, first, then):
    (place.parent / "link").symlink_to("place")
    run(place.parent / first / "in", "--out", place.parent / first / "out")
    words = [place.parent / then / "in", "--out", place.parent / then / "out"]
    assert_goes_on(run, words, place)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_a_folder_given_under_two_names_has_rows_for_both(run, place):
    (place / "link").symlink_to("in")
    run("in", "link/", "--out", "out")
    report = run("in", "link/", "--out", "out")[1]
    assert (report["written"], report["exists"], report["unrecorded_outputs"]) == (0, 6, 0)


@pytest.mark.parametrize("options", [[], ["--flat-names"]])
@pytest.mark.parametrize("then", ["", "ABSOLUTE/"])
def test_a_run_goes_on_in_a_working_folder_that_was_moved(
    run, place, monkeypatch, tmp_path, then, options
):
    run("in", "--out", "out", *options)
    moved = tmp_path / "far" / "away"
    moved.parent.mkdir()
    monkeypatch.chdir(tmp_path)
    place.rename(moved)
    monkeypatch.chdir(moved)
    then = then.replace("ABSOLUTE", str(moved))
    words = [f"{then}in", "--out", f"{then}out", *options]
    if not options:
        assert_goes_on(run, words, moved)
    report = run(*words)[1]
    assert (report["written"], report["unrecorded_outputs"]) == (0, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_a_run_goes_on_with_absolute_names_if_a_link_leads_from_the_old_place(run, place, tmp_path):
    run(place / "in", "--out", place / "out")
    moved = place.rename(tmp_path / "moved")
    words = [moved / "in", "--out", moved / "out"]
    assert run(*words, "--clip-limit", "3.5")[1]["unrecorded_outputs"] == 3
    place.symlink_to(moved)
    assert_goes_on(run, words, moved)


@pytest.mark.parametrize("out", ["ABSOLUTE", "../results"])
def test_outputs_of_another_working_folder_stay(run, place, monkeypatch, tmp_path, out):
    out = out.replace("ABSOLUTE", str(tmp_path / "results"))
    run("in", "--out", out)
    shutil.copytree(place, tmp_path / "other")
    monkeypatch.chdir(tmp_path / "other")
    for path in ("p0/0000.png", "p1/0001.png"):
        change(tmp_path / "other/in" / path)
    before = contents(tmp_path / "results")
    report = run(tmp_path / "other/in", "--out", out)[1]
    assert (report["written"], report["unrecorded_outputs"]) == (0, 3)
    assert contents(tmp_path / "results") == before


def test_outputs_that_were_copied_with_their_manifest_stay(run, place, tmp_path):
    run(place / "in", "--out", place / "out")
    shutil.copytree(place, tmp_path / "copy")
    change(tmp_path / "copy/in/p0/0000.png")
    before = contents(tmp_path / "copy/out")
    report = run(tmp_path / "copy/in", "--out", tmp_path / "copy/out")[1]
    assert (report["written"], report["unrecorded_outputs"]) == (0, 3)
    assert contents(tmp_path / "copy/out") == before


def test_equal_names_of_other_inputs_are_not_taken_for_the_recorded_ones(run, place):
    run("in", "--out", "out")
    shutil.copytree("in", "other")
    change(place / "other/p0/0000.png")
    before = contents(place / "out")
    report = run("other", "--out", "out")[1]
    assert (report["written"], report["unrecorded_outputs"]) == (0, 3)
    assert contents(place / "out") == before


def test_a_manifest_elsewhere_says_nothing_of_another_place(run, place, tmp_path):
    rows = tmp_path / "rows.jsonl"
    run(place / "in", "--out", place / "out", "--manifest", rows)
    shutil.copytree(place, tmp_path / "copy")
    change(tmp_path / "copy/in/p0/0000.png")
    before = contents(tmp_path / "copy/out")
    words = [tmp_path / "copy/in", "--out", tmp_path / "copy/out", "--manifest", rows]
    assert run(*words)[1]["unrecorded_outputs"] == 3
    assert contents(tmp_path / "copy/out") == before


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
@pytest.mark.parametrize("link", ["link", "in/up", "in/p0/down", "in/loop", "in/dangling"])
@pytest.mark.parametrize("rest", ["", ".", "..", "p0", "../p0", "p0/../p1/.", "in//p2/", "no/such"])
def test_folders_are_the_same_folder_whenever_all_their_links_lead_to_one_place(place, link, rest):
    os.symlink("in", "link")
    os.symlink("..", "in/up")
    os.symlink(place / "in/p1", "in/p0/down")
    os.symlink("loop", "in/loop")
    os.symlink("no/such", "in/dangling")
    files = plan_files(["in"], "in", ".tiff").files
    name = os.path.join(link, rest, "0001.tiff")
    row = {"input": "in/p1/0001.png", "output": name}
    is_same = os.path.realpath(os.path.dirname(name)) == str(place / "in/p1")
    found = RecordedFiles(files).find(row)
    assert (found is not None) == is_same
    assert not is_same or files.source(found) == row["input"]


@pytest.mark.skipif(sys.platform == "win32", reason="resolved in one step")
def test_rows_of_other_shards_cost_one_look_up_a_folder(tmp_path, monkeypatch):
    files = plan_files([make_archive(tmp_path / "in", 1)], tmp_path / "out", ".png").files
    recorded, calls, lstat = RecordedFiles(files), [], os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: calls.append(path) or lstat(path))
    for index in range(1000):
        name = f"deep/down/p{index}/0000.png"
        row = {"input": str(tmp_path / "in" / name), "output": str(tmp_path / "out" / name)}
        assert recorded.find(row) is None
    assert 1000 <= len(calls) <= 1100


@pytest.mark.parametrize(
    "name", ["\\u0000/a.png", "\\ud800/a.png", "", "/", "../" * 40, "a/" * 3000 + "a.png"]
)
def test_names_that_no_file_can_have_are_passed_over(run, place, name):
    run("in", "--out", "out")
    with open("out/manifest.jsonl", "a") as file:
        for output in (name, "out/p0/0000.png", ""):
            file.write(f'{{"input":"{name}","output":"{output}","status":"written"}}\n')
    report = run("in", "--out", "out")[1]
    assert (report["written"], report["exists"]) == (0, 3)
