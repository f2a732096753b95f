"""Whatever happens to a run into samples, none is lost or there twice once the next run ends."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sys
import time

import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.samples import task as samples_task
from cxr_enhance.cli import _run as cli_run
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import rows_of
from tests.cxr_enhance.archive.samples.conftest import (
    content_of,
    index_of,
    keys_in,
    make_records,
    shards_in,
)
from tests.cxr_enhance.archive.test_faults import (
    RUN_ON_SMALL_DISK,
    SMALL_DISK,
    acting_once,
    wait_for,
)
from tests.helpers.fresh_process import module_command, run_code, run_program

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = [
    pytest.mark.opencv,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and locks"),
]

LIBRARIES = {"webdataset": "webdataset", "tfrecord": "tensorflow"}


def words(table, out, container="webdataset", count=5):
    return [
        *("run", "--records", table, "--out", out, "--format", container),
        *("--samples-per-file", count, "--threads", "2"),
    ]


def written_in(out):
    """Count the files of samples that are there with their indexes."""
    return sum(name.endswith((".tar.json", ".tfrecord.json")) for name in _names(out))


def _names(out):
    return os.listdir(out) if out.is_dir() else []


def hidden_in(out):
    return [name for name in _names(out) if name.startswith(".cxr-enhance-")]


@pytest.mark.slow
@pytest.mark.parametrize(("container", "kills"), [("webdataset", 6), ("tfrecord", 3)])
def test_killed_at_random_moments_and_resumed_the_samples_are_those_of_an_undisturbed_run(
    run, start, tmp_path, container, kills
):
    pytest.importorskip(LIBRARIES[container])
    table = make_records(tmp_path / "in", 150, height=300, width=300)
    assert run(*words(table, tmp_path / "undisturbed", container)[1:])[0] == 0
    undisturbed = content_of(tmp_path / "undisturbed")
    out = tmp_path / "out"
    chance = random.Random(7)
    killed = 0
    for _ in range(kills):
        running = start(*words(table, out, container))
        before, wanted = written_in(out), chance.randrange(3)
        wait_for(lambda before=before, wanted=wanted: written_in(out) > before + wanted, running)
        time.sleep(chance.uniform(0, 0.05))
        running.kill()
        running.wait()
        killed += running.returncode == -signal.SIGKILL
        for name in shards_in(out):  # whole, each of them, whether its index is there or not
            assert (out / name).read_bytes() == undisturbed[name]
    assert killed >= kills - 1  # a fast machine may have ended before the last
    assert 0 < written_in(out) < 30  # else the kills came too late to matter
    assert run(*words(table, out, container)[1:])[0] == 0
    assert content_of(out) == undisturbed
    assert hidden_in(out) == []
    last = {row["input"]: row["status"] for row in rows_of(out)}
    assert len(last) == 150
    assert set(last.values()) <= {"written", "exists"}


@pytest.mark.parametrize("moment", ["index", "rows"])
def test_a_file_whose_run_was_killed_before_its_index_or_rows_is_known_for_ours(
    run_samples, tmp_path, moment
):
    table, out = make_records(tmp_path / "in", 3), tmp_path / "out"
    deadly = {"index": "samples.task.write_atomically", "rows": "manifest.ManifestWriter.add"}
    code = (
        "import os, sys\n"
        "from cxr_enhance import archive\n"
        "from cxr_enhance.archive import manifest\n"
        "from cxr_enhance.archive.samples import task\n"
        f"archive.{deadly[moment]} = lambda *_, **__: os.kill(os.getpid(), 9)\n"
        "from cxr_enhance.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    run_code(code, *words(table, out, count=3), status=-signal.SIGKILL)
    assert shards_in(out) == ["000000.tar"]
    cxe.write_image(tmp_path / "in" / "p0" / "0000.png", synthetic_radiograph(60, 50, seed=9))
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["unrecorded_outputs"]) == (0, 3, 0)
    assert keys_in(out) == ["p0/0000", "p1/0001", "p2/0002"]
    assert hidden_in(out) == []
    assert run_samples(table, out)[1]["exists"] == 3


@pytest.mark.parametrize("name", ["samples.csv", "shards.json"])
def test_a_run_killed_while_it_writes_the_table_leaves_nothing_behind(run_samples, tmp_path, name):
    table, out = make_records(tmp_path / "in", 3), tmp_path / "out"
    code = (
        "import os, sys\n"
        "replace = os.replace\n"
        "def deadly(source, target):\n"
        f"    if target.endswith({name!r}):\n"
        "        os.kill(os.getpid(), 9)\n"
        "    replace(source, target)\n"
        "os.replace = deadly\n"
        "from cxr_enhance.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    run_code(code, *words(table, out, count=3), status=-signal.SIGKILL)
    assert hidden_in(out)
    assert run_samples(table, out)[1]["exists"] == 3
    assert {"samples.csv", "shards.json"} <= set(os.listdir(out))
    assert hidden_in(out) == []


@pytest.mark.slow
@pytest.mark.parametrize("container", ["webdataset", "tfrecord"])
def test_a_full_disk_stops_with_a_clear_error_and_whole_files_alone(tmp_path, container):
    pytest.importorskip(LIBRARIES[container])
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    if run_program(*apart, *SMALL_DISK, disk, status=None).returncode:
        pytest.skip("no small file system can be mounted here")
    table = make_records(tmp_path / "in", 20, height=200, width=200)
    shell = [*apart, "sh", "-c", RUN_ON_SMALL_DISK, "sh", disk, kept]
    command = words(table, disk, container, count=2)
    done = run_program(*shell, *module_command("cxr_enhance"), *command, status=1)
    assert "No space left on device" in done.stderr
    assert "no further image can be read or written; the run ends here" in done.stderr
    assert "ended early with" in done.stdout
    assert 0 < written_in(kept) < 10
    for name in shards_in(kept):
        assert (kept / name).stat().st_size == index_of(kept, name)["bytes"]
    assert hidden_in(kept) == []


def test_after_a_full_disk_the_next_run_completes(run_samples, tmp_path, monkeypatch):
    table, out = make_records(tmp_path / "in", 12), tmp_path / "out"
    real, made = samples_task.open_container, []

    def full(container, path):
        made.append(path)
        if len(made) > 2:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        return real(container, path)

    with monkeypatch.context() as patch:
        patch.setattr(samples_task, "open_container", full)
        status, report, err = run_samples(table, out, "--threads", "1")
    assert (status, report["ended_early"], report["written"]) == (1, True, 6)
    assert err.count("No space left") == 1
    assert not (out / "samples.csv").exists()
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["exists"]) == (0, 6, 6)
    assert len(keys_in(out)) == len(set(keys_in(out))) == 12


@pytest.mark.slow
def test_two_runs_at_once_do_not_damage_each_other(run_samples, start, tmp_path):
    table = make_records(tmp_path / "in", 40, height=200, width=200)
    run_samples(table, tmp_path / "alone", samples_per_file=5)
    out = tmp_path / "out"
    both = [start(*words(table, out), "--json", *more) for more in ([], ["--overwrite"])]
    for running in both:
        stdout, stderr = running.communicate(timeout=120)
        assert (running.returncode, stderr) == (0, b"")
        report = json.loads(stdout)
        assert report["written"] + report["exists"] == 40
    alone, together = content_of(tmp_path / "alone"), content_of(out)
    for content in (alone, together):  # the list may name the hash of a table that was replaced
        del content["shards.json"]
    assert together == alone
    assert hidden_in(out) == []
    assert run_samples(table, out, samples_per_file=5)[1]["exists"] == 40


def test_labels_are_not_put_beside_the_samples_that_another_run_wrote_meanwhile(
    run_samples, tmp_path, monkeypatch
):
    first, second = make_records(tmp_path / "a", 7), make_records(tmp_path / "b", 7, height=70)
    second.write_text(second.read_text().replace("covid", "other"))
    out, prepare = tmp_path / "out", cli_run.prepare

    def prepare_and_let_the_other_run_pass(settings):
        prepared = prepare(settings)
        monkeypatch.setattr(cli_run, "prepare", prepare)
        assert run_samples(first, out)[0] == 0
        return prepared

    monkeypatch.setattr(cli_run, "prepare", prepare_and_let_the_other_run_pass)
    status, _, err = run_samples(second, out)
    assert status == 1
    assert (
        "`--out` must not hold samples with the columns of another table; got "
        f"'{out / '000000.tar'}', which another run has written, or which has changed since. "
        "Choose another folder, or say --overwrite to replace it."
    ) in err
    assert run_samples(first, out)[1]["exists"] == 7
    assert "covid" in (out / "samples.csv").read_text()
    assert run_samples(second, out, "--overwrite")[1]["written"] == 7
    assert "other" in (out / "samples.csv").read_text()


@pytest.mark.parametrize("what", ["in", "out", "out/manifest.jsonl"])
def test_what_vanishes_ends_the_run_and_the_next_one_completes(
    run_samples, tmp_path, monkeypatch, what
):
    table, out, away = make_records(tmp_path / "in", 12), tmp_path / "out", tmp_path / "away"
    table = table.rename(tmp_path / "records.csv")
    with monkeypatch.context() as patch:
        acting_once(patch, "read_if_image", lambda: (tmp_path / what).rename(away), after=7)
        status, report, err = run_samples(table, out, tmp_path / "in", "--threads", "1")
    assert (status, report["ended_early"]) == (1, True)
    assert err.endswith("Error: no further image can be read or written; the run ends here.\n")
    assert what == "in" or not (tmp_path / what).exists()  # nothing is made in its place
    away.rename(tmp_path / what)
    status, report, _ = run_samples(table, out, tmp_path / "in")
    assert (status, report["written"] + report["exists"]) == (0, 12)
    assert len(keys_in(out)) == len(set(keys_in(out))) == 12


def test_an_interrupt_ends_a_file_of_samples_at_its_next_image(tmp_path):
    pytest.importorskip("webdataset")
    make_records(tmp_path / "in", 6)
    planned = samples_task.PlannedSamples(
        str(tmp_path / "000000.tar"),
        "webdataset",
        tuple(
            samples_task.PlannedSample(str(path), path.stem, True, {})
            for path in sorted((tmp_path / "in").rglob("*.png"))
        ),
        replace=False,
    )
    asked = []

    def stopped():
        asked.append(1)
        return len(asked) > 6

    job = Job(params=cxe.EnhanceParams())
    assert samples_task.process_samples(planned, job, None, stopped) is None
    assert sorted(os.listdir(tmp_path)) == ["in"]
