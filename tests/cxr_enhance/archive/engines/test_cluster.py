"""The Dask engine: the same bytes and rows as the local one, and workers may die."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import socket
import sys
import time

import pytest

from cxr_enhance import EnhanceParams, enhance, read_image
from cxr_enhance.archive.engines import cluster
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.archive.samples.task import PlannedSample, PlannedSamples
from tests.cxr_enhance.archive.conftest import contents, make_archive, outputs_in, rows_of
from tests.cxr_enhance.archive.samples.conftest import (
    content_of,
    keys_in,
    make_records,
    shards_in,
)
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import DISCARD, run_program, started_module

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")
pytestmark = [
    pytest.mark.opencv,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

POISON = """
import os
import cxr_enhance.io.read as read
decode = read.decode_image
def deadly(data, options):
    if b"POISON" in data:
        os._exit(11)
    return decode(data, options)
read.decode_image = deadly
"""


def finished(running, seconds=120):
    stdout, stderr = running.communicate(timeout=seconds)
    return running.returncode, stdout.decode(), stderr.decode()


def test_a_local_cluster_gives_the_local_engines_bytes_and_rows(run, start, tmp_path):
    folder = make_archive(tmp_path / "in", 12)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    run(folder, "--out", tmp_path / "local")
    status, out, err = finished(start(
        "run", folder, "--out", tmp_path / "dask", "--engine", "dask", "--threads", "2"
    ))  # fmt: skip
    assert status == 1
    assert out.startswith("12 enhanced, 1 failed in")
    assert err.startswith(f"failed: {folder / 'broken.png'}: `source` must hold")
    assert contents(tmp_path / "dask") == contents(tmp_path / "local")
    key = [sorted((row["input"], row["status"], row["error"]) for row in rows_of(tmp_path / name))
           for name in ("local", "dask")]  # fmt: skip
    assert key[0] == key[1]


def test_a_cluster_beside_another_says_nothing_of_it(start, tmp_path):
    folder = make_archive(tmp_path / "in", 2)
    with socket.socket() as taken:  # Dask's usual port
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        running = start("run", folder, "--out", tmp_path / "out", "--engine", "dask", "--quiet")
        assert finished(running) == (0, "", "")


def test_workers_import_nothing_of_the_working_folder(tmp_path):
    folder = make_archive(tmp_path / "in", 1)
    for name in ("pickle.py", "multiprocessing.py"):
        (folder / name).write_text("open('ran', 'w').close()\n")
    script = tmp_path / "cxr-enhance"  # as pip writes it: Python then has no option -P
    script.write_text(
        "import sys\nfrom cxr_enhance.cli import main\n"
        "if __name__ == '__main__':\n    sys.exit(main())\n"
    )
    words = ["run", ".", "--out", tmp_path / "out", "--engine", "dask", "--threads", "1"]
    done = run_program(sys.executable, script, *words, cwd=folder)
    assert done.stdout.startswith("1 enhanced")
    assert not (folder / "ran").exists()


def test_a_scheduler_elsewhere_is_used(start, tmp_path):
    folder = make_archive(tmp_path / "in", 6)
    name = str(tmp_path / "scheduler.json")
    quiet = {"stdout": DISCARD, "stderr": DISCARD}
    scheduler = started_module(
        *("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"),
        *("--no-dashboard", "--scheduler-file", name),
        **quiet,
    )
    worker = started_module(
        *("distributed.cli.dask_worker", "--scheduler-file", name, "--nworkers", "1"),
        *("--nthreads", "2", "--no-dashboard", "--local-directory", tmp_path),
        **quiet,
    )
    with scheduler as scheduling, worker as working:
        give_up = time.monotonic() + 60
        while not os.path.exists(name) and time.monotonic() < give_up:
            time.sleep(0.1)
        with open(name) as file:
            address = json.load(file)["address"]
        status, out, err = finished(start(
            "run", folder, "--out", tmp_path / "out", "--engine", "dask", "--scheduler", address
        ))  # fmt: skip
        assert (status, err) == (0, "")
        assert out.startswith("6 enhanced in")
        working.terminate()
        working.wait(30)
        scheduling.terminate()
        scheduling.wait(30)


def test_a_scheduler_that_is_not_there_is_a_sentence(start, tmp_path):
    folder = make_archive(tmp_path / "in", 1)
    status, _, err = finished(start(
        "run", folder, "--out", tmp_path / "out", "--engine", "dask", "--scheduler",
        "tcp://127.0.0.1:1", env={"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
    ))  # fmt: skip
    assert status == 1
    assert "`--scheduler` must be the address of a running Dask scheduler" in err


def test_a_worker_killed_in_mid_run_loses_nothing(run, start, tmp_path):
    folder = make_archive(tmp_path / "in", 60, 400, 400)
    run(folder, "--out", tmp_path / "local")
    out = tmp_path / "out"
    running = start("run", folder, "--out", out, "--engine", "dask", "--threads", "2")
    while running.poll() is None and outputs_in(out) < 5:
        time.sleep(0.02)
    workers = [
        child for child in psutil.Process(running.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]  # fmt: skip
    workers[0].send_signal(signal.SIGKILL)
    status, said, err = finished(running)
    assert (status, err) == (0, "")
    assert said.startswith("60 enhanced in")
    assert contents(out) == contents(tmp_path / "local")
    assert {row["status"] for row in rows_of(out)} == {"written"}


class LostOnce:
    """A task whose result is lost with its worker, and there once Dask has done it again."""

    def __init__(self, outcome):
        self.outcome, self.status = outcome, "lost"

    def result(self):
        assert self.status == "finished"
        return self.outcome


class Completed(list):
    """As Dask's `as_completed`: one that is put in again comes when it is done."""

    def __init__(self, loop):
        self.seen = set()

    def add(self, future):
        future.status = "finished" if future in self.seen else "lost"
        self.seen.add(future)
        self.append(future)

    def __next__(self):
        return self.pop(0)

    def is_empty(self):
        return True


