"""A further run does what is missing, changed or failed for a transient reason, and no more."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest

import cxr_enhance as cxe
from cxr_enhance.cli import main
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import contents, make_archive, rows_of
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv


@pytest.fixture
def archive(tmp_path):
    """Make an archive of four images and one broken file."""
    make_archive(tmp_path / "in", 4)
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path / "in"


def inputs_of(archive):
    return sorted(map(str, archive.rglob("*.png")))


def test_a_second_run_does_nothing_and_says_so(run, archive, tmp_path):
    out = tmp_path / "out"
    first = run(archive, "--out", out)
    before = contents(out)
    manifest = (out / "manifest.jsonl").read_bytes()
    status, report, err = run(archive, "--out", out)
    assert first[1]["written"] == 4
    assert (report["written"], report["exists"], report["failed_before"]) == (0, 4, 1)
    assert status == 1  # one image is still failed
    assert err == ""
    assert contents(out) == before
    assert (out / "manifest.jsonl").read_bytes() == manifest


def test_one_row_a_file_with_sizes_and_reason(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out")
    rows = {os.path.relpath(row["input"], archive): row for row in rows_of(tmp_path / "out")}
    assert sorted(rows) == ["broken.png", *(f"p{i % 3}/{i:04}.png" for i in (0, 3, 1, 2))]
    assert rows["broken.png"]["status"] == "failed"
    assert "cut short" in rows["broken.png"]["error"]
    row = rows["p1/0001.png"]
    assert row["input_size"] == (archive / "p1/0001.png").stat().st_size
    assert row["input_mtime_ns"] == (archive / "p1/0001.png").stat().st_mtime_ns
    assert row["output_size"] == (tmp_path / "out/p1/0001.png").stat().st_size
    assert row["seconds"] > 0


def test_a_missing_output_is_made_again(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "p0" / "0000.png").unlink()
    assert run(archive, "--out", tmp_path / "out")[1]["written"] == 1
    assert contents(tmp_path / "out") == before


def test_an_output_emptied_by_a_power_cut_is_made_again(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "p0" / "0000.png").write_bytes(b"")
    assert run(archive, "--out", tmp_path / "out")[1]["written"] == 1
    assert contents(tmp_path / "out") == before


def test_a_changed_input_is_done_again(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out")
    new = synthetic_radiograph(60, 50, seed=99)
    cxe.write_image(archive / "p0" / "0000.png", new)
    report = run(archive, "--out", tmp_path / "out")[1]
    assert (report["written"], report["changed"], report["exists"]) == (1, 1, 3)
    assert_same_image(cxe.read_image(tmp_path / "out/p0/0000.png"), cxe.enhance(new))


def test_an_output_that_someone_edited_is_left_alone(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out")
    (tmp_path / "out/p0/0000.png").write_bytes(b"precious")
    cxe.write_image(archive / "p0" / "0000.png", synthetic_radiograph(60, 50, seed=99))
    report = run(archive, "--out", tmp_path / "out")[1]
    assert (report["written"], report["edited_outputs"]) == (0, 1)
    assert (tmp_path / "out/p0/0000.png").read_bytes() == b"precious"


def test_an_edited_output_whose_input_has_changed_is_named_and_fails_the_run(
    run, archive, tmp_path
):
    source, out = archive / "p0/0000.png", tmp_path / "out"
    run(source, "--out", out)
    (out / "0000.png").write_bytes(b"precious")
    status, report, err = run(source, "--out", out)
    assert (status, report["edited_outputs"], err) == (0, 1, "")
    enhanced = change(source)
    status, report, err = run(source, "--out", out)
    assert (status, report["edited_outputs_of_changed_inputs"]) == (1, 1)
    assert "their inputs have changed, and the outputs are not as a run wrote them" in err
    assert (out / "0000.png").read_bytes() == b"precious"
    (out / "0000.png").rename(out / "kept")
    assert run(source, "--out", out)[0] == 0
    assert_same_image(cxe.read_image(out / "0000.png"), enhanced)


def test_an_output_that_was_there_before_is_left_alone(run, archive, tmp_path):
    (tmp_path / "out/p0").mkdir(parents=True)
    (tmp_path / "out/p0/0000.png").write_bytes(b"precious")
    for _ in range(2):
        report = run(archive, "--out", tmp_path / "out")[1]
        assert (tmp_path / "out/p0/0000.png").read_bytes() == b"precious"
    assert report["exists"] == 4


def test_failed_files_wait_until_asked_for_or_changed(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out")
    size = (archive / "broken.png").stat().st_size
    assert run(archive, "--out", tmp_path / "out")[2] == ""
    again = run(archive, "--out", tmp_path / "out", "--retry-failed")
    assert "cut short" in again[2]
    done, retried = rows_of(tmp_path / "out")[:-1], rows_of(tmp_path / "out")[-1]
    assert sorted(row["input"] for row in done) == inputs_of(archive)
    assert (retried["input"], retried["status"]) == (str(archive / "broken.png"), "failed")
    shutil.copy(archive / "p0/0000.png", archive / "broken.png")
    status, report, _ = run(archive, "--out", tmp_path / "out")
    assert (archive / "broken.png").stat().st_size != size
    assert (status, report["written"], report["changed"]) == (0, 1, 1)


def test_failed_files_are_tried_again_under_other_options(run, tmp_path):
    cxe.write_image(tmp_path / "in.png", synthetic_radiograph(60, 50, bits=16))
    out = tmp_path / "out"
    assert run(tmp_path / "in.png", "--out", out, "--format", "jpeg")[0] == 1
    status, report, _ = run(
        tmp_path / "in.png", "--out", out, "--format", "jpeg", "--preset", "mimic-cxr-jpg"
    )
    assert (status, report["written"]) == (0, 1)


def test_passing_failures_are_tried_again(run, archive, tmp_path, monkeypatch):
    from cxr_enhance.archive import task

    def fails(*_):
        raise OSError(5, "Input/output error", "x")

    with monkeypatch.context() as patch:
        patch.setattr(task, "read_if_image", fails)
        assert run(archive, "--out", tmp_path / "out")[1]["failed"] == 5
    status, report, _ = run(archive, "--out", tmp_path / "out")
    assert (report["written"], report["failed"], report["failed_before"]) == (4, 1, 0)
    assert status == 1


def test_changed_options_are_noticed_and_named(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out")
    report = run(archive, "--out", tmp_path / "out", "--clip-limit", "3.5")[1]
    assert report["exists"] == 4
    assert report["other_options"] == ["4 with clip_limit 2.0, now 3.5"]
    report = run(archive, "--out", tmp_path / "out", "--clip-limit", "3.5", "--overwrite")[1]
    assert (report["written"], report["other_options"]) == (4, [])
    assert run(archive, "--out", tmp_path / "out", "--clip-limit", "3.5")[1]["other_options"] == []


def test_a_run_is_not_gone_on_with_under_other_options(run, archive, tmp_path):
    out = tmp_path / "out"
    run(archive, "--out", out)
    (out / "p1/0001.png").unlink()
    before = contents(out)
    rows = len(rows_of(out))
    status, report, err = run(archive, "--out", out, "--clip-limit", "3.5", "--quiet")
    assert (status, report) == (2, None)
    assert (
        "`--out` must not hold outputs of other options than those of the 1 to be made; got 3 with "
        "clip_limit 2.0, now 3.5. Give the options of the earlier run to go on with it"
    ) in err
    assert run(archive, "--out", out, "--clip-limit", "3.5", "--dry-run")[0] == 2
    assert (contents(out), len(rows_of(out))) == (before, rows)
    assert run(archive, "--out", out)[1]["written"] == 1
    report = run(archive, "--out", out, "--clip-limit", "3.5", "--overwrite")[1]
    assert (report["written"], report["other_options"]) == (4, [])


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (["--size", "40", "40"], ["--size", "40", "40", "--fit", "pad"]),
        (["--size", "40", "40"], ["--size", "40", "50"]),
        ([], ["--crop-border"]),
        ([], ["--invert", "auto"]),
    ],
)
def test_new_files_are_not_put_beside_outputs_of_another_geometry(
    run, archive, tmp_path, first, then
):
    out = tmp_path / "out"
    run(archive, "--out", out, *first)
    cxe.write_image(archive / "new.png", synthetic_radiograph(60, 50, seed=9))
    status, _, err = run(archive, "--out", out, *then)
    assert status == 2
    assert "than those of the 1 to be made; got 4 with" in err
    assert not (out / "new.png").exists()


def test_failed_files_may_be_tried_again_under_other_options_beside_outputs(run, archive, tmp_path):
    out = tmp_path / "out"
    run(archive, "--out", out)
    shutil.copy(archive / "p0/0000.png", tmp_path / "whole.png")
    status, report, err = run(archive, "--out", out, "--clip-limit", "3.5")
    assert status == 1
    assert "cut short" in err
    assert report["other_options"] == ["4 with clip_limit 2.0, now 3.5"]


def test_outputs_compressed_otherwise_hold_the_same_pixels_and_stay(run, archive, tmp_path):
    out = tmp_path / "out"
    run(archive, "--out", out, "--compression", "small")
    before = contents(out)
    status, report, _ = run(archive, "--out", out)
    assert (status, report["exists"], report["written"]) == (1, 4, 0)  # 1: the broken file
    assert (report["failed_before"], report["other_options"]) == (1, [])
    assert contents(out) == before


def test_an_output_kept_because_other_options_failed_is_named(run, archive, tmp_path):
    source, out = archive / "p0/0000.png", tmp_path / "out"
    run(source, "--out", out)
    assert run(source, "--out", out, "--overwrite", "--frame", 3)[1]["failed"] == 1
    report = run(source, "--out", out, "--frame", 3)[1]
    assert (report["failed_before"], report["other_options"]) == (1, ["1 with frame 0, now 3"])


def test_shards_share_the_work_and_a_whole_run_then_finds_all_done(run, tmp_path, monkeypatch):
    make_archive(tmp_path / "in", 30)
    out = tmp_path / "out"
    written = [run(tmp_path / "in", "--out", out, "--shard", f"{i}/3")[1] for i in (1, 2)]
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "10")
    written.append(run(tmp_path / "in", "--out", out)[1])
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    assert [report["shard"] for report in written] == [[1, 3], [2, 3], [3, 3]]
    assert sum(report["written"] for report in written) == 30
    assert all(report["written"] for report in written)
    report = run(tmp_path / "in", "--out", out)[1]
    assert (report["written"], report["exists"]) == (0, 30)


def redo_in_shards(run, tmp_path):
    """Enhance six images, change all of them, redo them in two shards, then change one of them."""
    make_archive(tmp_path / "in", 6)
    run(tmp_path / "in", "--out", tmp_path / "out")
    make_archive(tmp_path / "in", 6, height=80)
    for shard in ("1/2", "2/2"):
        run(tmp_path / "in", "--out", tmp_path / "out", "--shard", shard)
    change(tmp_path / "in/p0/0000.png", seed=98)


def test_rows_of_shards_count_after_the_older_rows_of_a_manifest_that_grew_later(run, tmp_path):
    redo_in_shards(run, tmp_path)
    out = tmp_path / "out"
    assert run(tmp_path / "in", "--out", out)[1]["written"] == 1
    enhanced = change(tmp_path / "in/p1/0001.png")
    status, report, _ = run(tmp_path / "in", "--out", out)
    assert (status, report["written"], report["changed"], report["edited_outputs"]) == (0, 1, 1, 0)
    assert_same_image(cxe.read_image(out / "p1/0001.png"), enhanced)


def test_of_rows_without_a_time_the_one_that_agrees_with_the_output_counts(run, tmp_path):
    redo_in_shards(run, tmp_path)
    out = tmp_path / "out"
    paths = [out / "manifest-1-of-2.jsonl", out / "manifest-2-of-2.jsonl", out / "manifest.jsonl"]
    for path in paths:  # as an older version wrote them; the oldest rows in the newest file
        path.write_text(re.sub(r',"time_ns":\d+', "", path.read_text()))
    enhanced = change(tmp_path / "in/p1/0001.png")
    status, report, _ = run(tmp_path / "in", "--out", out)
    assert (status, report["written"], report["changed"], report["edited_outputs"]) == (0, 2, 2, 0)
    assert_same_image(cxe.read_image(out / "p1/0001.png"), enhanced)


def test_a_dry_run_writes_nothing(run, archive, tmp_path, capfd):
    status, report, _ = run(archive, "--out", tmp_path / "out", "--dry-run")
    assert status == 0
    assert sorted(file["source"] for file in report["todo"]) == inputs_of(archive)
    assert not (tmp_path / "out").exists()


def test_a_manifest_can_lie_elsewhere(run, archive, tmp_path):
    run(archive, "--out", tmp_path / "out", "--manifest", tmp_path / "rows.jsonl")
    assert not (tmp_path / "out" / "manifest.jsonl").exists()
    rows = rows_of(tmp_path / "rows.jsonl")
    assert sorted(row["input"] for row in rows) == inputs_of(archive)
    again = run(archive, "--out", tmp_path / "out", "--manifest", tmp_path / "rows.jsonl")
    assert again[1]["exists"] == 4


@pytest.mark.parametrize("kind", ["list", "csv"])
def test_lists_of_files_are_read_and_their_tree_kept(run, archive, tmp_path, kind):
    names = [str(archive / "p1/0001.png"), str(archive / "p0/0003.png"), str(archive / "gone.png")]
    if kind == "list":
        (tmp_path / "list.txt").write_text("\n".join(names) + "\n\n")
        options = ["--from", tmp_path / "list.txt"]
    else:
        rows = ["patient,path", *(f"7,{name}" for name in names)]
        (tmp_path / "list.csv").write_text("\n".join(rows))
        options = ["--from", tmp_path / "list.csv", "--column", "path"]
    status, report, err = run(*options, "--out", tmp_path / "out")
    assert (status, report["written"], report["failed"]) == (1, 2, 1)
    assert "gone.png: No such file or directory" in err
    assert sorted(contents(tmp_path / "out")) == ["p0/0003.png", "p1/0001.png"]
    assert sorted(row["input"] for row in rows_of(tmp_path / "out")) == sorted(names)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "`INPUT`, `--from` or `--records` must be given"),
        (["x", "--column", "a"], "`--column` is only allowed with --from"),
        (["x", "--scheduler", "tcp://a:1"], "`--scheduler` is only allowed with --engine dask"),
        (["x", "--shard", "0/3"], "`--shard` must be I/N with 1 <= I <= N; got '0/3'"),
        (["x", "--long-side", "5", "--size", "5", "5"], "`--long-side` must not be given with --s"),
        (["x", "--long-side", "0"], "`--long-side` must be from 1 to 65535; got 0"),
        (["x", "--resize-first"], "`--resize-first` is only allowed with --long-side, --size or"),
        (["x", "--fit", "pad"], "`--fit` pad is only allowed with --size."),
        (["x", "--fit", "crop", "--long-side", "5"], "`--fit` crop is only allowed with --size."),
        (["x", "--spacing", "0"], "`--spacing` must be a positive number of millimetres; got 0"),
        (
            ["x", "--spacing", "0.2", "--size", "5", "5"],
            "`--spacing` is only allowed without --long-side and --size.",
        ),
        (
            ["x", "--strip-identity"],
            "`--strip-identity` is only allowed with --format dicom; got --format png",
        ),
        (
            ["x", "--quality", "90"],
            "`--quality` is only allowed with --format jpeg; got --format png",
        ),
        (
            ["x", "--compression", "small", "--format", "npy"],
            "`--compression` is only allowed with --format png; got --format npy",
        ),
        (
            ["x", "--compression", "fast", "--preset", "mimic-cxr-jpg"],
            "`--compression` is only allowed with --format png; got --format jpeg",
        ),
        (["x", "--max-pixels", "0"], "`max_pixels` must be at least 1; got 0"),
        (
            ["x", "--manifest", "."],
            "`--manifest` must name a file in a folder that exists; got '.'",
        ),
        (["x", "--manifest", "no/m"], "`--manifest` must name a file in a folder that exists; got"),
        (["x", "--frame", "-1"], "`frame` must be at least 0; got -1"),
        (
            ["x", "--preset", "mimic-cxr-jpg", "--clip-limit", "1"],
            "`--preset mimic-cxr-jpg` is only allowed without",
        ),
        (["--from", "empty.txt"], "`--from` must name a list of at least one file"),
        (["--from", "nul.txt"], "`--from` must name a list of one file a line; got 'nul.txt' with"),
        (["--from", "two.csv"], "`--column` must name the column of 'two.csv' that holds the f"),
        (["--from", "two.csv", "--column", "c"], "`--column` must be one of a, b; got 'c'"),
    ],
)
def test_contradictions_are_sentences_and_status_2(run, tmp_path, monkeypatch, options, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "nul.txt").write_text("a.png\0b.png\0")
    (tmp_path / "two.csv").write_text("a,b\n1,2\n")
    status, _, err = run(*options, "--out", "out")
    assert status == 2
    assert err.startswith(f"Error: {sentence}")
    assert not (tmp_path / "out").exists()


def test_a_manifest_that_is_another_file_is_a_sentence(run, archive, tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary\n")
    status, _, err = run(archive, "--out", tmp_path / "out", "--manifest", tmp_path / "diary.txt")
    assert status == 2
    assert "`--manifest` must name a new file or a manifest" in err
    assert (tmp_path / "diary.txt").read_text() == "dear diary\n"


@pytest.mark.parametrize("name", ["in/empty.png", "in/p0/0000.png", "in/plain"])
def test_a_manifest_that_is_an_input_stays_as_it_is(run, archive, tmp_path, name):
    (archive / "empty.png").touch()
    (archive / "plain").touch()
    before = (tmp_path / name).read_bytes()
    (tmp_path / "link").symlink_to(name)
    for path in (tmp_path / name, tmp_path / "link"):
        status, _, err = run(archive, tmp_path / name, "--out", tmp_path / "o", "--manifest", path)
        assert status == 2
        assert err.startswith("Error: `--manifest` must not be an input; got")
        assert (tmp_path / name).read_bytes() == before


def test_a_manifest_that_is_an_output_is_a_sentence(run, archive, tmp_path):
    (tmp_path / "o" / "p0").mkdir(parents=True)
    manifest = tmp_path / "o" / "p0" / "0000.png"
    status, _, err = run(archive, "--out", tmp_path / "o", "--manifest", manifest)
    assert (status, err) == (
        2,
        f"Error: `--manifest` must not be an output; got {str(manifest)!r}.\n",
    )
    assert not manifest.exists()


def test_a_manifest_may_lie_in_the_folder_that_is_read(run, archive, tmp_path):
    for _ in range(2):
        report = run(archive, "--out", tmp_path / "o", "--manifest", archive / "rows.jsonl")[1]
    assert (report["exists"], report["skipped"]) == (4, 1)


def append_row(out, **changes):
    """Append a row like the last one of a manifest."""
    rows = (out / "manifest.jsonl").read_text().splitlines()
    row = {**json.loads(rows[-1]), **changes}
    with open(out / "manifest.jsonl", "a") as file:
        file.write(json.dumps(row, separators=(",", ":")) + "\n")


def change(path, seed=99):
    """Make another image of an input, of another time."""
    new = synthetic_radiograph(60, 50, seed=seed)
    cxe.write_image(path, new)
    return cxe.enhance(new)


def test_a_row_of_a_run_that_found_the_output_hides_no_change(run, archive, tmp_path):
    """As two runs at once leave it, the later one having looked at the input as it now is."""
    run(archive / "p0/0000.png", "--out", tmp_path / "out")
    enhanced = change(archive / "p0/0000.png")
    status = (archive / "p0/0000.png").stat()
    append_row(
        tmp_path / "out", status="exists", output_size=None, input_size=status.st_size,
        input_mtime_ns=status.st_mtime_ns,
    )  # fmt: skip
    report = run(archive / "p0/0000.png", "--out", tmp_path / "out")[1]
    assert (report["written"], report["changed"]) == (1, 1)
    assert_same_image(cxe.read_image(tmp_path / "out/0000.png"), enhanced)


def test_an_input_that_failed_in_between_is_done_again_when_mended(run, archive, tmp_path):
    source, out = archive / "p0/0000.png", tmp_path / "out"
    run(source, "--out", out)
    source.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(source, "--out", out)[1]["failed"] == 1
    enhanced = change(source)
    assert run(source, "--out", out)[1]["written"] == 1
    assert_same_image(cxe.read_image(out / "0000.png"), enhanced)


def test_outputs_that_no_run_recorded_are_named_and_those_out_of_date_fail(
    run, archive, tmp_path, capfd
):
    source, out = archive / "p0/0000.png", tmp_path / "out"
    out.mkdir()
    (out / "0000.png").write_bytes(b"precious")
    for _ in range(2):
        status, report, err = run(source, "--out", out)
        assert (status, err) == (0, "")
        assert report["unrecorded_outputs"] == 1
        assert report["unrecorded_outputs_of_changed_inputs"] == 0
    main(["run", str(source), "--out", str(out)])
    assert (
        "1 outputs exist that no run is known to have written for these inputs; they may be of "
        "other inputs or options, or folders were moved; --overwrite makes them again"
    ) in capfd.readouterr().out
    enhanced = change(source)
    for _ in range(2):
        status, report, err = run(source, "--out", out)
        assert (status, report["unrecorded_outputs_of_changed_inputs"]) == (1, 1)
        assert err.startswith("1 outputs are not up to date: their inputs have changed")
        assert (out / "0000.png").read_bytes() == b"precious"
    assert run(source, "--out", out, "--overwrite")[0] == 0
    assert_same_image(cxe.read_image(out / "0000.png"), enhanced)
    assert run(source, "--out", out)[1]["unrecorded_outputs"] == 0


@pytest.mark.parametrize("seconds", [-(10**9), -1, 0, 16_725_225_600])  # 1938 to 2500
def test_inputs_of_any_date_are_not_done_again(run, archive, tmp_path, seconds):
    os.utime(archive / "p0/0000.png", (seconds, seconds))
    run(archive, "--out", tmp_path / "out")
    report = run(archive, "--out", tmp_path / "out")[1]
    assert (report["written"], report["changed"], report["exists"]) == (0, 0, 4)


def test_an_input_that_is_not_there_makes_no_folder(run, tmp_path):
    status, report, err = run(tmp_path / "mistyped", "--out", tmp_path / "out")
    assert (status, report["failed"], report["written"]) == (1, 1, 0)
    assert err == f"failed: {tmp_path / 'mistyped'}: does not exist.\n"
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_makes_no_folder(run, tmp_path, capfd):
    (tmp_path / "in").mkdir()
    assert main(["run", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    assert "no file was found, nothing was written" in capfd.readouterr().out
    assert not (tmp_path / "out").exists()
