from cxr_models import Record
from cxr_models.records.official import (
    faults_of,
    has_split,
    kept_split,
    with_val,
    without_leaks,
)
from cxr_models.records.splits import check_no_leak


def record(file, split, patient="", group=""):
    return Record(file=file, label="a", split=split, patient=patient, group=group)


LEAKING = [
    record("1", "train", "p1"),
    record("2", "test", "P1"),
    record("3", "train", "p2"),
    record("4", "val", "p2", "g1"),
    record("5", "test", "p3", "g1"),
    record("6", "train", "p4"),
    record("7", "", "p3"),
]


def test_a_split_that_shares_patients_and_copies_is_described_with_files():
    assert faults_of(LEAKING) == [
        "1 patients are in train and test, 2 images:",
        "  1 in train, 2 in test",
        "1 patients are in train and val, 2 images:",
        "  3 in train, 4 in val",
        "1 groups of copies are in val and test, 2 images:",
        "  4 in val, 5 in test",
    ]
    assert faults_of(LEAKING[4:]) == []


def test_images_tied_through_one_that_is_in_no_part_are_a_fault():
    rows = [record("1", "train", "", "g"), record("2", "", "p", "g"), record("3", "test", "p")]
    assert faults_of(rows) == [
        "1 chains of patients and copies are in train and test, 2 images:",
        "  1 in train, 3 in test",
    ]
    assert [one.split for one in without_leaks(rows)] == ["", "", "test"]


def test_parts_of_other_names_are_a_fault():
    assert faults_of([record("1", "training")]) == [
        "parts must be train, val and test; got 'training'"
    ]


def test_test_stays_whole_and_what_is_tied_to_it_is_in_no_part():
    kept = without_leaks(LEAKING)
    assert [one.split for one in kept] == ["", "test", "", "", "test", "train", ""]
    check_no_leak(kept)


def test_val_is_taken_from_train_without_parting_a_patient():
    rows = [record(str(i), "train" if i < 16 else "test", f"p{i // 2}") for i in range(20)]
    made = with_val(rows, 0.25, seed=1)
    assert [one.split for one in made].count("val") == 4
    assert [one.split for one in made[16:]] == ["test"] * 4
    check_no_leak(made)
    assert has_split(rows)
    assert not has_split([record("1", "")])


def test_a_given_split_is_kept_mended_or_completed():
    fractions = (0.6, 0.2, 0.2)
    leaking = kept_split(LEAKING, fractions)
    assert (leaking.records, leaking.faults) == (LEAKING, faults_of(LEAKING))
    mended = kept_split(LEAKING, fractions, drop_leaks=True)
    changed = [a.file for a, b in zip(LEAKING, mended.records, strict=True) if a.split != b.split]
    assert mended.num_removed == len(changed) > 0
    assert faults_of([r for r in mended.records if r.split]) == []
    two_parts = [record(str(i), "test" if i % 4 == 0 else "train") for i in range(16)]
    completed = kept_split(two_parts, fractions)
    assert completed.num_moved_to_val == 3  # a quarter of the twelve in train
    assert sum(r.split == "val" for r in completed.records) == 3
    assert kept_split(two_parts, (0.8, 0.0, 0.2)).num_moved_to_val == 0