class Client:
    loop = None

    def nthreads(self):
        return {"worker": 1}

    def submit(self, _, number, file, *__, **___):
        return LostOnce((Outcome(file.source, file.target, "written"),))


def test_a_result_lost_with_its_worker_is_waited_for(monkeypatch):
    engine = cluster.DaskEngine(None, 1)
    monkeypatch.setattr(engine._distributed, "as_completed", Completed)
    files = [
        PlannedFile(f"{n}.png", f"{n}.out", is_named_by_user=True, replace=False) for n in range(3)
    ]
    outcomes = []
    engine._run(Client(), iter(files), None, None, outcomes.append, {})
    assert [(outcome.source, outcome.status) for outcome in outcomes] == [
        ("0.png", "written"), ("1.png", "written"), ("2.png", "written"),
    ]  # fmt: skip


def test_a_worker_that_dies_while_it_leaves_its_outcome_leaves_the_mark_whole(
    tmp_path, monkeypatch
):
    source = make_archive(tmp_path / "in", 1) / "p0" / "0000.png"
    target = tmp_path / "out.png"
    planned = PlannedFile(str(source), str(target), is_named_by_user=True, replace=False)

    def dies(_):  # between the file's beginning and its end
        raise KeyboardInterrupt

    params = EnhanceParams(clip_limit=0.01)
    job = Job(params=params)
    with monkeypatch.context() as patch:
        patch.setattr(cluster.Outcome, "to_json", dies)
        with pytest.raises(KeyboardInterrupt):
            cluster._carry_out_on_worker(0, planned, job, str(tmp_path))
    assert_same_image(read_image(target), enhance(read_image(source), params))
    first, again = (cluster._carry_out_on_worker(0, planned, job, str(tmp_path)) for _ in range(2))
    assert first[0].status == "written"
    assert [hint.kind for hint in first[0].hints] == ["limit without effect"]
    assert again == first  # read from the mark


def test_a_file_that_kills_its_worker_is_quarantined_and_the_rest_is_done(start, tmp_path):
    folder = make_archive(tmp_path / "in", 10)
    image = (folder / "p0" / "0000.png").read_bytes()
    (folder / "deadly.png").write_bytes(image + b"POISON")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(POISON)
    status, out, err = finished(start(
        "run", folder, "--out", tmp_path / "out", "--engine", "dask", "--threads", "2",
        path=[tmp_path / "site"],
    ))  # fmt: skip
    assert status == 1
    assert out.startswith("10 enhanced, 1 failed in")
    assert err == (
        f"failed: {folder / 'deadly.png'}: quarantined: its worker died, and a process of its own "
        "ended with status 11.\n"
    )
    row = next(row for row in rows_of(tmp_path / "out") if "deadly" in row["input"])
    assert (row["status"], row["retry"]) == ("failed", False)


