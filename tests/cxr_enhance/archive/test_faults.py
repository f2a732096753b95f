"""Whatever happens to a run, outputs are whole, originals untouched, and the next run completes."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

import cxr_enhance as cxe
from cxr_enhance.archive import task
from cxr_enhance.archive.engines.local import LocalEngine
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.manifest import ManifestWriter
from cxr_enhance.archive.outcome import ends_run, is_transient
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.archive.workspace import FileId, unrecorded_outputs, workspace
from tests.cxr_enhance.archive.conftest import contents, make_archive, outputs_in, rows_of
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import module_command, run_code, run_module, run_program
from tests.helpers.full_disk import full_disk
from tests.helpers.permissions import needs_permissions

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = [
    pytest.mark.opencv,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and locks"),
]


def wait_for(condition, running, seconds=60):
    """Wait until `condition` holds or the process ends."""
    give_up = time.monotonic() + seconds
    while running.poll() is None and not condition() and time.monotonic() < give_up:
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_at_ten_random_moments_and_resumed_the_result_is_that_of_an_undisturbed_run(
    run, start, tmp_path
):
    make_archive(tmp_path / "in", 150, 300, 300)
    assert run(tmp_path / "in", "--out", tmp_path / "undisturbed")[0] == 0
    undisturbed = contents(tmp_path / "undisturbed")
    out = tmp_path / "out"
    chance = random.Random(7)
    kills = 0
    for _ in range(10):
        running = start("run", tmp_path / "in", "--out", out, "--threads", "2")
        before = outputs_in(out)
        wanted = chance.randrange(3)
        wait_for(lambda before=before, wanted=wanted: outputs_in(out) > before + wanted, running)
        time.sleep(chance.uniform(0, 0.02))
        running.kill()
        running.wait()
        kills += running.returncode == -signal.SIGKILL
        for path in out.rglob("*.png"):
            assert path.read_bytes() == undisturbed[os.path.relpath(path, out)]
    assert kills == 10
    assert 0 < outputs_in(out) < 150  # else the kills came too late to matter
    assert run(tmp_path / "in", "--out", out)[0] == 0
    assert contents(out) == undisturbed
    last = {row["input"]: row["status"] for row in rows_of(out)}
    assert len(last) == 150
    assert set(last.values()) <= {"written", "exists"}


SMALL_DISK = ["mount", "-t", "tmpfs", "-o", "size=300k", "none"]
RUN_ON_SMALL_DISK = f"""
disk=$1 kept=$2
shift 2
{" ".join(SMALL_DISK)} "$disk" || exit
"$@"
status=$?
cp -a "$disk" "$kept"  # the disk is gone when this shell has ended
exit $status
"""


@pytest.mark.slow
def test_a_full_disk_stops_with_a_clear_error_and_nothing_corrupt(tmp_path, start):
    disk, kept_there = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    apart = [shutil.which("unshare") or "false", "--user", "--map-root-user", "--mount"]
    if run_program(*apart, *SMALL_DISK, disk, status=None).returncode:
        pytest.skip("no small file system can be mounted here")
    make_archive(tmp_path / "in", 20, 200, 200)
    shell = [*apart, "sh", "-c", RUN_ON_SMALL_DISK, "sh", disk, kept_there]
    command = ["run", tmp_path / "in", "--out", disk, "--threads", "2"]
    done = run_program(*shell, *module_command("cxr_enhance"), *command, status=1)
    assert "No space left on device" in done.stderr
    assert "no further image can be read or written; the run ends here" in done.stderr
    assert "ended early with" in done.stdout
    kept = contents(kept_there)
    assert 0 < len(kept) < 20
    for name, data in kept.items():
        assert name.endswith(".png")  # nothing temporary
        assert_same_image(cxe.read_image(data), cxe.enhance(cxe.read_image(tmp_path / "in" / name)))
    assert all(row["retry"] for row in rows_of(kept_there) if row["status"] == "failed")


def test_outputs_beyond_a_limit_of_the_size_of_files_are_made_once_it_is_lifted(run, tmp_path):
    make_archive(tmp_path / "in", 2)
    make_archive(tmp_path / "in/large", 1, height=300, width=300)
    words = [tmp_path / "in", "--out", tmp_path / "out"]
    with full_disk(10_000):
        status, report, err = run(*words)
    assert (status, report["written"], report["failed"]) == (1, 2, 1)
    assert "File too large" in err
    status, report, _ = run(*words)
    assert (status, report["written"], report["exists"], report["failed"]) == (0, 1, 2, 0)


def test_after_a_full_disk_the_next_run_completes(run, tmp_path, monkeypatch):
    make_archive(tmp_path / "in", 12)
    written = []
    real_write = task.write_atomically

    def full(path, *arguments, **options):
        if len(written) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        written.append(path)
        real_write(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(task, "write_atomically", full)
        status, report, err = run(tmp_path / "in", "--out", tmp_path / "out", "--threads", "1")
    assert (status, report["ended_early"], report["written"]) == (1, True, 3)
    assert err.count("No space left") == 1
    status, report, _ = run(tmp_path / "in", "--out", tmp_path / "out")
    assert (status, report["written"], report["exists"]) == (0, 9, 3)


def test_every_kind_of_bad_file_is_one_row(run, tmp_path):
    from tests.helpers.dicom_files import data_set, saved

    uid = pytest.importorskip("pydicom").uid
    folder = make_archive(tmp_path / "in", 1)
    image = cxe.read_image(folder / "p0" / "0000.png")
    whole = (folder / "p0" / "0000.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[:200])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.dcm").write_text("no image")
    (folder / "wrong.jpg").write_bytes(whole)  # a PNG: read all the same
    (folder / "bomb.dcm").write_bytes(saved(data_set(image, Rows=65_000, Columns=65_000)))
    (folder / "video.dcm").write_bytes(saved(data_set(image), uid.MPEG2MPML, [b"\0\0\1\xb3"]))
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "loop").symlink_to(".")
    os.mkfifo(folder / "pipe")
    status, _, err = run(folder, "--out", tmp_path / "out")
    assert status == 1
    assert len(err.splitlines()) == 6
    rows = rows_of(tmp_path / "out")
    assert sorted((os.path.relpath(row["input"], folder), row["status"]) for row in rows) == [
        ("bomb.dcm", "failed"), ("empty.png", "failed"), ("loop", "skipped"),
        ("loop.png", "failed"), ("p0/0000.png", "written"), ("pipe", "skipped"),
        ("text.dcm", "failed"), ("truncated.png", "failed"), ("video.dcm", "failed"),
        ("wrong.jpg", "written"),
    ]  # fmt: skip
    assert all(row["error"] for row in rows if row["status"] != "written")


@pytest.mark.slow
def test_two_runs_at_once_do_not_damage_each_other(run, start, tmp_path):
    make_archive(tmp_path / "in", 40, 200, 200)
    run(tmp_path / "in", "--out", tmp_path / "alone")
    out = tmp_path / "out"
    both = [start("run", tmp_path / "in", "--out", out, "--json", *more)
            for more in ([], ["--overwrite"])]  # fmt: skip
    for running in both:
        stdout, stderr = running.communicate(timeout=60)
        assert (running.returncode, stderr) == (0, b"")
        report = json.loads(stdout)
        assert report["written"] + report["exists"] == 40
    assert contents(out) == contents(tmp_path / "alone")
    assert {row["input"] for row in rows_of(out)} == {
        row["input"] for row in rows_of(tmp_path / "alone")
    }


def test_an_output_written_over_before_its_row_is_known_by_the_other_runs_options(
    run, start, tmp_path, monkeypatch
):
    source, out = make_archive(tmp_path / "in", 1) / "p0" / "0000.png", tmp_path / "out"
    real = ManifestWriter.add

    def add_after_another_run(self, outcome):
        other = start("run", source, "--out", out, "--overwrite", "--clip-limit", "5")
        assert other.wait(60) == 0
        return real(self, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(ManifestWriter, "add", add_after_another_run)
        status, report, _ = run(source, "--out", out)
    assert (status, report["written"], report["exists"]) == (0, 0, 1)
    expected = cxe.enhance(cxe.read_image(source), cxe.EnhanceParams(clip_limit=5.0))
    assert_same_image(cxe.read_image(out / "0000.png"), expected)
    report = run(source, "--out", out)[1]
    assert report["other_options"] == ["1 with clip_limit 5.0, now 2.0"]
    assert (report["edited_outputs"], report["unrecorded_outputs"]) == (0, 0)


def test_what_a_killed_run_left_goes_and_what_a_living_one_holds_stays(tmp_path):
    with workspace(str(tmp_path)) as living:
        code = (
            "import os, sys\nfrom cxr_enhance.archive.workspace import workspace\n"
            "with workspace(sys.argv[1]) as folder:\n"
            "    open(os.path.join(folder, 'half'), 'w').close()\n"
            "    print(folder, flush=True)\n    os.kill(os.getpid(), 9)\n"
        )
        abandoned = run_code(code, tmp_path, status=-signal.SIGKILL).stdout.strip()
        assert Path(abandoned, "half").exists()
        with workspace(str(tmp_path)):
            assert not os.path.exists(abandoned)
            assert os.path.exists(living)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_an_output_whose_run_was_killed_before_its_row_is_known_for_ours(run, tmp_path, options):
    source, out = make_archive(tmp_path / "in", 1) / "p0" / "0000.png", tmp_path / "out"
    if options:
        run(source, "--out", out)
        os.utime(source)
    code = (
        "import os, sys\n"
        "from cxr_enhance.archive.manifest import ManifestWriter\n"
        "ManifestWriter.add = lambda *_: os.kill(os.getpid(), 9)\n"
        "from cxr_enhance.cli import main\n"
        "main(['run', *sys.argv[1:]])\n"
    )
    run_code(code, source, "--out", out, *options, status=-signal.SIGKILL)
    assert outputs_in(out) >= 1
    new = cxe.read_image(source)[::-1]
    cxe.write_image(source, new)
    status, report, _ = run(source, "--out", out)
    assert (status, report["written"], report["unrecorded_outputs"]) == (0, 1, 0)
    assert list(contents(out)) == ["0000.png"]  # the proof is gone
    assert_same_image(cxe.read_image(out / "0000.png"), cxe.enhance(new))
    assert run(source, "--out", out)[1]["exists"] == 1


def test_proof_of_an_output_outlives_a_run_that_does_not_do_it_again(tmp_path):
    with workspace(str(tmp_path)) as folder:
        Path(folder, "link").write_bytes(b"")
        os.link(Path(folder, "link"), tmp_path / "output")
        assert unrecorded_outputs(str(tmp_path)) == set()  # its run may record it yet
    status = os.stat(tmp_path / "output")
    for _ in range(2):
        assert unrecorded_outputs(str(tmp_path)) == {FileId(status.st_dev, status.st_ino)}
        with workspace(str(tmp_path)):
            pass
    (tmp_path / "output").unlink()
    with workspace(str(tmp_path)):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_memory_stays_flat(tmp_path, start):
    """Over 2,000 files; the benchmark does 20,000."""
    make_archive(tmp_path / "in", 1)
    data = (tmp_path / "in" / "p0" / "0000.png").read_bytes()
    for index in range(2000):
        (tmp_path / "in" / f"{index}.png").write_bytes(data)
    out = tmp_path / "out"
    running = start("run", tmp_path / "in", "--out", out, "--threads", "2")

    def resident():
        with open(f"/proc/{running.pid}/statm") as file:
            return int(file.read().split()[1])

    peaks = []
    for count in (1000, 1950):
        wait_for(lambda count=count: outputs_in(out) >= count, running)
        peaks.append(resident())
    assert running.wait(60) == 0
    assert peaks[1] <= 1.05 * peaks[0]


@pytest.mark.slow
def test_plans_resumes_and_sums_up_in_time_and_memory_like_those_of_reading_the_rows(tmp_path):
    """For 40,000 rows, of which the manifest is read twice; the benchmark does a million."""
    found = json.loads(run_module("benchmarks.files.archive_rows", 40_000, tmp_path).stdout)
    assert found["settled"] == found["summarised"] == 40_000
    # All three together took ten times the CPU time of `json.loads`, in runs with and without load.
    assert found["cpu_s"] < 15 * found["reading_cpu_s"]
    assert found["grown_mib"] < 500 * 40_000 / 1_000_000


def test_an_engine_whose_run_ends_waits_for_what_is_begun_alone(tmp_path):
    folder = make_archive(tmp_path / "in", 30)
    files = [
        PlannedFile(
            str(path), str(tmp_path / "out" / f"{number}.png"), is_named_by_user=True, replace=False
        )
        for number, path in enumerate(sorted(folder.rglob("*.png")))
    ]
    engine, recorded, times = LocalEngine(2), [], []

    def record(outcome):
        recorded.append(outcome)
        times.append(time.monotonic())
        return True

    engine.run(files, Job(params=cxe.EnhanceParams()), None, record)
    assert not engine.is_busy
    assert time.monotonic() - times[0] < 0.5
    assert len(recorded) == outputs_in(tmp_path / "out") < 30


def report_object(sop_class, name="SECRET^NAME", **elements):
    """Make the content of a DICOM object without an image."""
    from tests.helpers.dicom_files import saved

    data_set = pytest.importorskip("pydicom").Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID, data_set.PatientName = sop_class, "1.2.3", name
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    return saved(data_set)


def test_a_tree_as_a_pacs_exports_it_ends_well(run, tmp_path):
    uid = pytest.importorskip("pydicom").uid
    from tests.helpers.dicom_files import data_set, saved

    folder = make_archive(tmp_path / "in", 1)
    image = cxe.read_image(folder / "p0" / "0000.png")
    (folder / "IM000001").write_bytes(saved(data_set(image)))
    objects = {
        "SR000001": uid.BasicTextSRStorage,
        "PR000001.dcm": uid.GrayscaleSoftcopyPresentationStateStorage,
        "KO000001": uid.KeyObjectSelectionDocumentStorage,
        "PDF.dcm": uid.EncapsulatedPDFStorage,
        "RT.dcm": uid.RTPlanStorage,
        "PRIVATE": "1.3.12.2.1107.5.9.1",
    }
    for name, sop_class in objects.items():
        (folder / name).write_bytes(report_object(sop_class))
    directory = report_object(uid.MediaStorageDirectoryStorage)  # tells its class in the meta alone
    at = directory.index(b"\x08\0\x16\0UI")
    (folder / "DICOMDIR").write_bytes(directory[:at] + directory[at + 8 + directory[at + 6] :])
    status, report, err = run(folder, "--out", tmp_path / "out")
    assert (status, err, report["failed"]) == (0, "", 0)
    assert (report["written"], report["skipped"]) == (2, 7)
    reasons = {os.path.basename(row["input"]): row["error"] for row in rows_of(tmp_path / "out")}
    assert uid.BasicTextSRStorage in reasons["SR000001"]
    assert uid.MediaStorageDirectoryStorage in reasons["DICOMDIR"]
    status, report, _ = run(folder / "SR000001", "--out", tmp_path / "named")
    assert (status, report["skipped"]) == (0, 1)


def test_an_image_that_lost_its_pixels_and_a_cut_report_fail(run, tmp_path):
    uid = pytest.importorskip("pydicom").uid
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "no_pixels").write_bytes(report_object(uid.ComputedRadiographyImageStorage))
    (tmp_path / "in" / "no_rows").write_bytes(report_object(uid.BasicTextSRStorage, Rows=5))
    (tmp_path / "in" / "cut").write_bytes(report_object(uid.BasicTextSRStorage)[:-3])
    status, report, _ = run(tmp_path / "in", "--out", tmp_path / "out")
    assert (status, report["failed"]) == (1, 3)


def acting_once(monkeypatch, name, action, after=3):
    """Have `action` done before the call of a function of `task` that comes after so many."""
    real, calls = getattr(task, name), []

    def acting(*arguments, **options):
        calls.append(1)
        if len(calls) == after + 1:
            action()
        return real(*arguments, **options)

    monkeypatch.setattr(task, name, acting)


@pytest.mark.parametrize("what", ["in", "out", "out/manifest.jsonl"])
@pytest.mark.parametrize("moment", ["read_if_image", "write_atomically"])
def test_what_vanishes_ends_the_run_and_the_next_one_completes(
    run, tmp_path, monkeypatch, what, moment
):
    make_archive(tmp_path / "in", 12)
    out, away = tmp_path / "out", tmp_path / "away"
    with monkeypatch.context() as patch:
        acting_once(patch, moment, lambda: (tmp_path / what).rename(away))
        status, report, err = run(tmp_path / "in", "--out", out, "--threads", "1")
    assert (status, report["ended_early"]) == (1, True)
    assert len(err.splitlines()) == 2
    assert err.endswith("Error: no further image can be read or written; the run ends here.\n")
    assert what == "in" or not (tmp_path / what).exists()  # nothing is made in its place
    away.rename(tmp_path / what)
    status, report, _ = run(tmp_path / "in", "--out", out)
    assert (status, report["written"] + report["exists"]) == (0, 12)
    assert report["unrecorded_outputs"] == 0
    assert outputs_in(out) == 12


def test_an_input_disk_that_was_unmounted_ends_the_run(run, tmp_path, monkeypatch):
    make_archive(tmp_path / "in", 12)

    def unmount():
        (tmp_path / "in").rename(tmp_path / "disk")
        (tmp_path / "in").mkdir()

    with monkeypatch.context() as patch:
        acting_once(patch, "read_if_image", unmount)
        _, report, err = run(tmp_path / "in", "--out", tmp_path / "out", "--threads", "1")
    assert report["ended_early"]
    assert "is gone or empty" in err
    (tmp_path / "in").rmdir()
    (tmp_path / "disk").rename(tmp_path / "in")
    assert run(tmp_path / "in", "--out", tmp_path / "out")[1]["written"] == 9


def test_a_listed_tree_that_vanishes_ends_the_run(run, tmp_path, monkeypatch):
    names = sorted(map(str, make_archive(tmp_path / "in", 12).rglob("*.png")))
    (tmp_path / "list").write_text("\n".join([*names, str(tmp_path / "in" / "gone.png")]))
    words = ["--from", tmp_path / "list", "--out", tmp_path / "out", "--threads", "1"]
    with monkeypatch.context() as patch:
        away = tmp_path / "away"
        acting_once(patch, "read_if_image", lambda: (tmp_path / "in").rename(away))
        assert run(*words)[1]["ended_early"]
    away.rename(tmp_path / "in")
    report = run(*words)[1]
    assert (report["ended_early"], report["written"], report["failed"]) == (False, 9, 1)


def test_one_folder_of_many_that_vanishes_does_not_end_the_run(run, tmp_path, monkeypatch):
    make_archive(tmp_path / "in", 12)
    with monkeypatch.context() as patch:
        acting_once(patch, "read_if_image", lambda: shutil.rmtree(tmp_path / "in" / "p2"))
        _, report, _ = run(tmp_path / "in", "--out", tmp_path / "out", "--threads", "1")
    assert (report["ended_early"], report["written"], report["failed"]) == (False, 8, 4)


@needs_permissions
def test_an_output_folder_made_read_only_ends_the_run(run, tmp_path, monkeypatch):
    make_archive(tmp_path / "in", 12)
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        acting_once(patch, "write_atomically", lambda: out.chmod(0o500))
        _, report, _ = run(tmp_path / "in", "--out", out, "--threads", "1")
    out.chmod(0o700)
    assert report["ended_early"]
    assert run(tmp_path / "in", "--out", out)[0] == 0
    assert outputs_in(out) == 12


@pytest.mark.parametrize(
    ("error", "writing", "transient", "ends"),
    [
        (OSError(errno.ENOSPC, "x"), True, True, True),
        (OSError(errno.EROFS, "x"), True, True, True),
        (OSError(errno.EIO, "x"), True, True, True),
        (OSError(errno.EIO, "x"), False, True, False),
        (OSError(errno.ESTALE, "x"), False, True, False),
        (PermissionError(errno.EACCES, "x"), False, True, False),
        (FileNotFoundError(errno.ENOENT, "x"), False, False, False),
        (FileNotFoundError(errno.ENOENT, "x"), True, True, False),
        (OSError(errno.ENAMETOOLONG, "x"), True, False, False),
        (OSError(errno.ELOOP, "x"), False, False, False),
        (ValueError("x"), False, False, False),
        (MemoryError("x"), False, True, False),
        (RuntimeError("can't start new thread"), False, True, False),
        (RuntimeError("x"), False, False, False),
    ],
)
def test_what_no_further_attempt_can_cure_is_not_tried_again(error, writing, transient, ends):
    assert is_transient(error, writing=writing) is transient
    assert ends_run(error, writing=writing) is ends
