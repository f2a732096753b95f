"""Files looked at one by one: what is read, in which order, and how rows are written."""

from __future__ import annotations

import csv
import io
import os
import sys

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.check import Checked, check_files, csv_line, row_of
from cxr_enhance.archive.plan import plan_files
from cxr_enhance.synthetic import synthetic_radiograph

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv
GRAY = synthetic_radiograph(240, 200)


@pytest.fixture
def look(tmp_path):
    """Give a function that looks at inputs and maps their names to what was found."""

    def call(*inputs, threads=2):
        plan = plan_files(list(map(str, inputs)), str(tmp_path / "none.csv"), ".csv")
        return {row.file: row for row in check_files(plan, threads)}

    return call


def test_equal_pixels_are_named_whatever_the_format_and_the_channels(look, tmp_path):
    cxe.write_image(tmp_path / "a.png", GRAY)
    cxe.write_image(tmp_path / "b.tif", np.dstack([GRAY] * 3))
    cxe.write_image(tmp_path / "c.png", GRAY[:, ::-1])
    found = look(tmp_path)
    assert [row.findings for row in found.values()] == [(), ("equal-pixels",), ()]
    assert found[str(tmp_path / "b.tif")].detail == f"equal to {tmp_path / 'a.png'}"


def test_what_cannot_be_read_is_a_row_and_what_is_no_image_is_none(look, tmp_path):
    cxe.write_image(tmp_path / "whole.jpg", GRAY)
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image")
    found = look(tmp_path, tmp_path / "missing.png")
    assert {row.file.rpartition("/")[2]: row.findings for row in found.values()} == {
        "missing.png": ("unreadable",), "cut.jpg": ("unreadable",),
        "empty.png": ("unreadable",), "whole.jpg": (),
    }  # fmt: skip
    assert found[str(tmp_path / "missing.png")].detail == "does not exist."
    assert all(row.detail for row in found.values() if row.findings)
    named = look(tmp_path / "notes.txt")
    assert [row.findings for row in named.values()] == [("unreadable",)]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
def test_a_link_to_a_pipe_is_not_waited_for(look, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.png").symlink_to(tmp_path / "pipe")
    (row,) = look(tmp_path).values()
    assert (row.findings, row.detail) == (("unreadable",), "is not a regular file.")


@pytest.mark.parametrize("threads", [1, 3])
def test_rows_come_in_the_order_of_names_on_any_number_of_threads(look, tmp_path, threads):
    for index in range(30):
        cxe.write_image(tmp_path / f"{index:02}.png", GRAY[: 100 + index])
    names = [name.rpartition("/")[2] for name in look(tmp_path, threads=threads)]
    assert names == [f"{index:02}.png" for index in range(30)]


def test_a_dicom_header_is_told(look, tmp_path):
    pytest.importorskip("pydicom")
    from tests.helpers.dicom_files import data_set, saved

    lateral = data_set(255 - GRAY, ViewPosition="LL", Modality="DX", BurnedInAnnotation="YES")
    (tmp_path / "scan.dcm").write_bytes(saved(lateral))
    (row,) = look(tmp_path).values()
    assert (row.format, row.width, row.height, row.bits) == ("DICOM", 200, 240, 8)
    assert (row.modality, row.view) == ("DX", "LL")
    assert row.findings == ("inverted", "lateral", "burned-in-text")


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-x", "@a", "'quoted", "\tx"])
def test_no_spreadsheet_runs_a_name(name):
    (line,) = csv.reader(io.StringIO(csv_line([name, 1, None]).decode()))
    assert line == [f"'{name}", "1", ""]


def test_a_row_has_the_columns_of_its_record():
    row = Checked("röntgen,\n.png", ("inverted", "lateral"), width=5)
    (line,) = csv.reader(io.StringIO(row_of(row).decode(), newline=""))
    assert line == ["röntgen,\n.png", "inverted;lateral", "", "", "5", "", "", "", "", ""]
    assert row_of(Checked("\udcff.png", ())).startswith(b"\xff.png,")
