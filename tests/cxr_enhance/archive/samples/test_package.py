"""Runs into files of samples: what they hold, and what further runs do with them."""

from __future__ import annotations

import csv
import json
import os
import sys
import time

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.samples.records import read_records
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import make_archive, rows_of
from tests.cxr_enhance.archive.samples.conftest import (
    content_of,
    image_in,
    index_of,
    keys_in,
    make_records,
    shards_in,
)
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv


@pytest.fixture
def table(tmp_path):
    """Write seven images and a table of them."""
    return make_records(tmp_path / "in", 7)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def keys(count):
    return [f"p{index % 3}/{index:04}" for index in range(count)]


def test_samples_follow_the_table_a_stated_number_a_file(run_samples, table, out):
    status, report, err = run_samples(table, out)
    assert (status, err, report["written"]) == (0, "", 7)
    assert shards_in(out) == ["000000.tar", "000001.tar", "000002.tar"]
    assert keys_in(out) == keys(7)
    assert [len(index_of(out, shard)["samples"]) for shard in shards_in(out)] == [3, 3, 1]


def test_images_are_those_of_a_run_into_a_folder(run_samples, run, table, tmp_path, out):
    run_samples(table, out)
    run(table.parent, "--out", tmp_path / "files")
    for place, key in enumerate(keys(7)):
        shard = f"{place // 3:06}.tar"
        assert image_in(out, shard, key) == (tmp_path / "files" / f"{key}.png").read_bytes()
        expected = cxe.enhance(cxe.read_image(table.parent / f"{key}.png"))
        assert_same_image(cxe.read_image(f"{out / shard}::{key}"), expected)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset's own
def test_samples_hold_all_columns_and_webdataset_reads_them(run_samples, table, out):
    webdataset = pytest.importorskip("webdataset")
    run_samples(table, out)
    urls = [str(out / shard) for shard in shards_in(out)]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False))
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(sample["json"]) for sample in samples] == rows
    assert [sample["__key__"] for sample in samples] == keys(7)


def test_a_table_of_all_samples_and_a_list_of_files_lie_beside_them(run_samples, table, out):
    run_samples(table, out)
    with (out / "samples.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [
        f"{place // 3:06}.tar::{key}" for place, key in enumerate(keys(7))
    ]
    assert [row["label"] for row in rows[:2]] == ["covid", "normal"]
    assert list(rows[0]) == ["file", "label", "split"]
    listed = json.loads((out / "shards.json").read_text())
    assert (listed["format"], listed["samples"]) == ("webdataset", 7)
    for entry in listed["shards"]:
        index = index_of(out, entry["shard"])
        assert entry["bytes"] == os.path.getsize(out / entry["shard"])
        assert (entry["sha256"], entry["samples"]) == (index["sha256"], len(index["samples"]))


CELLS = [
    "a\rb", "\r", "c\nd", "e\r\nf", 'say "g"', '"', "h,i;j\tk", " before", "after ", " ", "", "#l",
    "'m", "n\x85o\u2028p\x0bq",
]  # fmt: skip


def test_every_cell_of_the_table_is_in_the_table_of_all_samples(run_samples, table, out):
    header = ["file", *CELLS[:4]]
    rows = [[f"p{i}/000{i}.png", *CELLS[i * 4 + 2 : i * 4 + 6]] for i in range(3)]
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    assert run_samples(table, out)[0] == 0
    with (out / "samples.csv").open(encoding="utf-8", newline="") as file:
        assert [row[1:] for row in csv.reader(file)] == [row[1:] for row in [header, *rows]]
    again = read_records(str(out / "samples.csv"))
    assert [list(again.of(file).values())[1:] for file in again.files] == [row[1:] for row in rows]
    pandas = pytest.importorskip("pandas")
    read = pandas.read_csv(out / "samples.csv", keep_default_na=False)
    assert list(read.columns) == header
    assert read.iloc[:, 1:].to_numpy().tolist() == [row[1:] for row in rows]


def test_neither_threads_nor_time_change_a_byte(run_samples, table, tmp_path):
    for name, threads in (("one", "1"), ("two", "2")):
        run_samples(table, tmp_path / name, "--threads", threads)
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


