"""What is written behind an apostrophe is read without it, and no name of a file is changed."""

from __future__ import annotations

import pytest

from cxr_enhance.archive._cells import escaped_cell, name_in_cell
from cxr_enhance.archive.check import csv_line
from cxr_enhance.archive.samples.records import read_records
from cxr_enhance.archive.sources import read_list
from cxr_models._cells import escape_formula

NAMES = ["@x.png", "-1.png", "=a.png", "+b.png", "\t.png", "\r.png", "'q'.png", "'@.png", "a'b.png"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_was_escaped_is_read_back(name):
    assert name_in_cell(escaped_cell(name)) == name


@pytest.mark.parametrize("name", NAMES)
def test_a_report_of_check_lists_the_files_that_it_names(tmp_path, name):
    path = tmp_path / "report.csv"
    path.write_bytes(csv_line(["file", "findings"]) + csv_line([name, "blank"]))
    if "\r" not in name:  # a name of two lines must exist
        assert read_list(str(path), "file") == [name]
    assert read_records(str(path), root="in").files == [f"in/{name}"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "'q'.png"])
def test_a_name_that_cxr_models_escaped_is_read_back(name):
    assert name_in_cell(escape_formula(name)) == name


def test_an_apostrophe_that_is_part_of_the_only_such_file_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "'@x.png").touch()
    assert name_in_cell("'@x.png") == "'@x.png"
    assert name_in_cell("'@x.png", "elsewhere") == "@x.png"
    (tmp_path / "@x.png").touch()
    assert name_in_cell("'@x.png") == "@x.png"


def test_a_name_that_no_file_can_have_is_read_all_the_same():
    assert name_in_cell("'@\0") == "@\0"
