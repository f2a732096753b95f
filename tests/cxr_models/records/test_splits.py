import csv
import dataclasses
import random
import re
from collections import Counter

import pytest

from cxr_models import Record, read_split
from cxr_models.records.splits import (
    check_no_leak,
    fold_records,
    lacking_labels,
    leave_sources_out,
    records_hash,
    split_records,
    write_split,
)
from cxr_models.records.ties import components, connect


def make_records(count=300):
    """Three labels in unequal numbers, patients of one to four images, some without a patient."""
    return [
        Record(
            file=f"images/{i:04d}.png",
            label=("covid", "normal", "normal", "virus", "virus", "virus")[i // 7 % 6],
            patient="" if i % 11 == 0 else f"p{i // (1 + i % 4)}",
            group=f"g{i % 60}" if i % 13 == 0 else "",
            source=("a", "b", "c")[i // 5 % 3],
        )
        for i in range(count)
    ]


def parts_of(records, column):
    parts = {}
    for record in records:
        name = getattr(record, column)
        if name and record.split:
            key = (record.source, name) if column == "patient" else name
            parts.setdefault(key, set()).add(record.split)
    return parts


def test_no_patient_and_no_group_is_parted():
    made = split_records(make_records())
    for column in ("patient", "group"):
        assert all(len(parts) == 1 for parts in parts_of(made, column).values())
    check_no_leak(made)


def test_ties_through_others_hold_too():
    assert connect(6, [(0, 3), (3, 5), (1, 2)]) == [0, 1, 1, 0, 4, 0]
    records = [
        Record(file="1", label="a", patient="p"),
        Record(file="2", label="a", patient="p", group="g"),
        Record(file="3", label="a", patient="q", group="g"),
        Record(file="4", label="a"),
    ]
    assert components(records) == [0, 0, 0, 3]


def test_labels_are_shared_out_in_the_fractions_asked_for():
    records = [
        Record(file=str(i), label="covid" if i % 5 else "normal", patient=f"p{i // 2}")
        for i in range(1000)
    ]
    made = split_records(records, fractions=(0.6, 0.3, 0.1))
    for label, total in (("covid", 800), ("normal", 200)):
        counts = Counter(r.split for r in made if r.label == label)
        for split, share in (("train", 0.6), ("val", 0.3), ("test", 0.1)):
            assert abs(counts[split] - share * total) <= 4


def test_same_seed_same_split_whatever_the_order_of_the_records():
    records = make_records()
    made = {r.file: r.split for r in split_records(records, seed=5)}
    again = {r.file: r.split for r in split_records(records[::-1], seed=5)}
    other = {r.file: r.split for r in split_records(records, seed=6)}
    assert made == again
    assert made != other


def test_each_image_is_tested_in_one_fold_and_folds_leak_nothing():
    records = make_records()
    folds = fold_records(records, folds=4)
    tested = Counter(r.file for fold in folds for r in fold if r.split == "test")
    assert tested == Counter(r.file for r in records)
    for fold in folds:
        check_no_leak(fold)


def test_a_source_left_out_is_the_whole_test_set():
    records = make_records()
    made = leave_sources_out(records)
    assert sorted(made) == ["a", "b", "c"]
    for source, assigned in made.items():
        assert {r.file for r in assigned if r.split == "test"} == {
            r.file for r in records if r.source == source
        }
        check_no_leak(assigned)


def test_a_share_of_the_other_sources_is_tested_beside_the_one_left_out():
    records = make_records()
    for source, assigned in leave_sources_out(records, test_fraction=0.2).items():
        known = [r for r in assigned if r.source != source and r.split]
        tested = [r for r in known if r.split == "test"]
        assert 0.15 < len(tested) / len(known) < 0.25
        assert all(r.split in ("test", "") for r in assigned if r.source == source)
        check_no_leak(assigned)


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(ValueError, match=r"`test_fraction` must .* less than 1; got 0\.5 and 0\.5"):
        leave_sources_out(make_records(), val_fraction=0.5, test_fraction=0.5)


def test_warns_where_a_label_has_no_other_source():
    records = [
        Record(file=str(i), label="covid" if i < 5 else "normal", source="a" if i < 5 else "b")
        for i in range(10)
    ]
    records += [Record(file=str(i), label="covid", source="b") for i in range(10, 12)]
    with pytest.warns(UserWarning, match="Without source 'b' nothing is left .* of: normal"):
        leave_sources_out(records)


def test_a_written_split_is_read_as_it_was(tmp_path):
    made = split_records(make_records(), seed=3)
    write_split(tmp_path / "split.csv", made, {"seed": 3})
    read = read_split(tmp_path / "split.csv")
    assert list(read.manifest.records) == made
    assert (read.seed, read.hash) == (3, records_hash(made))
    assert read.class_names() == ("covid", "normal", "virus")


def test_loading_a_split_that_leaks_stops_with_the_rows(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text(
        "file,label,patient,split\na.png,covid,p1,train\nb.png,covid,p1,test\nc.png,covid,p2,val\n"
    )
    with pytest.raises(ValueError, match="`split` must not part a patient; got 1 parted") as caught:
        read_split(path)
    assert "train patient p1: a.png" in str(caught.value)
    assert "test  patient p1: b.png" in str(caught.value)
    assert "c.png" not in str(caught.value)


def test_a_split_that_parts_two_spellings_of_one_patient_is_refused(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("file,label,patient,split\na.png,covid,P001,train\nb.png,covid,p001,test\n")
    with pytest.raises(ValueError, match="must not part a patient") as caught:
        read_split(path)
    assert "test  patient p001: b.png" in str(caught.value)


def test_a_split_in_which_sources_number_patients_alike_or_name_none_loads(tmp_path):
    path = tmp_path / "manifest.csv"
    rows = ["a.png,x,1,one,train", "b.png,x,1,two,test", "c.png,x,nan,one,train",
            "d.png,x,nan,one,test"]  # fmt: skip
    path.write_text("\n".join(["file,label,patient,source,split", *rows]) + "\n")
    assert [
        ",".join((r.file, r.label, r.patient, r.source, r.split))
        for r in read_split(path).manifest.records
    ] == rows


def test_what_headers_tell_is_in_the_hash_and_its_absence_is_not():
    records = split_records(make_records(20))
    before = records_hash(records)
    told = [dataclasses.replace(records[0], sex="F"), *records[1:]]
    assert records_hash(told) != before
    assert records_hash([dataclasses.replace(told[0], sex=""), *records[1:]]) == before


def test_images_tied_through_one_that_is_in_no_part_are_not_parted(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text(
        "file,label,patient,group,split\n"
        "a.png,covid,,g1,train\nb.png,covid,p1,g1,\nc.png,covid,p1,,test\nd.png,covid,p2,g2,test\n"
    )
    with pytest.raises(ValueError, match="must not part a chain of patients and groups") as caught:
        read_split(path)
    assert [line for line in str(caught.value).splitlines() if line.startswith("  ")] == [
        "  train group g1: a.png",
        "  none  patient p1 group g1: b.png",
        "  test  patient p1: c.png",
    ]


def test_loading_a_split_whose_records_changed_stops(tmp_path):
    path = tmp_path / "split.csv"
    made = split_records(make_records())
    write_split(path, made, {"seed": 0})
    path.write_text(path.read_text().replace("images/0003.png", "images/other.png"))
    with pytest.raises(ValueError, match="records have changed since"):
        read_split(path)


def test_any_manifest_with_a_split_column_loads(tmp_path):
    path = tmp_path / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "patient", "group", "split", "source", "view", "orig_h"])
        writer.writerow(["covid/1.jpg", "covid", "", "g0", "train", "x", "AP", "2000"])
        writer.writerow(["covid/2.jpg", "covid", "", "g1", "test", "x", "PA", "1000"])
    read = read_split(path)
    assert read.seed is None
    assert read.select("test").paths() == [str(tmp_path / "covid/2.jpg")]


@pytest.mark.parametrize(
    "fractions", [(0.5, 0.5), (0.5, 0.4, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)]
)
def test_rejects_other_fractions(fractions):
    with pytest.raises(ValueError, match="`--fractions` must be three numbers"):
        split_records(make_records(10), fractions=fractions)


def test_rejects_unknown_parts(tmp_path):
    path = tmp_path / "m.csv"
    records = [dataclasses.replace(r, split="training") for r in make_records(3)]
    write_split(path, records, {})
    with pytest.raises(ValueError, match="`split` must be train, val, test or empty"):
        read_split(path)


def test_no_more_folds_than_there_are_patients():
    records = [Record(file=str(i), label="ab"[i % 2], patient=f"p{i // 2}") for i in range(8)]
    assert len(fold_records(records, folds=4)) == 4
    with pytest.raises(ValueError, match="that can be parted, 4; got 5"):
        fold_records(records, folds=5)


@pytest.mark.parametrize("seed", range(20))
def test_each_fold_has_all_parts_however_few_and_unequal_the_patients(seed):
    rng = random.Random(seed)
    records = [
        Record(file=f"{patient}-{i}", label="ab"[patient % 2], patient=f"p{patient}")
        for patient in range(rng.randint(3, 6))
        for i in range(rng.randint(1, 4))
    ]
    folds = fold_records(records, folds=3, seed=seed)
    assert all({r.split for r in fold} == {"train", "val", "test"} for fold in folds)
    assert Counter(r.file for fold in folds for r in fold if r.split == "test") == Counter(
        r.file for r in records
    )


def test_no_part_is_left_empty_where_patients_suffice():
    records = [Record(file=str(i), label="a", patient=f"p{i // 2}") for i in range(6)]
    assert {r.split for r in split_records(records)} == {"train", "val", "test"}
    assert {r.split for r in split_records(records, fractions=(0.8, 0.2, 0.0))} == {"train", "val"}


def test_tells_which_labels_a_part_lacks():
    records = [
        Record(file="1", label="a", split="train"),
        Record(file="2", label="b", split="train"),
        Record(file="3", label="a", split="test"),
        Record(file="4", label="c"),
    ]
    assert lacking_labels(records) == {"val": {"a", "b"}, "test": {"b"}}
    assert lacking_labels(records, ["train"]) == {}


def test_a_first_line_that_was_cut_is_named(tmp_path):
    path = tmp_path / "split.csv"
    write_split(path, split_records(make_records()), {"seed": 0})
    path.write_text(path.read_text().replace('"}\n', "\n", 1))
    with pytest.raises(ValueError, match=r"`split\.csv` must begin with the line it was made with"):
        read_split(path)


@pytest.mark.parametrize(
    ("label", "rule"),
    [
        ("covid/severe", "a name without slashes"),
        ("covid\\severe", "a name without slashes"),
        ("a\nb", "a name without slashes"),
        ("probability:covid", "a name without slashes"),
        ("covid;virus", "a name without slashes"),
        ("..", "neither begins nor ends with a space or a full stop"),
        ("x" * 101, "a name of at most 100 bytes"),
    ],
)
def test_a_label_that_cannot_name_files_and_columns_is_refused_at_the_split(tmp_path, label, rule):
    records = [Record(file=f"{i}.png", label=("normal", label)[i % 2]) for i in range(20)]
    with pytest.raises(ValueError, match=f"`label` must be .*{re.escape(rule)}"):
        write_split(tmp_path / "split.csv", split_records(records), {"seed": 0})
    assert list(tmp_path.iterdir()) == []


def test_labels_of_several_words_in_any_script_are_taken(tmp_path):
    labels = ("No Finding", "вирус", "bacterial-pneumonia_2", "肺炎")
    records = [Record(file=f"{i}.png", label=labels[i % 4]) for i in range(40)]
    write_split(tmp_path / "split.csv", split_records(records), {"seed": 0})
    assert read_split(tmp_path / "split.csv").class_names() == tuple(sorted(labels))