def test_a_folder_is_taken_without_a_table_and_without_what_is_no_image(run, tmp_path, out):
    pytest.importorskip("webdataset")
    folder = make_archive(tmp_path / "in", 4)
    (folder / "p0" / "0000-notes").write_text("no image")
    (folder / "index.html").write_text("no image")
    status, report, _ = run(
        folder, "--out", out, "--format", "webdataset", "--samples-per-file", "2"
    )
    assert (status, report["written"], report["skipped"]) == (0, 4, 2)
    assert [len(index_of(out, shard)["samples"]) for shard in shards_in(out)] == [2, 2]
    assert (out / "samples.csv").read_text().splitlines()[:2] == ["file", "000000.tar::p0/0000"]


def test_names_in_a_table_may_start_from_a_folder_and_stand_in_any_column(
    run_samples, table, tmp_path, out
):
    other = tmp_path / "elsewhere.csv"
    other.write_text("Image Index;Finding\np1/0001.png;covid\n")
    status, report, _ = run_samples(other, out, table.parent, "--column", "Image Index")
    assert (status, report["written"]) == (0, 1)
    assert (out / "samples.csv").read_text() == "file,Finding\n000000.tar::0001,covid\n"


def test_a_file_that_cannot_be_read_is_missing_and_comes_once_it_is_mended(run_samples, table, out):
    broken = table.parent / "p1" / "0001.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    status, report, err = run_samples(table, out)
    assert (status, report["written"], report["failed"]) == (1, 6, 1)
    assert "0001.png" in err
    assert keys_in(out) == [key for key in keys(7) if key != "p1/0001"]
    others = [(out / shard).stat().st_mtime_ns for shard in shards_in(out)[1:]]
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["failed"], report["failed_before"]) == (1, 0, 1, 1)
    broken.write_bytes(whole)
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["changed"]) == (0, 3, 1)
    assert keys_in(out) == keys(7)
    assert [(out / shard).stat().st_mtime_ns for shard in shards_in(out)[1:]] == others


def test_a_file_of_samples_without_any_readable_image_is_empty(run_samples, table, out):
    for index in range(3):
        (table.parent / f"p{index}" / f"000{index}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["failed"]) == (1, 4, 3)
    assert keys_in(out) == keys(7)[3:]
    assert run_samples(table, out)[1]["failed_before"] == 3


def test_a_further_run_does_nothing(run_samples, table, out):
    run_samples(table, out)
    before = {name: (out / name).stat().st_mtime_ns for name in content_of(out)}
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["exists"]) == (0, 0, 7)
    assert {name: (out / name).stat().st_mtime_ns for name in content_of(out)} == before


def test_what_was_not_chosen_is_looked_at_again_under_another_choice(run_samples, table, out):
    pytest.importorskip("pydicom")
    from tests.helpers.dicom_files import data_set, saved

    header = saved(data_set(synthetic_radiograph(60, 50), Modality="CR"))
    (table.parent / "p0" / "0000.png").write_bytes(header)
    report = run_samples(table, out, "--modality", "CR")[1]
    assert (keys_in(out), report["written"], report["not_chosen"]) == (["p0/0000"], 1, 6)
    report = run_samples(table, out, "--modality", "CR")[1]
    assert (report["exists"], report["written"], report["not_chosen"]) == (1, 0, 6)
    report = run_samples(table, out, "--modality", "DX")[1]
    assert (report["written"], report["not_chosen"]) == (0, 7)
    report = run_samples(table, out)[1]
    assert (keys_in(out), report["written"], report["skipped"]) == (keys(7), 7, 0)


def test_copied_files_of_samples_are_known_by_their_hash(run_samples, table, out):
    run_samples(table, out)
    for shard in shards_in(out):
        os.utime(out / shard)
    assert run_samples(table, out)[1]["exists"] == 7


def test_a_changed_image_or_column_makes_its_file_anew_and_no_other(run_samples, table, out):
    run_samples(table, out)
    cxe.write_image(table.parent / "p0" / "0000.png", synthetic_radiograph(60, 50, seed=99))
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["changed"]) == (0, 3, 1)
    table.write_text(table.read_text().replace("p0/0006.png,covid", "p0/0006.png,normal"))
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["changed"]) == (0, 1, 0)
    assert (out / "samples.csv").read_text().splitlines()[-1] == "000002.tar::p0/0006,normal,train"


