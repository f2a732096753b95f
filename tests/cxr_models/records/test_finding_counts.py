import dataclasses

from cxr_models import Record
from cxr_models.records.finding_counts import PatientCount, count_patients


def test_patients_are_counted_by_part_and_tied_images_once():
    rows = [
        ("train", "p", "1"), ("train", "p", "0"), ("train", "q", "0"), ("train", "r", "u"),
        ("val", "s", ""), ("val", "t", "1"), ("", "x", "1"),
    ]  # fmt: skip
    records = [
        Record(
            file=f"{i}.png", label="a", patient=patient, split=split, findings=(("Mass", value),)
        )
        for i, (split, patient, value) in enumerate(rows)
    ]
    counts = count_patients(records, ["Mass", "Edema"])
    assert counts["Mass"] == {
        "train": PatientCount(1, 2),
        "val": PatientCount(1, 1),
        "test": PatientCount(0, 0),
    }
    assert counts["Edema"]["train"] == PatientCount(0, 0)
    tied = [dataclasses.replace(record, group="g") for record in records[:3]]
    assert count_patients(tied, ["Mass"])["Mass"]["train"] == PatientCount(1, 1)
    assert count_patients(records, []) == {}
