"""`cxr-enhance check`: one CSV, a summary, and the exit status that was asked for."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.findings import KINDS
from cxr_enhance.synthetic import synthetic_radiograph

pytest.importorskip("typer")
pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

from cxr_enhance.cli._choices import FailOnChoice  # noqa: E402

GRAY = synthetic_radiograph(240, 200)


def rows_of(report):
    """Read the rows of a report, by column."""
    return list(csv.DictReader(report.read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def folder(tmp_path):
    """Write a sound image, its negative and a blank one."""
    (tmp_path / "in").mkdir()
    for name, image in (("a", GRAY), ("b", 255 - GRAY), ("c", np.zeros_like(GRAY))):
        cxe.write_image(tmp_path / "in" / f"{name}.png", image)
    return tmp_path / "in"


def test_every_file_is_a_row_and_every_finding_is_counted(cli, folder, tmp_path):
    result = cli("check", folder, "--out", tmp_path / "report.csv")
    assert (result.status, result.err) == (0, "")
    rows = rows_of(tmp_path / "report.csv")
    assert [(row["file"], row["findings"]) for row in rows] == [
        (str(folder / "a.png"), ""), (str(folder / "b.png"), "inverted"),
        (str(folder / "c.png"), "blank"),
    ]  # fmt: skip
    assert [line.split()[:2] for line in result.out.splitlines()] == [
        ["3", "looked"], ["1", "blank"], ["1", "inverted"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ([], 0), (["none"], 0), (["any"], 1), (["inverted"], 1), (["lateral"], 0),
        (["lateral", "blank"], 1),
    ],
)  # fmt: skip
def test_the_status_is_by_choice(cli, folder, tmp_path, kinds, status):
    words = [word for kind in kinds for word in ("--fail-on", kind)]
    assert cli("check", folder, "--out", tmp_path / "report.csv", *words).status == status


def test_what_cannot_be_read_fails_unless_said_otherwise(cli, tmp_path):
    words = ["check", tmp_path / "missing.png", "--out", tmp_path / "report.csv"]
    assert cli(*words).status == 1
    assert cli(*words, "--overwrite", "--fail-on", "none").status == 0


def test_the_largest_number_of_pixels_can_be_raised_as_the_row_says(cli, folder, tmp_path):
    out = tmp_path / "report.csv"
    assert cli("check", folder, "--out", out, "--max-pixels", "10").status == 1
    assert "Raise `max_pixels` if you trust the file, or make it smaller" in out.read_text()
    assert cli("check", folder, "--out", out, "--overwrite").status == 0


def test_an_image_of_too_many_pixels_is_made_smaller_by_the_command_of_the_message(
    cli, folder, tmp_path
):
    paths = {"FILE": folder / "a.png", "SMALLER.png": tmp_path / "smaller.png"}
    with pytest.raises(ValueError, match="at most 100 pixels") as error:
        cxe.read_image(paths["FILE"], max_pixels=100)
    words = str(error.value).partition("cxr-enhance ")[2].partition(". File")[0].split()
    assert cli(*(paths.get(word, word) for word in words)).status == 0
    assert cxe.read_image(paths["SMALLER.png"], max_pixels=100).shape == (10, 8)


def test_a_report_that_exists_is_left_unless_it_is_to_be_replaced(cli, folder, tmp_path):
    report = tmp_path / "report.csv"
    report.write_text("mine")
    result = cli("check", folder, "--out", report)
    assert result.status == 2
    assert "`--out` must not exist" in result.err
    assert report.read_text() == "mine"
    assert cli("check", folder, "--out", report, "--overwrite").status == 0
    assert report.read_text().startswith("file,findings,")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "a.png"], "`--out` must end in .csv; got 'a.png'"),
        (["--out", "no/a.csv"], "`--out` must name a file in a folder that exists; got"),
        (["--out", "a.csv", "--threads", "0"], "`--threads` must be at least 1; got 0"),
        (
            ["--out", "a.csv", "--fail-on", "none", "--fail-on", "blank"],
            "`--fail-on none` is only allowed alone; got none, blank",
        ),
    ],
)
def test_contradictions_are_sentences_and_status_2(
    cli, folder, tmp_path, monkeypatch, words, sentence
):
    monkeypatch.chdir(tmp_path)
    result = cli("check", folder, *words)
    assert result.status == 2
    assert sentence in result.err


def test_files_without_an_extension_in_the_working_folder_are_looked_at(
    cli, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(folder)
    (folder / "a.png").rename(folder / "a")
    assert cli("check", ".", "--out", "report.csv", "--fail-on", "unreadable").status == 0
    rows = rows_of(folder / "report.csv")
    assert [row["file"] for row in rows] == ["./a", "./b.png", "./c.png"]


def test_links_to_folders_are_named_and_not_followed(cli, folder, tmp_path):
    (folder / "link").symlink_to(tmp_path, target_is_directory=True)
    result = cli("check", folder, "--out", tmp_path / "report.csv")
    assert f"skipped: {folder / 'link'}: link to a folder, not followed" in result.err
    assert "3 looked at" in result.out


def test_each_finding_can_decide_the_status():
    assert [kind.value for kind in FailOnChoice] == [*KINDS, "any", "none"]