def test_a_longer_table_goes_on_where_the_shorter_one_ended(run_samples, table, out):
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:-2]))
    run_samples(table, out)
    assert keys_in(out) == keys(5)
    table.write_text("".join(lines))
    status, report, _ = run_samples(table, out)
    assert (status, report["written"], report["exists"]) == (0, 4, 3)
    assert keys_in(out) == keys(7)


def test_samples_of_other_files_are_refused_and_replaced_when_told(run_samples, table, out):
    run_samples(table, out)
    before = content_of(out)
    status, _, err = run_samples(table, out, samples_per_file=2)
    assert status == 2
    assert "`--out` must hold no samples of other files, or of another --samples-per-file" in err
    assert content_of(out) == before
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([lines[0], *lines[3:]]))
    assert run_samples(table, out)[0] == 2
    assert run_samples(table, out, "--overwrite")[0] == 0
    assert keys_in(out) == keys(7)[2:]
    assert shards_in(out) == ["000000.tar", "000001.tar"]
    assert run_samples(table, out)[1]["exists"] == 5


def test_samples_of_other_inputs_with_the_same_names_are_refused(run_samples, table, tmp_path, out):
    run_samples(table, out)
    before = content_of(out)
    other = make_records(tmp_path / "other", 7, height=70)
    status, _, err = run_samples(other, out)
    assert status == 2
    assert "must hold no samples of other files" in err
    assert "got 3 such files" in err
    assert content_of(out) == before
    assert run_samples(other, out, "--overwrite")[1]["written"] == 7
    make_records(tmp_path / "other", 1, height=50)
    assert run_samples(other, out, samples_per_file=3)[0] == 2  # the table is shorter now
    make_records(tmp_path / "other", 7, height=50)
    status, report, _ = run_samples(other, out)
    assert (status, report["written"], report["changed"]) == (0, 7, 7)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
@pytest.mark.parametrize("is_moved", [True, False])
def test_changed_images_are_known_through_a_link_and_after_a_move(
    run_samples, table, tmp_path, out, is_moved
):
    run_samples(table, out)
    if is_moved:
        (tmp_path / "in").rename(tmp_path / "then")
    else:
        (tmp_path / "then").symlink_to("in")
    cxe.write_image(tmp_path / "then/p0/0000.png", synthetic_radiograph(60, 50, seed=9))
    status, report, _ = run_samples(tmp_path / "then/records.csv", out)
    assert (status, report["changed"], report["written"]) == (0, 1, 3)


def test_other_options_are_named_and_left_until_told(run_samples, table, out):
    run_samples(table, out)
    status, report, _ = run_samples(table, out, "--clip-limit", "5")
    assert (status, report["exists"]) == (0, 7)
    assert report["other_options"] == ["7 with clip_limit 2.0, now 5.0"]
    assert run_samples(table, out, "--clip-limit", "5", "--overwrite")[1]["written"] == 7


def test_samples_of_other_options_are_not_put_beside_those_that_exist(run_samples, table, out):
    (table.parent / "p0" / "0000.png").write_bytes(b"\x89PNG\r\n\x1a\n")  # fails, in the first file
    assert run_samples(table, out)[0] == 1
    before = content_of(out)
    words = ["--size", "20", "20"]
    status, _, err = run_samples(table, out, *words)
    assert status == 2
    assert "other options than those of the 3 to be made; got 4 with" in err
    assert "size_wh None, now [20, 20]" in err
    assert content_of(out) == before
    assert run_samples(table, out, *words, "--overwrite")[1]["written"] == 6


def test_samples_of_other_options_are_not_put_beside_those_of_other_parts(run_samples, table, out):
    assert run_samples(table, out, "--shard", "1/2")[0] == 0
    before = content_of(out)
    words = [table, out, "--shard", "2/2", "--clip-limit", "5"]
    status, _, err = run_samples(*words)
    assert status == 2
    assert "than those of the 3 to be made; got 4 with clip_limit 2.0, now 5.0" in err
    assert content_of(out) == before
    report = run_samples(*words, "--overwrite")[1]
    assert (report["written"], report["other_options"]) == (3, ["4 with clip_limit 2.0, now 5.0"])
    run_samples(table, out, "--shard", "1/2", "--clip-limit", "5", "--overwrite")
    assert run_samples(table, out, "--clip-limit", "5")[1]["other_options"] == []


