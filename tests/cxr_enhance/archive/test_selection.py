"""A run enhances what its choices name; the rest gets rows, and other choices look at it again."""

from __future__ import annotations

import json

import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.selection import Selection
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import rows_of

pytest.importorskip("cv2")
pytest.importorskip("pydicom")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from tests.helpers.dicom_files import data_set, saved  # noqa: E402

GRAY = synthetic_radiograph(60, 50)


@pytest.fixture
def mixed(tmp_path):
    """Write frontal, lateral and CT files, one that names no view, a PNG and a text."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, elements in {
        "ap": {"Modality": "CR", "ViewPosition": "AP", "BodyPartExamined": "CHEST"},
        "ct": {"Modality": "CT", "ViewPosition": "PA"},
        "ll": {"Modality": "DX", "ViewPosition": "LL", "BodyPartExamined": "CHEST"},
        "none": {"Modality": "DX", "ViewPosition": "", "BodyPartExamined": "HAND"},
        "pa": {"Modality": "DX", "ViewPosition": "PA ", "BodyPartExamined": "CHEST"},
    }.items():
        (folder / f"{name}.dcm").write_bytes(saved(data_set(GRAY, **elements)))
    cxe.write_image(folder / "scan.png", GRAY)
    (folder / "notes.txt").write_text("no image")
    return folder


def reasons(out):
    """Map the name of each input to the status and reason of its last row."""
    return {row["input"].rpartition("/")[2]: (row["status"], row["error"]) for row in rows_of(out)}


WRITTEN = ("written", "")


def test_files_left_out_get_a_row_with_the_reason(run, mixed, tmp_path):
    out = tmp_path / "out"
    status, report, err = run(mixed, "--out", out, "--modality", "cr,DX", "--views", "PA,AP")
    assert (status, err) == (0, "")
    modality, views = "not chosen by --modality cr,DX: ", "not chosen by --views PA,AP: "
    assert reasons(out) == {
        "ap.dcm": WRITTEN,
        "pa.dcm": WRITTEN,
        "ct.dcm": ("skipped", f"{modality}Modality is CT"),
        "ll.dcm": ("skipped", f"{views}View Position is LL"),
        "none.dcm": ("skipped", f"{views}View Position is missing"),
        "scan.png": ("skipped", f"{modality}it has no DICOM header"),
        "notes.txt": ("skipped", f"{modality}it has no DICOM header"),
    }
    assert (report["written"], report["skipped"], report["not_chosen"]) == (2, 5, 5)


@pytest.mark.parametrize("tag", ["BodyPartExamined", "0018,0015", "(0018,0015)", "00180015"])
def test_any_element_chooses_by_keyword_or_number(run, mixed, tmp_path, tag):
    report = run(mixed, "--out", tmp_path / "out", "--where", f"{tag}=hand")[1]
    written = [file["source"] for file in report["files"] if file["status"] == "written"]
    assert written == [str(mixed / "none.dcm")]


def test_elements_of_the_file_itself_choose_too(run, mixed, tmp_path):
    explicit = "TransferSyntaxUID=1.2.840.10008.1.2.1"
    report = run(mixed, "--out", tmp_path / "out", "--where", explicit)[1]
    assert (report["written"], report["not_chosen"]) == (5, 2)
    report = run(mixed, "--out", tmp_path / "other", "--where", f"{explicit}.99")[1]
    assert (report["written"], report["not_chosen"]) == (0, 7)


def test_numbers_are_compared_as_they_are_written(run, mixed, tmp_path):
    report = run(mixed, "--out", tmp_path / "out", "--where", "Rows=60", "--views", "PA")[1]
    assert report["written"] == 2


def test_a_value_that_may_be_a_patients_is_in_no_row(run, mixed, tmp_path):
    out = tmp_path / "out"
    (mixed / "ap.dcm").write_bytes(saved(data_set(GRAY, PatientID="SECRET-4711")))
    run(mixed / "ap.dcm", "--out", out, "--where", "PatientID=other")
    assert reasons(out)["ap.dcm"][1].endswith(": PatientID has another value")
    assert "SECRET" not in (out / "manifest.jsonl").read_text()


def test_other_choices_look_again_and_the_same_do_not(run, mixed, tmp_path):
    out = tmp_path / "out"
    run(mixed, "--out", out, "--modality", "CR,DX", "--views", "PA")
    rows = len(rows_of(out))
    assert run(mixed, "--out", out, "--modality", "CR,DX", "--views", "PA")[1]["not_chosen"] == 6
    assert len(rows_of(out)) == rows  # nothing was looked at
    report = run(mixed, "--out", out, "--modality", "CR,DX", "--views", "AP,LL")[1]
    assert (report["written"], report["not_chosen"]) == (2, 4)
    by_modality = sum("by --modality" in row["error"] for row in rows_of(out))
    assert by_modality == 3  # the CT, the PNG and the text, once
    report = run(mixed, "--out", out)[1]
    assert (report["written"], report["skipped"], report["not_chosen"]) == (3, 1, 0)
    assert reasons(out)["notes.txt"] == ("skipped", "no image")


def test_an_output_stays_where_its_file_is_not_chosen_any_more(run, mixed, tmp_path):
    out = tmp_path / "out"
    run(mixed, "--out", out)
    before = (out / "ct.png").read_bytes()
    status, report, _ = run(mixed, "--out", out, "--modality", "DX")
    assert (status, report["other_options"]) == (0, [])
    assert (out / "ct.png").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--modality", "CR,,DX"], "`--modality` must be values separated by commas; got 'CR,,DX'"),
        (["--views", ""], "`--views` must be values separated by commas; got ''."),
        (
            ["--where", "=CR"],
            "`--where` must be TAG=VALUE, such as BodyPartExamined=CHEST; got '=CR'",
        ),
        (["--where", "Modality"], "`--where` must be TAG=VALUE, such as BodyPartExamined=CHEST"),
        (["--where", "Modlity=CR"], "`--where` must name an element by its DICOM keyword or as"),
    ],
)
def test_what_chooses_nothing_is_wrong_usage(run, mixed, tmp_path, words, sentence):
    status, _, err = run(mixed, "--out", tmp_path / "out", *words)
    assert status == 2
    assert sentence in err


def test_one_image_is_not_chosen_from_anything(run, mixed, tmp_path):
    words = [mixed / "ap.dcm", "--out", tmp_path / "out.png", "--views", "AP"]
    assert "`--views` is only allowed with a folder as --out" in run(*words)[2]


def test_a_selection_without_criteria_reads_nothing(tmp_path):
    assert Selection().reason_against(str(tmp_path / "missing")) == ""


def test_the_summary_counts_what_was_not_chosen(mixed, tmp_path, capfd):
    from cxr_enhance.cli import main

    assert main(["run", str(mixed), "--out", str(tmp_path / "out"), "--views", "PA"]) == 0
    assert capfd.readouterr().out.startswith("2 enhanced, 5 skipped (not chosen) in")
    assert json.loads((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()[0])


def test_a_dry_run_says_that_it_read_no_headers(mixed, tmp_path, capfd):
    from cxr_enhance.cli import main

    words = ["run", str(mixed), "--out", str(tmp_path / "out"), "--dry-run"]
    sentence = "headers were not read: files that --modality, --views and --where leave out"
    assert main(words) == 0
    assert sentence not in capfd.readouterr().out
    assert main([*words, "--views", "PA"]) == 0
    assert sentence in capfd.readouterr().out
