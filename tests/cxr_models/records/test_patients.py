import warnings

import pytest

from cxr_models import Record
from cxr_models.records.left_out import (
    SAME_GROUP,
    SAME_PATIENT,
    THROUGH_OTHER_IMAGES,
    causes_of_leaving_out,
)
from cxr_models.records.patients import normalised_id, patient_key, remark_on_rounded
from cxr_models.records.splits import leave_sources_out, split_records
from cxr_models.records.ties import components, with_shared_ids


@pytest.mark.parametrize(
    ("spellings", "same"),
    [
        (("P001", "p001", " P001 ", "p 001", "\uff30001"), "p001"),
        (("12", "00012", "12.0", "12.", "012.00", " 12"), "12"),
        (("0", "000", "0.0"), "0"),
        (("100", "0100"), "100"),
        (("12.5", "12.5 "), "12.5"),
        (("", " ", "unknown", "Unknown", "UNK", "nan", "NaN", "None", "null", "N/A", "n/a", "-",
          "not available", "ANONYMOUS", "?"), ""),
    ],
)  # fmt: skip
def test_spellings_of_one_id_are_one(spellings, same):
    assert {normalised_id(spelling) for spelling in spellings} == {same}


def test_ids_that_only_resemble_each_other_are_several():
    ids = ("P1", "P01", "P10", "1", "10", "1.5", "15", "1-5", "nano", "nonesuch")
    assert [normalised_id(name) for name in ids] == [name.lower() for name in ids]


def record(file, patient="", source="", group=""):
    return Record(file=file, label="a", patient=patient, source=source, group=group)


def test_spellings_are_tied_and_kept_as_written():
    names = ["P001", "p001", "7", "007.0", "unknown", "unknown", ""]
    records = [record(str(i), name) for i, name in enumerate(names)]
    assert components(records) == [0, 0, 2, 2, 4, 5, 6]
    assert [made.patient for made in split_records(records)] == names


def test_equal_ids_of_two_sources_are_two_patients_unless_ids_are_shared():
    records = [
        record("1", "P1", "a"),
        record("2", "p1", "b", "g1"),
        record("3", "P2", "b", "g1"),
        record("4", "P3", "b", "s000000"),
        record("5", "P4", "a"),
        record("6", "p4", "b"),
        record("7", "unknown", "a"),
        record("8", "unknown", "b"),
    ]
    assert components(records) == [0, 1, 1, 3, 4, 5, 6, 7]
    assert patient_key(records[0]) == ("a", "p1")
    shared = with_shared_ids(records)
    assert components(shared) == [0, 0, 0, 3, 4, 4, 6, 7]
    assert [one.group for one in shared[3:4] + shared[6:]] == ["s000000", "", ""]
    assert [one.patient for one in shared] == [one.patient for one in records]


def test_what_a_source_left_out_takes_along_is_counted_by_its_cause():
    records = [
        record("1", "P1", "a"),
        record("2", "P1", "b"),
        record("3", "P2", "b", "g1"),
        record("4", "P3", "a", "g1"),
        record("5", "P2", "b"),
        record("6", "P6", "b"),
        record("7", "P7", "b"),
    ]
    for shared, expected in (
        (False, {SAME_GROUP: 1, THROUGH_OTHER_IMAGES: 1}),
        (True, {SAME_PATIENT: 1, SAME_GROUP: 1, THROUGH_OTHER_IMAGES: 1}),
    ):
        tied = with_shared_ids(records) if shared else records
        with warnings.catch_warnings(action="ignore"):  # nothing but b is left to train on
            parts = [one.split for one in leave_sources_out(tied)["a"]]
        assert causes_of_leaving_out(records, parts, "a", shared_ids=shared) == expected


@pytest.mark.parametrize("patient", ["8.39861E+35", "8,39861E+35", "2E+08", "1.2e+11"])
def test_ids_that_a_spreadsheet_rounded_are_told(patient):
    records = [Record(file=f"{i}.png", label="a", patient=patient) for i in range(2)]
    assert remark_on_rounded(records).startswith(f"2 images have a patient id such as '{patient}'")


@pytest.mark.parametrize("patient", ["", "839861", "2E08", "E+08", "P2E+08", "1.2.840.10008"])
def test_other_ids_are_not_rounded(patient):
    assert remark_on_rounded([Record(file="1.png", label="a", patient=patient)]) == ""