def test_foreign_and_edited_files_are_left_and_complained_of(run_samples, table, out):
    out.mkdir()
    (out / "000001.tar").write_bytes(b"mine")
    status, report, err = run_samples(table, out)
    assert (status, report["written"], report["unrecorded_outputs"]) == (1, 4, 3)
    assert "3 images may be missing from the samples" in err
    assert (out / "000001.tar").read_bytes() == b"mine"
    with (out / "000000.tar").open("ab") as file:
        file.write(b"more")
    status, report, _ = run_samples(table, out)
    assert (status, report["edited_outputs"]) == (1, 3)
    assert run_samples(table, out, "--overwrite")[0] == 0
    assert keys_in(out) == keys(7)


@pytest.mark.parametrize("name", ["samples.csv", "shards.json", "000001.tar.json"])
def test_a_users_file_under_a_name_of_ours_is_not_replaced(run_samples, table, out, name):
    out.mkdir()
    (out / name).write_text("mine\n")
    status, _, err = run_samples(table, out)
    assert status == 2
    assert name in err
    assert os.listdir(out) == [name]
    assert (out / name).read_text() == "mine\n"
    assert run_samples(table, out, "--overwrite")[0] == 0


def test_a_table_that_was_edited_since_is_not_replaced(run_samples, table, out):
    run_samples(table, out)
    edited = (out / "samples.csv").read_text().replace("covid", "COVID")
    (out / "samples.csv").write_text(edited)
    assert run_samples(table, out)[0] == 2
    assert (out / "samples.csv").read_text() == edited


def test_parts_of_a_run_make_the_files_of_the_whole(run_samples, table, tmp_path, out):
    run_samples(table, tmp_path / "whole")
    for part in (2, 1):
        status, report, _ = run_samples(table, out, "--shard", f"{part}/2")
        assert (status, report["written"]) == (0, {1: 4, 2: 3}[part])
    whole, parts = content_of(tmp_path / "whole"), content_of(out)
    assert parts.pop("shards.json") != b""
    assert {name: parts[name] for name in parts} == {
        name: whole[name] for name in whole if name != "shards.json"
    }
    assert json.loads((out / "shards.json").read_text())["samples"] == 7


def test_a_part_lists_no_samples_of_other_parts_whose_rows_have_changed_since(
    run_samples, table, out
):
    parts = [[table, out, "--shard", f"{number}/2"] for number in (1, 2)]
    for words in parts:
        run_samples(*words)
    table.write_text(table.read_text().replace("covid", "other") + "p0/new.png,normal,val\n")
    cxe.write_image(table.parent / "p0/new.png", synthetic_radiograph(60, 50, seed=9))
    assert run_samples(*parts[0])[0] == 0
    listed = (out / "samples.csv").read_text()
    assert ("000000.tar::" in listed, "000001.tar::" in listed) == (True, False)
    assert run_samples(*parts[1])[0] == 0
    assert len((out / "samples.csv").read_text().splitlines()) == 9
    assert "covid" not in (out / "samples.csv").read_text()


def test_flat_names_are_keys_and_no_name_is_in_the_samples(run_samples, table, out):
    status, _, _ = run_samples(table, out, "--flat-names", "--manifest", out.parent / "rows")
    assert status == 0
    assert len({row["output"] for row in rows_of_file(out.parent / "rows")}) == 3
    for path in out.iterdir():
        content = path.read_bytes()
        assert [key for key in keys(7) if key.encode() in content] == []
    assert all(len(os.path.basename(key)) == 32 for key in keys_in(out))


def rows_of_file(path):
    return [row for row in map(json.loads, path.read_text().splitlines()) if "output" in row]


def test_dots_in_names_and_names_that_meet_give_distinct_keys(run, tmp_path, out):
    pytest.importorskip("webdataset")
    folder = tmp_path / "in"
    (folder / "__meta__").mkdir(parents=True)
    image = np.arange(400, dtype=np.uint8).reshape(20, 20)
    for name in ("1.2.840.png", "1_2_840.png", "4.5.png", "__meta__/a.png"):
        cxe.write_image(folder / name, image)
    assert run(folder, "--out", out, "--format", "webdataset")[0] == 0
    found = keys_in(out)
    assert found[2:] == ["4_5", "x__meta__/a"]
    assert all(key.startswith("1_2_840-") and len(key) == 16 for key in found[:2])
    assert len(set(found)) == 4


