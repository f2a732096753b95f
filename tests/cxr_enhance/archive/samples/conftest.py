"""Archives with a table of their files, and what is in files of samples."""

from __future__ import annotations

import csv
import json
import os
import tarfile

import pytest

from cxr_enhance.io.samples import index_path, member_of, read_member
from tests.cxr_enhance.archive.conftest import make_archive


def make_records(folder, count, **size):
    """Write `count` images below `folder`, and a table of them with two more columns."""
    make_archive(folder, count, **size)
    table = folder / "records.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "split"])
        for index in range(count):
            label = ("covid", "normal")[index % 2]
            split = ("train", "val", "test")[index % 3]
            writer.writerow([f"p{index % 3}/{index:04}.png", label, split])
    return table


def shards_in(out):
    """Name the files of samples in a folder, in order."""
    return sorted(name for name in os.listdir(out) if name.endswith((".tar", ".tfrecord")))


def keys_in(out):
    """Give the keys of all samples in a folder, in order, as the tar files themselves tell them."""
    keys = []
    for name in shards_in(out):
        with tarfile.open(out / name) as file:
            names = [os.path.splitext(member.name) for member in file]
        assert [ending for _, ending in names] == [".json", ".png"] * (len(names) // 2)
        keys += [key for key, ending in names if ending == ".png"]
    return keys


def content_of(out):
    """Give all that is to be equal after whatever happened: all but times of files."""
    found = {}
    for name in sorted(os.listdir(out)):
        data = (out / name).read_bytes()
        if name.endswith((".tar.json", ".tfrecord.json")):
            index = json.loads(data)
            del index["mtime_ns"]
            found[name] = index
        elif not name.endswith(".jsonl"):
            found[name] = data
    return found


def image_in(out, shard, key):
    """Give the content of an image in a file of samples."""
    return read_member(member_of(f"{out / shard}::{key}"))


def index_of(out, shard):
    """Read the index of a file of samples."""
    with open(index_path(str(out / shard))) as file:
        return json.load(file)


@pytest.fixture
def run_samples(run):
    """Give a function that runs `cxr-enhance run --format webdataset` over a table."""
    pytest.importorskip("webdataset")

    def call(table, out, *words, samples_per_file=3):
        return run(
            *("--records", table, "--out", out, "--format", "webdataset"),
            *("--samples-per-file", samples_per_file, *words),
        )

    return call