@pytest.mark.parametrize(
    ("container", "library"), [("webdataset", "webdataset"), ("tfrecord", "tensorflow")]
)
def test_files_of_samples_are_those_of_the_local_engine(run, start, tmp_path, container, library):
    pytest.importorskip(library)
    table = make_records(tmp_path / "in", 12)
    words = ["--records", table, "--format", container, "--samples-per-file", "5"]
    run(*words, "--out", tmp_path / "local")
    status, out, err = finished(start(
        "run", *words, "--out", tmp_path / "dask", "--engine", "dask", "--threads", "2"
    ))  # fmt: skip
    assert len(shards_in(tmp_path / "dask")) == 3
    assert status == 0
    # TensorFlow's own lines come from the workers, before any level of messages is set.
    assert err == "" if container == "webdataset" else "failed" not in err
    assert out.startswith("12 enhanced in")
    assert content_of(tmp_path / "dask") == content_of(tmp_path / "local")
    assert {row["status"] for row in rows_of(tmp_path / "dask")} == {"written"}


def test_a_worker_writes_the_records_of_the_local_engine(run, tmp_path):
    """Without a cluster: each of its processes would load TensorFlow."""
    pytest.importorskip("tensorflow")
    table = make_records(tmp_path / "in", 3)
    run("--records", table, "--format", "tfrecord", "--out", tmp_path / "local")
    sources = [f"p{n}/000{n}" for n in range(3)]
    with table.open() as file:
        columns = list(csv.DictReader(file))
    samples = tuple(
        PlannedSample(f"{tmp_path}/in/{key}.png", key, True, row)
        for key, row in zip(sources, columns, strict=True)
    )
    target = tmp_path / "dask" / "000000.tfrecord"
    planned = PlannedSamples(str(target), "tfrecord", samples, replace=False)
    (tmp_path / "space").mkdir()
    outcomes = cluster._carry_out_on_worker(
        0, planned, Job(params=EnhanceParams()), str(tmp_path / "space")
    )
    assert [outcome.status for outcome in outcomes] == ["written"] * 3
    assert target.read_bytes() == (tmp_path / "local" / "000000.tfrecord").read_bytes()


def test_a_worker_killed_over_files_of_samples_loses_none_and_leaves_none_twice(
    run, start, tmp_path
):
    pytest.importorskip("webdataset")
    table, out = make_records(tmp_path / "in", 60, height=400, width=400), tmp_path / "out"
    words = ["--records", table, "--format", "webdataset", "--samples-per-file", "5"]
    run(*words, "--out", tmp_path / "local")
    running = start("run", *words, "--out", out, "--engine", "dask", "--threads", "2")
    while running.poll() is None and not list(out.glob("*.tar.json")):
        time.sleep(0.02)
    workers = [
        child for child in psutil.Process(running.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]  # fmt: skip
    workers[0].send_signal(signal.SIGKILL)
    status, _, err = finished(running)
    assert (status, err) == (0, "")
    assert content_of(out) == content_of(tmp_path / "local")


def test_one_file_that_kills_its_worker_is_missing_from_its_samples_and_no_other(start, tmp_path):
    pytest.importorskip("webdataset")
    table, out = make_records(tmp_path / "in", 4), tmp_path / "out"
    with (tmp_path / "in" / "p1" / "0001.png").open("ab") as file:
        file.write(b"POISON")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(POISON)
    words = ["--records", table, "--out", out, "--format", "webdataset"]
    status, said, err = finished(start(
        "run", *words, "--engine", "dask", "--threads", "2", path=[tmp_path / "site"],
    ))  # fmt: skip
    assert status == 1
    assert said.startswith("3 enhanced, 1 failed in")
    assert err.endswith("quarantined: its worker died, and a process of its own ended with status "
                        "11.\n")  # fmt: skip
    assert keys_in(out) == ["p0/0000", "p2/0002", "p0/0003"]


def test_an_interrupt_ends_a_local_cluster_with_the_manifest_whole(run, start, tmp_path):
    folder = make_archive(tmp_path / "in", 150, 400, 400)
    for attempt in range(3):  # a loaded machine may be late once
        out = tmp_path / f"out{attempt}"
        running = start(
            "run", folder, "--out", out, "--engine", "dask", "--threads", "2", "--quiet"
        )
        manifest = out / "manifest.jsonl"
        while running.poll() is None and not (
            manifest.exists() and len(manifest.read_bytes().splitlines()) > 3
        ):
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)  # all at once, as a terminal does
        interrupted = time.monotonic()
        running.wait(60)
        seconds = time.monotonic() - interrupted
        if seconds < 2:
            break
    assert seconds < 2
    status, _, err = finished(running)
    assert (status, err) == (130, "")
    assert 0 < len(rows_of(out)) < 150
    # What is left are second links to outputs that workers wrote and the run no longer recorded.
    left = [path for kept in out.glob(".cxr-enhance-*") for path in kept.iterdir()]
    assert all(path.stat().st_nlink == 2 for path in left if path.name != "lock")
    assert run(folder, "--out", out)[0] == 0
    assert len(rows_of(out)) >= 150
    assert not list(out.glob(".cxr-enhance-*"))
