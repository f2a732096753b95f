"""A run does not put outputs beside outputs of other inputs that were made with other options."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.cxr_enhance.archive.conftest import contents, make_archive, rows_of

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

OTHER = ["--clip-limit", "3.5"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Make two archives of three images in a folder, which becomes the working folder."""
    make_archive(tmp_path / "in", 3)
    make_archive(tmp_path / "more" / "deep", 3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assert_refused(answer, number, place):
    status, report, err = answer
    assert (status, report) == (2, None)
    assert (
        f"other options than those of the 3 to be made; got {number} with clip_limit 2.0, now 3.5. "
        "Give the options of the earlier run to go on with it, choose another folder, or say "
        "--overwrite to make all outputs of this run's inputs again; it leaves those of other "
        "inputs." in err
    )
    assert not (place / "out/deep").exists()


@pytest.mark.parametrize("form", ["out", "ABSOLUTE/out", "in/../out"])
def test_outputs_of_other_inputs_are_not_joined_by_outputs_of_other_options(run, place, form):
    run("in", "--out", form.replace("ABSOLUTE", str(place)))
    before = contents(place / "out")
    assert_refused(run("more", "--out", "out", *OTHER), 3, place)
    assert contents(place / "out") == before
    assert run("more", "--out", "out")[1]["written"] == 3


def test_shards_of_other_options_are_refused(run, place):
    make_archive(place / "in", 12)
    run("in", "--out", "out", "--shard", "1/2")
    written = len(rows_of(place / "out/manifest-1-of-2.jsonl"))
    status, _, err = run("in", "--out", "out", "--shard", "2/2", *OTHER)
    assert status == 2
    assert f"of the {12 - written} to be made; got {written} with clip_limit 2.0, now 3.5" in err
    assert run("in", "--out", "out", "--shard", "2/2")[1]["written"] == 12 - written


def test_overwriting_is_allowed_and_says_what_else_is_in_the_folder(run, place):
    run("in", "--out", "out")
    report = run("more", "--out", "out", *OTHER, "--overwrite")[1]
    assert (report["written"], report["other_options"]) == (3, ["3 with clip_limit 2.0, now 3.5"])


@pytest.mark.parametrize("form", ["in", "ABSOLUTE/in"])
def test_outputs_that_were_made_again_have_their_new_options(run, place, form):
    run("in", "--out", "out", "--format", "npy")  # all options give the same size
    run(
        form.replace("ABSOLUTE", str(place)),
        "--out",
        "out",
        "--overwrite",
        "--format",
        "npy",
        *OTHER,
    )
    report = run("more", "--out", "out", "--format", "npy", *OTHER)[1]
    assert (report["written"], report["other_options"]) == (3, [])


@pytest.mark.parametrize("options", [["--compression", "small"], ["--modality", "CR"]])
def test_options_that_change_no_output_are_no_others(run, place, options):
    run("in", "--out", "out", *options)
    assert run("more", "--out", "out")[0] == 0


def test_outputs_that_are_gone_or_edited_do_not_count(run, place):
    run("in", "--out", "out")
    (place / "out/p0/0000.png").unlink()
    (place / "out/p1/0001.png").write_bytes(b"edited")
    assert_refused(run("more", "--out", "out", *OTHER), 1, place)
    (place / "out/p2/0002.png").unlink()
    assert run("more", "--out", "out", *OTHER)[1]["written"] == 3


def test_outputs_in_another_folder_do_not_count(run, place):
    run("in", "--out", "elsewhere", "--manifest", "rows.jsonl")
    run("in", "--out", "out-of-another-name", "--manifest", "rows.jsonl")
    assert run("more", "--out", "out", "--manifest", "rows.jsonl", *OTHER)[1]["written"] == 3


def test_failed_files_may_be_tried_again_with_other_options(run, place):
    run("in", "--out", "out")
    (place / "more/bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shutil.rmtree(place / "more/deep")
    assert run("more", "--out", "out")[1]["failed"] == 1
    status, report, _ = run("more", "--out", "out", *OTHER)
    assert (status, report["failed"]) == (1, 1)


@pytest.mark.parametrize("name", ["\0.png", "\ud800.png", "", "/", "p0", 5 * "p0/../"])
def test_edited_rows_with_names_that_no_output_has_do_not_count(run, place, name):
    run("in", "--out", "out")
    row = json.loads((place / "out/manifest.jsonl").read_text().splitlines()[-1])
    row |= {"input": "x.png", "output": os.path.join("out", name), "params": ["?"]}
    with (place / "out/manifest.jsonl").open("a") as file:
        for size in (None, 0, os.lstat(place / "out/p0").st_size):
            file.write(json.dumps(row | {"output_size": size}) + "\n")
    assert_refused(run("more", "--out", "out", *OTHER), 3, place)
