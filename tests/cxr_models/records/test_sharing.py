import random

import numpy as np
import pytest

from cxr_models import Record
from cxr_models.records.sharing import assign_parts, values_of_patient
from cxr_models.records.splits import check_no_leak, fold_records, leave_sources_out, split_records

FINDINGS = ("Common", "Rare", "Partly")
FRACTIONS = (0.7, 0.15, 0.15)


def make_records(patients=400, seed=3):
    """Give patients of one to four images; 40 % are Common, 4 % Rare; Partly is seldom known."""
    rng = np.random.default_rng(seed)
    records = []
    for patient in range(patients):
        values = [rng.uniform() < 0.4, rng.uniform() < 0.04, rng.uniform() < 0.5]
        known = (True, True, rng.uniform() < 0.2)
        for image in range(rng.integers(1, 5)):
            cells = [
                str(int(value)) if is_known else rng.choice(["", "u"])
                for value, is_known in zip(values, known, strict=True)
            ]
            records.append(
                Record(
                    file=f"{patient}-{image}.png",
                    label="image",
                    patient=f"p{patient}",
                    source="ab"[patient % 2],
                    findings=tuple(zip(FINDINGS, map(str, cells), strict=True)),
                )
            )
    return records


def patients_with(records, finding, value):
    """Count in each part the patients of whom an image has this value."""
    by_part = {}
    for record in records:
        if record.finding(finding) == value:
            by_part.setdefault(record.split, set()).add(record.patient)
    return [len(by_part.get(part, ())) for part in ("train", "val", "test")]


def test_every_value_of_every_finding_is_shared_out_and_patients_stay_whole():
    made = split_records(make_records(), findings=FINDINGS)
    check_no_leak(made)
    for finding in FINDINGS:
        for value in "10":
            counts = np.array(patients_with(made, finding, value))
            expected = counts.sum() * np.array(FRACTIONS)
            assert (np.abs(counts - expected) <= 2).all(), (finding, value, counts)
    images = np.array([sum(r.split == part for r in made) for part in ("train", "val", "test")])
    np.testing.assert_allclose(images / images.sum(), FRACTIONS, atol=0.03)


def test_the_order_of_the_records_does_not_matter_and_the_seed_does():
    records = make_records(60)
    shuffled = random.Random(1).sample(records, len(records))
    parts = {r.file: r.split for r in split_records(records, findings=FINDINGS)}
    again = {r.file: r.split for r in split_records(shuffled, findings=FINDINGS)}
    other = {r.file: r.split for r in split_records(records, findings=FINDINGS, seed=1)}
    assert parts == again
    assert parts != other


def test_three_patients_of_a_rare_finding_are_in_three_parts():
    records = [
        Record(file=f"{i}.png", label="a", findings=(("Rare", "1" if i < 3 else "0"),))
        for i in range(100)
    ]
    parts = assign_parts(records, FRACTIONS, 0, ["Rare"])
    assert sorted(parts[:3]) == [0, 1, 2]
    assert [parts.count(part) for part in range(3)] == [68, 16, 16]


def test_patients_of_whom_nothing_is_known_are_shared_out_by_their_images():
    records = [Record(file=f"{i}.png", label="a", findings=(("Rare", "u"),)) for i in range(100)]
    parts = assign_parts(records, FRACTIONS, 0, ["Rare"])
    assert [parts.count(part) for part in range(3)] == [70, 15, 15]


def test_a_patient_has_what_one_image_shows_and_lacks_what_none_shows():
    records = [
        Record(file="1", label="a", findings=(("A", "0"), ("B", "0"), ("C", "u"), ("D", ""))),
        Record(file="2", label="a", findings=(("A", "1"), ("B", ""), ("C", "u"), ("D", ""))),
    ]
    assert values_of_patient(records, ["D", "B", "A", "C"]) == {"B": "0", "A": "1"}


def test_folds_and_splits_by_source_are_stratified_too():
    records = make_records()
    for fold in fold_records(records, folds=5, findings=FINDINGS):
        counts = patients_with(fold, "Rare", "1")
        assert counts[1:] == pytest.approx([sum(counts) / 5] * 2, abs=1)
    for part in leave_sources_out(records, val_fraction=0.2, findings=FINDINGS).values():
        train, val, _ = patients_with(part, "Rare", "1")
        assert val == pytest.approx(0.2 * (train + val), abs=1)
