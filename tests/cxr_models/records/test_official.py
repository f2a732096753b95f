import dataclasses

import pytest

from cxr_models import Record
from cxr_models.records.official import (
    check_options_have_effect,
    faults_of,
    has_split,
    kept_split,
    line_on_renamed,
    needs_val,
    with_val,
    without_leaks,
)
from cxr_models.records.splits import FRACTIONS, check_no_leak


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
        "1 patient is in train and test, 2 images:",
        "  1 in train, 2 in test",
        "1 patient is in train and val, 2 images:",
        "  3 in train, 4 in val",
        "1 group of copies is in val and test, 2 images:",
        "  4 in val, 5 in test",
    ]
    assert faults_of(LEAKING[4:]) == []


def test_images_tied_through_one_that_is_in_no_part_are_a_fault():
    rows = [record("1", "train", "", "g"), record("2", "", "p", "g"), record("3", "test", "p")]
    assert faults_of(rows) == [
        "1 chain of patients and copies is in train and test, 2 images:",
        "  1 in train, 3 in test",
    ]
    assert [one.split for one in without_leaks(rows)] == ["", "", "test"]


def test_parts_by_well_known_other_names_are_read_as_train_val_and_test():
    names = ["Training", " valid", "testing", "", "DEV ", "validation", "train", "val", "test"]
    rows = [record(str(i), name) for i, name in enumerate(names)]
    assert not needs_val(rows, (0.6, 0.2, 0.2))
    kept = kept_split(rows, (0.6, 0.2, 0.2), drop_leaks=True)
    assert [one.split for one in kept.records] == [
        "train", "val", "test", "", "val", "val", "train", "val", "test",
    ]  # fmt: skip
    assert (kept.num_removed, kept.num_moved_to_val, kept.faults) == (0, 0, [])
    assert line_on_renamed({k: v for k, v in kept.renamed.items() if k[0] in "Tt"}) == (
        "parts are read by other names: 'Training' as train, 'testing' as test"
    )


@pytest.mark.parametrize(
    ("parts", "fractions", "findings", "refused"),
    [
        (("train", "Valid", "test"), FRACTIONS, (), ""),
        (("train", "Valid", "test"), list(FRACTIONS), (), ""),
        (("train", "Valid", "test"), (0.8, 0.1, 0.1), (), "--fractions"),
        (("train", "Valid", "test"), FRACTIONS, ("Edema",), "--stratify-findings"),
        (("train", "test"), (0.8, 0.1, 0.1), ("Edema",), ""),
        (("train", "test"), (0.85, 0.0, 0.15), (), ""),
        (("train", "test"), (0.85, 0.0, 0.15), ("Edema",), "--stratify-findings"),
    ],
)
def test_options_of_a_val_are_refused_where_none_is_made(parts, fractions, findings, refused):
    rows = [record(part, part) for part in parts]
    if not refused:
        check_options_have_effect(rows, fractions, findings)
        return
    with pytest.raises(ValueError, match=f"`{refused}` is only allowed .* or with --drop-split"):
        check_options_have_effect(rows, fractions, findings)


def test_options_of_a_val_are_allowed_where_the_leaks_that_go_leave_none():
    options = ((0.8, 0.1, 0.1), ("Edema",))
    with pytest.raises(ValueError, match="`--fractions` is only allowed"):
        check_options_have_effect(LEAKING, *options)
    check_options_have_effect(LEAKING, *options, drop_leaks=True)


def test_a_val_is_made_by_fractions_that_are_fractions_alone():
    with pytest.raises(ValueError, match="`--fractions` must be three numbers"):
        kept_split([record("1", "train"), record("2", "test")], (0.0, 0.5, 0.5))


@pytest.mark.parametrize("drop_leaks", [False, True])
def test_a_part_of_an_unknown_name_is_refused_by_name(drop_leaks):
    rows = [record("1", "train"), record("2", "holdout"), record("3", "holdout")]
    with pytest.raises(ValueError, match=r"got 'holdout' in 2 rows, such as that of '2'\. Rename"):
        kept_split(rows, (0.6, 0.2, 0.2), drop_leaks=drop_leaks)


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


def test_val_is_not_tied_to_train_through_images_in_no_part():
    rows = [
        record(str(i), "train" if i % 2 == 0 else "", f"p{i // 2}", f"g{(i + 1) // 2}")
        for i in range(20)  # one chain of patients and groups
    ]
    rows += [record(f"t{i}", "train", f"q{i}") for i in range(10)]
    made = with_val(rows, 0.5)
    check_no_leak(made)
    assert len({one.split for one in made[:20:2]}) == 1
    assert [dataclasses.replace(one, split="") for one in made] == [
        dataclasses.replace(one, split="") for one in rows
    ]


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
