"""Public sets whose tables a spreadsheet saved again, or whose files were renamed on the way."""

import csv
import gzip
import io
import os

import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.indexing import list_images
from tests.cxr_models.records.trees import (
    chexpert,
    class_folders,
    covid,
    nih,
    readers,
    tuberculosis,
)

WITH_TABLES = {
    "nih": nih.nih,
    "rsna": nih.rsna,
    "siim-acr": nih.siim,
    "chexpert": chexpert.chexpert,
    "chexpert-batches": chexpert.chexpert_batches,
    "mimic-cxr-jpg": chexpert.mimic_cxr_jpg,
    "mimic-cxr": chexpert.mimic_cxr,
    "brax": chexpert.brax,
    "padchest": readers.padchest,
    "vindr-cxr": readers.vindr_cxr,
    "vindr-cxr-kaggle": readers.vindr_challenge,
    "open-i": readers.open_i_kaggle,
    "ieee8023": covid.ieee8023,
}
OTHERS = {
    "kermany": class_folders.kermany,
    "covid19-radiography": class_folders.radiography,
    "covidx": covid.covidx,
    "open-i-xml": readers.open_i,
    "montgomery": tuberculosis.montgomery,
    "shenzhen": tuberculosis.shenzhen,
    "tbx11k": tuberculosis.tbx11k,
}
OF_DICOM = (nih.rsna, nih.siim, chexpert.mimic_cxr, readers.vindr_cxr, readers.vindr_challenge)


def facts(folder):
    """Return the set of a folder, its images in lower case, and the images that are left out."""
    listed = list_images(folder, choices=Choices(official_split=True, views=["all"]))
    index = listed.image_index
    records = {
        os.path.splitext(r.file)[0].lower(): (
            r.label, r.patient.lower(), r.source, r.view, r.split, r.study, r.modality, r.sex,
            r.age, r.manufacturer, r.date, r.findings,
        )
        for r in index.records
    }  # fmt: skip
    skipped = {os.path.splitext(entry.file)[0].lower() for entry in index.skipped}
    return listed.known_set.name, records, skipped


def written(write, folder):
    if write in OF_DICOM:
        pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    write(folder)
    return facts(folder)


def save_again(folder, change=None, mark="", **form):
    """Write every CSV of a folder again, in another form, with changed rows."""
    for path in folder.rglob("*.csv*"):
        data = path.read_bytes()
        packed = path.suffix == ".gz"
        text = (gzip.decompress(data) if packed else data).decode("utf-8-sig", "replace")
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        file = io.StringIO(newline="")
        csv.writer(file, **form).writerows([header, *(change(rows) if change else rows)])
        data = (mark + file.getvalue()).encode()
        path.write_bytes(gzip.compress(data) if packed else data)


def with_blanks(rows):
    return [[f" {cell} " if cell else cell for cell in row] for row in rows]


def with_empty_rows(rows):
    return [*rows, [""] * len(rows[0]), []] if rows else rows


def with_each_row_twice(rows):
    return [row for row in rows for _ in range(2)]


@pytest.mark.parametrize(
    "form",
    [
        {"delimiter": ";"},
        {"delimiter": "\t", "mark": "\ufeff"},
        {"quoting": csv.QUOTE_ALL, "mark": "\ufeff"},
        {"change": with_blanks},
        {"change": with_empty_rows},
    ],
    ids=["semicolons", "tabs", "quotes", "blanks", "empty-rows"],
)
@pytest.mark.parametrize("write", WITH_TABLES.values(), ids=WITH_TABLES)
def test_tables_that_were_saved_again_give_the_same_images(tmp_path, write, form):
    before = written(write, tmp_path)
    save_again(tmp_path, **form)
    assert facts(tmp_path) == before


@pytest.mark.parametrize("write", [nih.nih, chexpert.mimic_cxr_jpg, covid.ieee8023])
def test_rows_that_a_table_repeats_count_once(tmp_path, write):
    before = written(write, tmp_path)
    save_again(tmp_path, with_each_row_twice)
    assert facts(tmp_path) == before


@pytest.mark.parametrize("renamed", [str.upper, str.lower])
@pytest.mark.parametrize("write", [*WITH_TABLES.values(), *OTHERS.values()])
def test_letter_case_of_names_makes_no_difference(tmp_path, write, renamed):
    before = written(write, tmp_path / "set")
    for path in sorted((tmp_path / "set").rglob("*"), reverse=True):
        path.rename(path.with_name(renamed(path.name)))
    assert facts(tmp_path / "set") == before