def test_the_manifest_has_a_row_for_each_image(run_samples, table, out):
    run_samples(table, out)
    rows = rows_of(out)
    assert [row["status"] for row in rows] == ["written"] * 7
    assert {row["output"] for row in rows} == {str(out / shard) for shard in shards_in(out)}
    sizes = {row["input"]: row["output_size"] for row in rows}
    key = keys(7)[4]
    assert sizes[str(table.parent / f"{key}.png")] == len(image_in(out, "000001.tar", key))


def test_a_dry_run_says_what_goes_where_and_writes_nothing(run_samples, table, out):
    status, report, _ = run_samples(table, out, "--dry-run")
    assert status == 0
    assert [os.path.basename(entry["target"]) for entry in report["todo"]] == [
        *["000000.tar"] * 3, *["000001.tar"] * 3, "000002.tar",
    ]  # fmt: skip
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--format", "png"], "`--records` is only allowed with --format webdataset or tfrecord"),
        (["--from", "x"], "`--records` must not be given with --from: it is a list itself."),
        (["--samples-per-file", "0"], "`--samples-per-file` must be at least 1; got 0."),
        (["--quality", "9"], "only allowed with --format jpeg; got --format webdataset"),
        (["--strip-identity"], "only allowed with --format dicom; got --format webdataset"),
        (["nowhere"], "`INPUT` must be one folder, where the names in --records start"),
        (["--column", "x"], "`--column` must be one of file, label, split; got 'x'"),
    ],
)
def test_what_does_not_go_together_is_refused(run_samples, table, out, words, sentence):
    status, _, err = run_samples(table, out, *words)
    assert status == 2
    assert sentence in err
    assert not out.exists()


def test_samples_per_file_is_no_option_of_a_folder_of_images(run, table, out):
    status, _, err = run(table.parent, "--out", out, "--samples-per-file", "5")
    assert status == 2
    assert "`--samples-per-file` is only allowed with --format webdataset or tfrecord; got" in err


def test_a_missing_library_is_told_before_anything_is_read(run, table, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "webdataset", None)
    status, _, err = run("--records", table, "--out", out, "--format", "webdataset")
    assert status == 1
    assert err.endswith('Install it with: pip install "cxr-enhance[shards]"\n')


def test_records_are_read_by_tf_data(run, table, out):
    tf = pytest.importorskip("tensorflow")
    status, report, _ = run(
        *("--records", table, "--out", out, "--format", "tfrecord", "--samples-per-file", "3"),
    )
    assert (status, report["written"]) == (0, 7)
    features = dict.fromkeys(("key", "image", "label"), tf.io.FixedLenFeature([], tf.string))
    files = [str(out / shard) for shard in shards_in(out)]
    samples = tf.data.TFRecordDataset(files).map(
        lambda record: tf.io.parse_single_example(record, features)
    )
    found = [(one["key"].numpy().decode(), one["label"].numpy().decode()) for one in samples]
    assert found == [(key, ("covid", "normal")[i % 2]) for i, key in enumerate(keys(7))]
    first = next(iter(samples))["image"]
    expected = cxe.enhance(cxe.read_image(table.parent / "p0" / "0000.png"))
    assert_same_image(tf.io.decode_png(first).numpy()[..., 0], expected)
    assert_same_image(cxe.read_image(f"{out}/000000.tfrecord::p0/0000"), expected)


def test_a_million_files_are_cut_into_files_in_little_time(tmp_path):
    """For 20,000, and without looking at any."""
    from cxr_enhance.archive.plan import plan_files
    from cxr_enhance.archive.samples.plan import SampleOptions, SamplePlan

    listed = [f"{tmp_path}/p{i % 100}/{i}.png" for i in range(20_000)]
    started = time.process_time()
    plan = plan_files([], str(tmp_path / "out"), "", listed=listed)
    samples = SamplePlan(plan.files, str(tmp_path / "out"), SampleOptions(container="webdataset"))
    assert len(samples) == 20
    assert samples.keys(19)[-1] == "p99/19999"
    assert time.process_time() - started < 60 * 20_000 / 1_000_000 + 1
