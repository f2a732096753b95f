from pathlib import Path

import numpy as np
import pytest

from cxr_enhance import read_image, write_image
from cxr_models.records.choices import Choices
from cxr_models.records.known_sets import index_set, recognise
from cxr_models.records.layouts.tree import Tree
from tests.cxr_models.records.trees import packed as trees
from tests.cxr_models.records.trees.reading import columns_of
from tests.helpers.radiographs import draw


def read(folder, unpack, **choices):
    tree = Tree(folder)
    known = recognise(tree)
    return known.name, index_set(tree, known, Choices(**choices), unpack=unpack)


def test_jsrt_is_unpacked_and_read_by_records_that_run_together(tmp_path):
    trees.jsrt(tmp_path / "set")
    name, index = read(tmp_path / "set", tmp_path / "out")
    assert name == "jsrt"
    assert columns_of(index, "label", "patient", "view", "sex", "age") == [
        ("nodule", "JPCLN001", "PA", "M", "053Y"),
        ("nodule", "JPCLN002", "PA", "F", "068Y"),
        ("normal", "JPCNN001", "PA", "F", "055Y"),
    ]
    assert [record.findings for record in index.records] == [
        (("Nodule", nodule), ("Malignant", malignant)) for nodule, malignant in ("11", "10", "00")
    ]
    assert (index.listed, index.absent) == (4, 1)
    assert index.records[0].file == str(tmp_path / "out/JPCLN001.png")
    written = read_image(index.records[0].file)
    assert written.shape == (2048, 2048)
    np.testing.assert_array_equal(written[::32, ::32], draw(0, 64)[:64, :64].astype("u2") * 16)


def test_jsrt_that_was_converted_before_is_taken_as_it_is(tmp_path):
    trees.jsrt(tmp_path)
    for path in sorted(tmp_path.rglob("*.IMG")):
        write_image(path.with_suffix(".png"), read_image(path, raw="jsrt"))
        path.unlink()
    _, index = read(tmp_path, None)
    assert index.records[0].file == "All247images/JPCLN001.png"


def test_pneumoniamnist_is_unpacked_part_by_part(tmp_path):
    trees.pneumoniamnist(tmp_path / "set")
    name, index = read(tmp_path / "set", tmp_path / "out", official_split=True)
    assert name == "medmnist"
    assert columns_of(index, "label", "source", "patient", "split") == [
        ("normal", "pneumoniamnist", "", "train"),
        ("pneumonia", "pneumoniamnist", "", "train"),
        ("pneumonia", "pneumoniamnist", "", "train"),
        ("normal", "pneumoniamnist", "", "val"),
        ("pneumonia", "pneumoniamnist", "", "test"),
        ("normal", "pneumoniamnist", "", "test"),
    ]
    last = Path(index.records[-1].file)
    assert last == tmp_path / "out/test/pneumoniamnist-test-000001.png"
    np.testing.assert_array_equal(read_image(last), draw(21, 64)[:28, :28])
    again = read(tmp_path / "set", tmp_path / "out")[1]
    assert [record.file for record in again.records] == [record.file for record in index.records]


def test_chestmnist_has_the_findings_of_nih(tmp_path):
    trees.chestmnist(tmp_path / "set")
    _, index = read(tmp_path / "set", tmp_path / "out")
    assert columns_of(index, "label", "source")[:2] == [
        ("several findings", "chestmnist"),
        ("normal", "chestmnist"),
    ]
    assert [name for name, value in index.records[0].findings if value == "1"] == [
        "Effusion", "Pleural_Thickening",
    ]  # fmt: skip


def test_what_lies_where_an_image_is_to_be_unpacked_stays(tmp_path):
    trees.pneumoniamnist(tmp_path / "set")
    mine = tmp_path / "out/train/pneumoniamnist-train-000000.png"
    mine.parent.mkdir(parents=True)
    write_image(mine, draw(50, 64))
    before = mine.read_bytes()
    with pytest.raises(ValueError, match="must not exist, or be what this command wrote"):
        read(tmp_path / "set", tmp_path / "out")
    assert mine.read_bytes() == before


def test_jsrt_without_its_tables_is_labelled_by_the_names_of_images(tmp_path):
    trees.jsrt(tmp_path / "set")
    for path in sorted((tmp_path / "set").rglob("*")):
        if path.name.upper().endswith("_EN.TXT"):
            path.unlink()
        elif path.suffix == ".IMG":
            path.rename(path.with_suffix(".img"))
    name, index = read(tmp_path / "set", tmp_path / "out")
    assert name == "jsrt"
    assert {(record.patient[:5], record.label, record.age) for record in index.records} == {
        ("JPCLN", "nodule", ""),
        ("JPCNN", "normal", ""),
    }
