"""The manifest: one whole row a file, whoever is killed, whoever else writes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import threading

import pytest

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from cxr_enhance.archive import manifest as module
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.manifest import (
    ManifestWriter,
    manifest_family,
    manifest_path,
    read_rows,
    rows_in_order,
)
from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.plan import Shard, plan_files
from cxr_enhance.archive.resume import find_pending
from cxr_enhance.archive.summary import summarise

JOB = Job(params=EnhanceParams())


def outcome(name, status="written", **fields):
    return Outcome(name, f"out/{name}", status, **fields)


def write_many(path, start, count):
    with ManifestWriter(path, JOB) as writer:
        for number in range(start, start + count):
            writer.add(outcome(f"{number}.png"))


def test_a_row_holds_what_is_needed_and_no_more(tmp_path):
    path = str(tmp_path / "m.jsonl")
    with ManifestWriter(path, JOB) as writer:
        writer.add(outcome("a.png", input_size=5, input_mtime_ns=7, output_size=9, seconds=0.25))
    (row,) = read_rows(path)
    assert row.pop("version")
    assert row.pop("time_ns") > 0
    assert row == {
        "input": "a.png", "output": "out/a.png", "status": "written", "error": "", "retry": False,
        "input_size": 5, "input_mtime_ns": 7, "output_size": 9, "params": JOB.digest(),
        "seconds": 0.25, "notes": "", "decoder": "",
        "source_size": None, "crop": None, "scaled_size": None, "pad": None,
    }  # fmt: skip


def test_a_row_tells_where_the_pixels_of_its_output_come_from(tmp_path):
    path = str(tmp_path / "m.jsonl")
    transform = cxe.Transform(
        source_size=(90, 60), crop=(5, 0, 80, 60), scaled_size=(40, 30), pad=(0, 0, 5, 5)
    )
    with ManifestWriter(path, JOB) as writer:
        writer.add(outcome("a.png", transform=transform))
    (row,) = read_rows(path)
    assert (row["crop"], row["pad"]) == ([5, 0, 80, 60], [0, 0, 5, 5])
    assert cxe.Transform.from_dict(row) == transform


def test_pandas_reads_it(tmp_path):
    pandas = pytest.importorskip("pandas")
    path = str(tmp_path / "m.jsonl")
    with ManifestWriter(path, JOB) as writer:
        writer.add_options(JOB)
        writer.add(outcome("a.png", seconds=0.5))
        writer.add(outcome("new\nline \udcff.png", "failed", reason="it's broken"))
    frame = pandas.read_json(path, lines=True)
    files = frame[frame.status != "run"]
    assert list(files.input) == ["a.png", "new\nline \udcff.png"]
    assert list(files.status) == ["written", "failed"]


@pytest.mark.parametrize(
    "later",
    [
        b',"time_ns":',
        b',"source_size":null,"crop":null,"scaled_size":null,"pad":null',
        b',"decoder":""',
    ],
)
def test_a_manifest_of_rows_without_later_columns_is_continued(tmp_path, later):
    path = tmp_path / "m.jsonl"
    write_many(str(path), 0, 2)
    content = path.read_bytes()
    old = re.sub(re.escape(later) + rb"[^}]*", b"", content)
    assert b"seconds" in old
    assert later not in old
    for left in (old, old[:-1], old[:-9]):  # whole, without its line end, cut within its row
        path.write_bytes(left)
        write_many(str(path), 2, 1)
        names = [row["input"] for row in read_rows(str(path))]
        assert names == (["0.png", "1.png", "2.png"] if left == old else ["0.png", "2.png"])


@pytest.mark.parametrize("cut", range(1, 200, 7))
def test_a_row_cut_short_is_passed_over_and_removed_by_the_next_writer(tmp_path, cut):
    path = tmp_path / "m.jsonl"
    write_many(str(path), 0, 3)
    path.write_bytes(path.read_bytes()[:-cut])
    assert [row["input"] for row in read_rows(str(path))] == ["0.png", "1.png"]
    write_many(str(path), 3, 1)
    assert [row["input"] for row in read_rows(str(path))] == ["0.png", "1.png", "3.png"]
    for line in path.read_text().splitlines():
        json.loads(line)


def test_threads_and_processes_write_whole_rows(tmp_path):
    path = str(tmp_path / "m.jsonl")
    context = multiprocessing.get_context("spawn")
    workers = [
        *(context.Process(target=write_many, args=(path, n * 1000, 200)) for n in range(2)),
        *(threading.Thread(target=write_many, args=(path, n * 1000, 200)) for n in range(2, 5)),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    names = [row["input"] for row in read_rows(path)]
    assert sorted(names) == sorted(f"{n * 1000 + i}.png" for n in range(5) for i in range(200))


def test_a_full_disk_leaves_no_part_of_a_row(tmp_path, monkeypatch):
    path = tmp_path / "m.jsonl"
    write_many(str(path), 0, 2)
    before = path.read_bytes()
    real_write = os.write

    def full(descriptor, data):
        if len(data) < 50:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data[: len(data) - 40])

    with ManifestWriter(str(path), JOB) as writer:
        monkeypatch.setattr(module.os, "write", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*m\.jsonl'"):
            writer.add(outcome("b.png"))
        monkeypatch.undo()
    assert path.read_bytes() == before


def test_a_row_that_comes_after_the_end_goes_nowhere(tmp_path):
    with ManifestWriter(str(tmp_path / "m.jsonl"), JOB) as writer:
        writer.add(outcome("a.png"))
    with (
        open(tmp_path / "other", "wb"),  # may be given the number that the manifest had
        pytest.raises(OSError, match=r"m\.jsonl"),
    ):
        writer.add(outcome("b.png"))
    assert (tmp_path / "other").read_bytes() == b""


@pytest.mark.parametrize(
    "line",
    [
        b"\0" * 40, b"null", b"[]", b'{"status": 5}',
        b'{"status": "odd", "input": "x", "output": ""}',
        b'{"status": "written"}', b'{"status": "written", "input": 7}',
        b'{"status": "written", "input": ["0.png"], "output": {}}',
        b'{"status": "failed", "input": "0.png", "output": "", "seconds": "long"}',
        b'{"status": "run", "params": ["x"], "options": "none"}',
        b'{"status": "written", "input": "0.png", "output": "", "input_size": 1e400}',
        b'{"status": "written", "input": "x.png", "output": "out/x.png", "output_size": '
        b"123456789012345678901234567890}",
        b"\xff\xfe{", b"[" * 100_000,
    ],
)  # fmt: skip
def test_lines_that_someone_spoilt_are_passed_over(tmp_path, line):
    path = tmp_path / "m.jsonl"
    write_many(str(path), 0, 2)
    path.write_bytes(path.read_bytes() + line + b"\n")
    write_many(str(path), 2, 1)
    rows = [row["input"] for row in read_rows(str(path)) if row["status"] == "written"]
    assert [name for name in dict.fromkeys(rows) if name != "x.png"] == ["0.png", "1.png", "2.png"]
    assert summarise([str(path)])["files"]["written"] in (3, 4)
    (tmp_path / "in").mkdir()
    plan = plan_files([str(tmp_path / "in")], "out", ".png", listed=["0.png", "x.png"])
    find_pending(plan.files, [str(path)], JOB, overwrite=False, retry_failed=False)


def test_something_else_than_a_manifest_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary\n")
    with pytest.raises(ValueError, match="must name a new file or a manifest of an earlier run"):
        ManifestWriter(str(tmp_path / "notes.txt"), JOB)
    assert (tmp_path / "notes.txt").read_text() == "dear diary\n"


NOT_OURS = {
    "json": b'{"important":"the only copy of my settings"}',
    "json-of-our-columns": b'{"input":"a.png","output":"b.png","status":"written"}',
    "compact-json": b'{"input":"a.png"}',
    "json-lines": b'{"status":"fine","name":"x"}\n{"status":"bad","name":"y"}\n',
    "pretty-json": b'{\n  "status": "written"\n}\n',
    "list": b"a.png",
    "lists": b"a.png\nb.png\n",
    "binary": bytes(range(256)) * 40,
    "zeros": bytes(1000),
    "long-line": b'{"input":"' + b"a" * 2_000_000,
    "run": b'{"status":"run"}',
    "status-first": b'{"status":"run","owner":"me","text":"...',
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_a_file_of_any_other_kind_is_refused_unchanged(tmp_path, name):
    path = tmp_path / "mine"
    path.write_bytes(NOT_OURS[name])
    with pytest.raises(ValueError, match="must name a new file or a manifest of an earlier run"):
        ManifestWriter(str(path), JOB)
    assert path.read_bytes() == NOT_OURS[name]


@pytest.mark.parametrize("first", ["options", "file"])
def test_a_manifest_cut_in_its_first_row_is_used_on(tmp_path, first):
    path = tmp_path / "m.jsonl"
    with ManifestWriter(str(path), JOB) as writer:
        if first == "options":
            writer.add_options(JOB)
        else:
            writer.add(outcome('q",\n.png'))
    row = path.read_bytes()
    for cut in range(len(row)):
        path.write_bytes(row[:cut])
        write_many(str(path), 0, 1)
        assert [row["input"] for row in read_rows(str(path)) if "input" in row][-1] == "0.png"
        assert len(list(read_rows(str(path)))) == (2 if cut == len(row) else 1)


def test_what_is_no_row_at_the_end_of_a_manifest_stays(tmp_path):
    path = tmp_path / "m.jsonl"
    write_many(str(path), 0, 1)
    before = path.read_bytes() + b"dear diary"
    path.write_bytes(before)
    write_many(str(path), 1, 1)
    assert path.read_bytes().startswith(before + b"\n")
    assert [row["input"] for row in read_rows(str(path))] == ["0.png", "1.png"]


def test_a_link_to_a_manifest_is_followed_and_one_to_nowhere_refused(tmp_path):
    write_many(str(tmp_path / "m.jsonl"), 0, 1)
    (tmp_path / "link").symlink_to("m.jsonl")
    write_many(str(tmp_path / "link"), 1, 1)
    inputs = [row["input"] for row in read_rows(str(tmp_path / "m.jsonl"))]
    assert inputs == ["0.png", "1.png"]
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "folder").mkdir()
    for name in ("nowhere", "folder"):
        with pytest.raises(ValueError, match="`--manifest` must name a file; got"):
            ManifestWriter(str(tmp_path / name), JOB)
    assert not (tmp_path / "gone").exists()


def test_a_folder_named_like_a_shards_manifest_is_none(tmp_path):
    (tmp_path / "m-1-of-2.jsonl").mkdir()
    assert manifest_family(str(tmp_path / "m.jsonl")) == []


def test_each_shard_has_its_own_and_all_are_read(tmp_path):
    base = str(tmp_path / "m.jsonl")
    paths = [manifest_path(base, shard) for shard in (None, Shard(1, 2), Shard(2, 2))]
    assert [os.path.basename(path) for path in paths] == [
        "m.jsonl", "m-1-of-2.jsonl", "m-2-of-2.jsonl",
    ]  # fmt: skip
    for path in paths:
        write_many(path, 0, 1)
    assert sorted(manifest_family(base)) == sorted(paths)


def names_in_order(*paths):
    return [row.fields["input"] for row in rows_in_order([str(path) for path in paths])]


def test_rows_of_several_manifests_are_in_the_order_in_which_they_were_written(tmp_path):
    first, second = tmp_path / "m.jsonl", tmp_path / "m-1-of-2.jsonl"
    write_many(str(first), 0, 2)
    write_many(str(second), 2, 2)
    write_many(str(first), 4, 1)
    for paths in ((first, second), (second, first)):
        assert names_in_order(*paths) == [f"{number}.png" for number in range(5)]


def test_rows_are_later_than_those_that_the_run_has_read_even_if_its_clock_is_wrong(
    tmp_path, monkeypatch
):
    first, second = tmp_path / "m.jsonl", tmp_path / "m-1-of-2.jsonl"
    write_many(str(first), 0, 1)
    (read,) = rows_in_order([str(first)])
    monkeypatch.setattr(module.time, "time_ns", lambda: 1_000_000_000)  # in 1970
    with ManifestWriter(str(second), JOB, read.time_ns) as writer:
        writer.add(outcome("1.png"))
    write_many(str(first), 2, 1)  # a row of the same manifest stays after the rows before it
    assert names_in_order(second, first)[0] == "0.png"
    assert names_in_order(first) == ["0.png", "2.png"]


@pytest.mark.parametrize("time_ns", ['"late"', "true", "-5", "1e400", "1" + "0" * 40, "null"])
def test_a_row_whose_time_someone_spoilt_keeps_its_place_in_its_manifest(tmp_path, time_ns):
    path = tmp_path / "m.jsonl"
    write_many(str(path), 0, 3)
    lines = path.read_text().splitlines()
    lines[1] = re.sub(r'"time_ns":\d+', f'"time_ns":{time_ns}', lines[1])
    path.write_text("\n".join(lines) + "\n")
    assert names_in_order(path) == ["0.png", "1.png", "2.png"]


def test_long_manifests_are_read_to_their_end(tmp_path):
    path = str(tmp_path / "m.jsonl")
    write_many(path, 0, 500)
    assert os.path.getsize(path) > 2 * module._BLOCK_BYTES
    assert [row["input"] for row in read_rows(path)] == [f"{number}.png" for number in range(500)]


def test_a_summary_counts_each_file_by_its_last_row(tmp_path):
    path = str(tmp_path / "m.jsonl")
    with ManifestWriter(path, JOB) as writer:
        writer.add_options(JOB)
        writer.add(outcome("a.png", "failed", reason="got 7 bytes"))
        writer.add(outcome("b.png", "failed", reason="got 9 bytes. File: 'b.png'."))
        writer.add(outcome("c.png", "failed", reason="got 8 bytes"))
        writer.add(outcome("a.png", input_size=10, output_size=4, seconds=1.5))
        writer.add(outcome("a.png", "exists"))  # of a run at the same time
    found = summarise([path])
    assert found["files"] == {"written": 1, "failed": 2}
    assert sum(found["errors"].values()) == 2
    assert (found["seconds"], found["input_bytes"], found["output_bytes"]) == (1.5, 10, 4)


def test_a_summary_counts_a_file_once_whatever_form_its_name_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ManifestWriter("m.jsonl", JOB) as writer:
        for name in ("a.png", "./a.png", str(tmp_path / "a.png")):
            writer.add(outcome(name))
    assert summarise(["m.jsonl"])["files"] == {"written": 1}
