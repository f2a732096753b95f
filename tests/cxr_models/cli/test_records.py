import dataclasses
import os
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_enhance import write_image
from cxr_enhance.io import pseudonym
from cxr_models import Record, read_manifest, read_split
from cxr_models import split as split_of
from cxr_models.cli import main
from cxr_models.cli._train import config_of
from cxr_models.records.manifest import write_manifest
from tests.helpers.fresh_process import run_code
from tests.helpers.radiographs import draw, write_class_folders, write_csv


@pytest.fixture
def manifest(tmp_path):
    write_class_folders(tmp_path / "images", count=8)
    out = tmp_path / "manifest.csv"
    assert main(["index", str(tmp_path / "images"), "--out", str(out),
                 "--patient-pattern", r"-(p\d+)-"]) == 0  # fmt: skip
    return out


def test_index_writes_a_manifest_that_names_files_from_its_own_folder(manifest):
    read = read_manifest(manifest)
    assert [(record.file, record.label, record.patient) for record in read.records] == [
        (f"images/{label}/{label}-p{i // 2}-{i}.png", label, f"p{i // 2}")
        for label in ("covid", "normal", "virus")
        for i in range(8)
    ]


def test_index_lists_what_it_cannot_read_and_fails(tmp_path, capsys):
    write_class_folders(tmp_path / "images", ("covid",), 2)
    (tmp_path / "images/covid/bad.jpg").write_bytes(b"x")
    out = tmp_path / "m.csv"
    assert main(["index", str(tmp_path / "images"), "--out", str(out)]) == 1
    assert [record.file for record in read_manifest(out).records] == [
        "images/covid/covid-p0-0.png",
        "images/covid/covid-p0-1.png",
    ]
    assert "covid/bad.jpg" in (tmp_path / "m.skipped.csv").read_text()
    assert "1 file not used" in capsys.readouterr().err


def test_index_lists_what_it_cannot_read_though_that_is_all(tmp_path, capsys):
    (tmp_path / "images/covid").mkdir(parents=True)
    (tmp_path / "images/covid/bad.jpg").write_bytes(b"x")
    out = tmp_path / "m.csv"
    assert main(["index", str(tmp_path / "images"), "--out", str(out)]) == 1
    assert not out.exists()
    assert "covid/bad.jpg" in (tmp_path / "m.skipped.csv").read_text()
    assert "`SOURCE` must hold readable images" in capsys.readouterr().err


def test_index_tells_of_files_passed_over_and_of_images_without_a_patient(tmp_path, capsys):
    write_class_folders(tmp_path / "images", ("covid",), 2)
    (tmp_path / "images/covid/scan.gif").write_bytes(b"x")
    words = ["index", str(tmp_path / "images"), "--out", str(tmp_path / "m.csv")]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "WARNING: no patient is known of 2 of 2 images" in said.err
    assert "1 file passed over, no images by their names: .gif 1" in said.err
    assert main([*words, "--overwrite", "--patient-pattern", "patient(\\d+)"]) == 2
    assert "`--patient-pattern` must be found in the names of files" in capsys.readouterr().err


def test_a_manifest_reached_through_a_link_names_files_that_exist(tmp_path):
    write_class_folders(tmp_path / "images", ("covid", "normal"), 4)
    (tmp_path / "far/away/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/away/deep")
    manifest, split = tmp_path / "link/m.csv", tmp_path / "link/s.csv"
    assert main(["index", str(tmp_path / "images"), "--out", str(manifest)]) == 0
    assert all(Path(path).is_file() for path in read_manifest(manifest).paths())
    assert main(["split", str(manifest), "--out", str(split)]) == 0
    assert all(Path(path).is_file() for path in read_split(split).manifest.paths())


def test_a_file_listed_under_two_names_is_refused_before_it_is_read(tmp_path, capsys):
    names = write_class_folders(tmp_path, ("a",), 1)
    (tmp_path / "x.csv").write_text(f"file,label\n{names[0]},a\n./{names[0]},a\n")
    words = ["index", str(tmp_path), "--csv", str(tmp_path / "x.csv")]
    assert main([*words, "--out", str(tmp_path / "m.csv")]) == 2
    assert "got twice" in capsys.readouterr().err


def test_index_takes_any_csv_by_its_columns(tmp_path):
    names = write_class_folders(tmp_path / "images", ("a", "b"), 2)
    rows = [{"name": name, "dx": name[0].upper(), "who": i} for i, name in enumerate(names)]
    write_csv(tmp_path / "list.csv", rows)
    out = tmp_path / "m.csv"
    columns = "file=name,label=dx,patient=who,source==clinic"
    arguments = ["--csv", str(tmp_path / "list.csv"), "--columns", columns, "--labels", "A=x,B"]
    assert main(["index", str(tmp_path / "images"), "--out", str(out), *arguments]) == 0
    assert [(r.label, r.patient, r.source) for r in read_manifest(out).records] == [
        ("x", "0", "clinic"),
        ("x", "1", "clinic"),
        ("B", "2", "clinic"),
        ("B", "3", "clinic"),
    ]


def test_index_takes_a_manifest_as_it_is_to_rename_and_leave_out_labels(tmp_path, capsys):
    names = write_class_folders(tmp_path / "images", count=2)
    rows = [f"{name},{name.split('/')[0]},{name[:-4]},here,train" for name in names]
    (tmp_path / "m.csv").write_text("\n".join(["file,label,patient,source,split", *rows]))
    out = tmp_path / "new.csv"
    words = ["index", str(tmp_path / "images"), "--csv", str(tmp_path / "m.csv"), "--out", str(out)]
    assert main([*words, "--labels", "covid,virus=pneumonia"]) == 0
    records = read_manifest(out).records
    assert {record.label for record in records} == {"covid", "pneumonia"}
    assert {(record.source, record.split) for record in records} == {("here", "train")}
    assert all(record.patient for record in records)
    assert main([*words, "--overwrite", "--drop-split"]) == 0
    assert {record.split for record in read_manifest(out).records} == {""}
    (tmp_path / "m.csv").write_text("id,label\n1,covid\n")
    assert main([*words, "--overwrite"]) == 2
    assert "`--csv` must have the columns file and label" in capsys.readouterr().err


@pytest.fixture
def dicom_folder(tmp_path, monkeypatch):
    """Give a folder of two DICOM files, of patients SECRET-4711 and " secret-4711"."""
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    from tests.helpers.dicom_files import data_set, saved

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "settings"))
    folder = tmp_path / "scans/covid"
    folder.mkdir(parents=True)
    for number, patient in enumerate(("SECRET-4711", " secret-4711")):
        told = data_set(draw(number, 200), PatientID=patient, PatientSex="F")
        (folder / f"{number}.dcm").write_bytes(saved(told))
    return tmp_path / "scans"


def test_patients_of_dicom_headers_are_written_as_pseudonyms_of_a_key(
    dicom_folder, tmp_path, capsys
):
    out, key = tmp_path / "m.csv", tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    words = ["index", str(dicom_folder), "--out", str(out), "--overwrite"]
    assert main([*words, "--pseudonym-key", str(key)]) == 0
    said = capsys.readouterr()
    assert "SECRET" not in out.read_text() + said.out + said.err
    assert "WARNING" not in said.err
    records = read_manifest(out).records
    assert [record.patient for record in records] == [
        pseudonym(patient, b"0123456789abcdef") for patient in ("SECRET-4711", "secret-4711")
    ]
    assert records[0].group == records[1].group  # spellings of one id, whatever is written
    assert [(record.sex, record.view, record.study) for record in records] == [
        ("F", "PA", "1.2.3.4")
    ] * 2
    assert not (tmp_path / "settings").exists()


def test_the_key_is_made_once_for_the_user_and_said(dicom_folder, tmp_path, capsys):
    out = tmp_path / "m.csv"
    words = ["index", str(dicom_folder), "--out", str(out), "--overwrite"]
    assert main(words) == 0
    assert f"made {tmp_path / 'settings/cxr-enhance/pseudonym.key'}" in capsys.readouterr().out
    first = out.read_text()
    assert main(words) == 0
    assert "pseudonym.key" not in capsys.readouterr().out
    assert out.read_text() == first


def test_patient_ids_are_written_as_they_are_when_asked(dicom_folder, tmp_path, capsys):
    out = tmp_path / "m.csv"
    words = ["index", str(dicom_folder), "--out", str(out), "--keep-patient-ids"]
    assert main([*words, "--pseudonym-key", "key"]) == 2
    assert "only allowed without --keep-patient-ids" in capsys.readouterr().err
    assert main(words) == 0
    assert [r.patient for r in read_manifest(out).records] == ["SECRET-4711", "secret-4711"]


def test_index_lists_copies_and_warns_of_two_labels(tmp_path, capsys):
    for label in ("covid", "normal"):
        (tmp_path / "images" / label).mkdir(parents=True)
    write_image(tmp_path / "images/covid/a.png", draw(1, 200))
    write_image(tmp_path / "images/covid/b.png", draw(1, 200))
    write_image(tmp_path / "images/normal/c.png", 255 - draw(1, 200))
    out, listed = tmp_path / "m.csv", tmp_path / "m.duplicates.csv"
    words = ["index", str(tmp_path / "images"), "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "2 duplicates (pairs: 1 equal, 2 inverted); 1 group that" in said.out
    assert "WARNING: 2 pairs of equal or near images have two labels" in said.err
    assert "  covid/a.png (covid), normal/c.png (normal): inverted" in said.err
    assert listed.read_text().splitlines()[:2] == [
        "file,other,kind,bits,label,other_label",
        "covid/a.png,covid/b.png,equal,0,covid,covid",
    ]
    assert main([*words, "--overwrite", "--drop-duplicates"]) == 0
    assert [record.file for record in read_manifest(out).records] == ["images/covid/a.png"]
    assert "normal/c.png,a duplicate of covid/a.png" in (tmp_path / "m.skipped.csv").read_text()
    assert len(listed.read_text().splitlines()) == 4
    listed.write_text("my notes\n")
    assert main([*words, "--overwrite"]) == 2
    assert "`m.duplicates.csv` must" in capsys.readouterr().err
    assert listed.read_text() == "my notes\n"


def test_split_counts_what_a_source_left_out_takes_along(tmp_path, capsys):
    rows = ["file,label,patient,source"]
    rows += [f"{source}{i}.png,{'xy'[i % 2]},p{i},{source}" for source in "ab" for i in range(6)]
    rows += ["c.png,x,P1,b"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    words = ["split", str(tmp_path / "m.csv"), "--leave-source-out", "--out"]
    assert main([*words, str(tmp_path / "apart")]) == 0
    assert "in no part" not in capsys.readouterr().out
    (tmp_path / "m.csv").write_text("\n".join([*rows, "d.png,y,P9,b", "e.png,x,p9,c"]))
    assert main([*words, str(tmp_path / "together"), "--shared-ids"]) == 0
    said = capsys.readouterr().out
    assert "without-c.csv: 1 image of other sources is in no part" in said
    assert "because of ties to c (1 the same patient id)" in said
    read = read_split(tmp_path / "together/without-c.csv")
    assert [record.patient for record in read.manifest.records][-2:] == ["P9", "p9"]


def test_split_writes_one_that_loads_from_another_folder(manifest, tmp_path):
    out = tmp_path / "splits/split.csv"
    arguments = ["--fractions", "0.5", "0.25", "0.25", "--seed", "3"]
    assert main(["split", str(manifest), "--out", str(out), *arguments]) == 0
    split = read_split(out)
    assert split.seed == 3
    assert len(split.select("train").records) == 12
    assert all(Path(path).is_file() for path in split.manifest.paths())


def test_the_parts_do_not_depend_on_where_the_split_is_written(tmp_path):
    rows = [
        f"{folder}/{k}.png,{'xy'[k % 2]},{folder}{k}"
        for k in range(20)
        for folder in ("nih", "ab", "zz")
    ]
    (tmp_path / "m.csv").write_text("\n".join(["file,label,patient", *rows]))
    (tmp_path / "nih").mkdir()
    parts = [
        [record.split for record in split_of(tmp_path / "m.csv").manifest.records],
    ]
    for out in ("s.csv", "nih/s.csv", "other/s.csv"):
        assert main(["split", str(tmp_path / "m.csv"), "--out", str(tmp_path / out)]) == 0
        split = read_split(tmp_path / out)
        parts.append([record.split for record in split.manifest.records])
        assert os.path.samefile(split.manifest.root, (tmp_path / out).parent)
        assert os.path.relpath(split.manifest.paths()[0], tmp_path) == "nih/0.png"
    assert parts == [parts[0]] * 4


def test_split_writes_folds(manifest, tmp_path):
    assert main(["split", str(manifest), "--out", str(tmp_path / "folds"), "--folds", "3"]) == 0
    tested = []
    for number in range(3):
        split = read_split(tmp_path / f"folds/fold-{number}.csv")
        tested += [record.file for record in split.select("test").records]
    assert len(tested) == len(set(tested)) == 24


def test_split_refuses_sources_whose_files_would_be_one(tmp_path, capsys):
    rows = [f"{i}.png,{'ab'[i % 2]},{('x y', 'x_y')[i // 4]}" for i in range(8)]
    (tmp_path / "m.csv").write_text("\n".join(["file,label,source", *rows]))
    words = ["split", str(tmp_path / "m.csv"), "--out", str(tmp_path / "out")]
    assert main([*words, "--leave-source-out"]) == 2
    assert "`source` must have names that differ" in capsys.readouterr().err


def test_split_says_which_labels_a_part_lacks(tmp_path, capsys):
    (tmp_path / "m.csv").write_text("file,label\na.png,x\nb.png,y\n")
    assert main(["split", str(tmp_path / "m.csv"), "--out", str(tmp_path / "s.csv")]) == 0
    said = capsys.readouterr().err
    assert "nothing in val of x, y; too few patients" in said
    assert "nothing in test of x, y" in said


def test_split_keeps_the_split_of_a_manifest_unless_told_otherwise(tmp_path, capsys):
    rows = [f"{i}.png,{'xy'[i % 2]},p{i},{'train' if i < 16 else 'test'}" for i in range(20)]
    manifest, out = tmp_path / "m.csv", tmp_path / "s.csv"
    manifest.write_text("\n".join(["file,label,patient,split", *rows]))
    words = ["split", str(manifest), "--out", str(out), "--overwrite"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "has a split, which is kept" in said
    assert "the split has no val: 2 images of train become val" in said
    kept = {record.file: record.split for record in read_split(out).manifest.records}
    assert [kept[f"{i}.png"] for i in range(16, 20)] == ["test"] * 4
    assert main([*words, "--drop-split"]) == 0
    parts = [record.split for record in read_split(out).manifest.records]
    assert parts[16:] != ["test"] * 4
    assert (parts.count("train"), "kept" in capsys.readouterr().out) == (14, False)


def test_split_refuses_a_given_split_that_leaks_and_can_take_the_leaks_out(tmp_path, capsys):
    rows = ["a.png,x,p1,train", "b.png,y,p1,test", "c.png,y,p2,train", "d.png,x,p3,val"]
    manifest, out = tmp_path / "m.csv", tmp_path / "s.csv"
    manifest.write_text("\n".join(["file,label,patient,split", *rows]))
    words = ["split", str(manifest), "--out", str(out)]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "1 patient is in train and test, 2 images" in said
    assert "a.png in train, b.png in test" in said
    assert not out.exists()
    assert main([*words, "--without-leaks"]) == 0
    assert [record.split for record in read_split(out).manifest.records] == [
        "", "test", "train", "val",
    ]  # fmt: skip
    manifest.write_text("file,label\na.png,x\n")
    assert main([*words, "--without-leaks", "--overwrite"]) == 2


def test_split_reads_other_names_of_parts_and_refuses_names_it_does_not_know(tmp_path, capsys):
    rows = ["a.png,x,p1,training", "b.png,y,p2,Valid", "c.png,y,p3,test", "d.png,x,p4,training"]
    manifest, out = tmp_path / "m.csv", tmp_path / "s.csv"
    manifest.write_text("\n".join(["file,label,patient,split", *rows]))
    words = ["split", str(manifest), "--out", str(out)]
    assert main([*words, "--without-leaks"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "parts are read by other names: 'Valid' as val, 'training' as train" in said
    assert "0 images are in no part" in said
    parts = [record.split for record in read_split(out).manifest.records]
    assert parts == ["train", "val", "test", "train"]
    manifest.write_text(manifest.read_text().replace("Valid", "holdout"))
    for more in ([], ["--without-leaks"]):
        assert main([*words, "--overwrite", *more]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "got 'holdout' in 1 row, such as that of 'b.png'" in said
        assert "make a new split with --drop-split" in said
    assert [record.split for record in read_split(out).manifest.records] == parts
    assert main([*words, "--overwrite", "--drop-split"]) == 0


def test_split_completes_a_kept_split_so_that_it_can_be_read(tmp_path):
    rows = [
        f"{k}.png,{'yx'[k % 3 > 0]},p{k // 2},G{(k + 1) // 2},{'' if k % 2 else 'train'}"
        for k in range(20)  # images in no part tie all images in train
    ]
    rows += [f"q{k}.png,{'xy'[k % 2]},q{k},,train" for k in range(10)] + ["t.png,x,pt,,test"]
    manifest, out = tmp_path / "m.csv", tmp_path / "s.csv"
    manifest.write_text("\n".join(["file,label,patient,group,split", *rows]))
    assert main(["split", str(manifest), "--out", str(out)]) == 0
    assert {record.split for record in read_split(out).manifest.records[20:]} >= {"val", "test"}


def test_split_refuses_fractions_that_a_kept_split_does_not_use(tmp_path, capsys):
    rows = [f"{i}.png,{'xy'[i % 2]},p{i},{('train', 'val', 'test')[i % 3]}" for i in range(12)]
    manifest, out = tmp_path / "m.csv", tmp_path / "s.csv"
    manifest.write_text("\n".join(["file,label,patient,split", *rows]))
    words = ["split", str(manifest), "--out", str(out), "--fractions", "0.5", "0.25", "0.25"]
    assert main(words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "`--fractions` is only allowed with a manifest whose split has no val" in said
    assert not out.exists()
    assert main([*words, "--drop-split"]) == 0


def test_several_splits_say_that_they_do_not_keep_a_split(tmp_path, capsys):
    rows = [f"{i}.png,{'xy'[i % 2]},p{i},{('train', 'val', 'test')[i % 3]}" for i in range(12)]
    (tmp_path / "m.csv").write_text("\n".join(["file,label,patient,split", *rows]))
    words = ["split", str(tmp_path / "m.csv"), "--folds", "3", "--overwrite", "--out"]
    assert main([*words, str(tmp_path / "folds")]) == 0
    assert "has a split, which several splits do not keep" in capsys.readouterr().out
    assert main([*words, str(tmp_path / "folds"), "--drop-split"]) == 0
    assert "do not keep" not in capsys.readouterr().out


def test_split_does_not_write_over_its_manifest(manifest, capsys):
    before = manifest.read_bytes()
    assert main(["split", str(manifest), "--out", str(manifest), "--overwrite"]) == 2
    assert "`--out` must not replace what this command reads" in capsys.readouterr().err
    assert manifest.read_bytes() == before


def test_index_replaces_an_earlier_manifest_when_asked_and_nothing_else(manifest, capsys):
    folder = manifest.parent
    mine = {
        folder / "scan.jpg": b"\xff\xd8",
        folder / "labels.csv": b"file,label\nimages/covid/covid-p0-0.png,covid\n",
        folder / "by-hand.csv": b"file,label,patient,group,source,view,split\n"
        b"images/covid/covid-p0-0.png,covid,,,,,\n",
    }
    for path, content in mine.items():
        path.write_bytes(content)
    words = ["index", str(folder / "images"), "--out"]
    for path in mine:
        for more in ([], ["--overwrite"], ["--csv", str(folder / "labels.csv"), "--overwrite"]):
            assert main([*words, str(path), *more]) == 2
    assert "must not replace what this command reads" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in mine} == mine
    before = manifest.read_bytes()
    assert main([*words, str(manifest)]) == 2
    assert "Replace it with --overwrite" in capsys.readouterr().err
    assert manifest.read_bytes() == before
    again = ["--csv", str(manifest), "--overwrite"]
    assert main(["index", str(folder), "--out", str(manifest), *again]) == 2
    assert "must not replace what this command reads" in capsys.readouterr().err
    assert main([*words, str(manifest), "--overwrite"]) == 0
    assert {record.patient for record in read_manifest(manifest).records} == {""}


def test_index_neither_replaces_nor_removes_a_list_that_is_not_its_own(manifest, capsys):
    beside = manifest.with_name("m.skipped.csv")
    words = ["index", str(manifest.parent / "images"), "--out", str(manifest.with_name("m.csv"))]
    beside.write_text("my notes\n")
    for more in ([], ["--overwrite"]):
        assert main([*words, *more]) == 2
        assert "`m.skipped.csv` must" in capsys.readouterr().err
    assert beside.read_text() == "my notes\n"
    beside.write_text("file,reason\nx.png,gone\n")
    assert main(words) == 2
    assert "Replace it with --overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert not beside.exists()


def test_fewer_folds_leave_none_of_the_folds_before(manifest, tmp_path, capsys):
    out = tmp_path / "folds"
    words = ["split", str(manifest), "--out", str(out), "--folds"]
    assert main([*words, "4"]) == 0
    notes = out / "notes.csv"
    notes.write_text("mine")
    assert main([*words, "3", "--overwrite"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"fold-{number}.csv" for number in range(3)), "notes.csv",
    ]  # fmt: skip
    assert f"removed {out / 'fold-3.csv'}, of the set that was replaced" in capsys.readouterr().out


def test_folds_of_another_set_stay_unasked_and_changed_ones_always(manifest, tmp_path, capsys):
    out = tmp_path / "folds"
    words = ["split", str(manifest), "--out", str(out), "--folds"]
    assert main([*words, "4"]) == 0
    for number in range(3):
        (out / f"fold-{number}.csv").unlink()
    assert main([*words, "3"]) == 2
    said = capsys.readouterr().err
    assert f"must hold no fold-*.csv of another set; got {str(out / 'fold-3.csv')!r}." in said
    changed = out / "fold-3.csv"
    changed.write_text(changed.read_text().replace(",test,", ",val,"))
    assert main([*words, "3", "--overwrite"]) == 2
    assert f"got {str(changed)!r}. Move it away" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["fold-3.csv"]


def test_a_fold_that_is_split_again_is_not_removed(manifest, tmp_path, capsys):
    out = tmp_path / "folds"
    assert main(["split", str(manifest), "--out", str(out), "--folds", "4"]) == 0
    read = str(out / "fold-3.csv")
    assert main(["split", read, "--out", str(out), "--folds", "3", "--overwrite"]) == 2
    assert "not read by this command" in capsys.readouterr().err
    assert len(list(out.iterdir())) == 4


def test_sources_left_out_leave_none_of_the_sources_before(tmp_path):
    write_class_folders(tmp_path / "images", count=8)
    for sources in ("abc", "ab"):
        rows = [
            f"{path.relative_to(tmp_path)},{path.parent.name},{sources[place % len(sources)]}"
            for place, path in enumerate(sorted((tmp_path / "images").rglob("*.png")))
        ]
        (tmp_path / "m.csv").write_text("\n".join(["file,label,source", *rows]) + "\n")
        words = ["split", str(tmp_path / "m.csv"), "--out", str(tmp_path / "out")]
        assert main([*words, "--leave-source-out", "--overwrite"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "without-a.csv", "without-b.csv",
    ]  # fmt: skip


def test_split_replaces_an_earlier_split_when_asked_and_writes_all_folds_or_none(manifest, capsys):
    out = manifest.with_name("s.csv")
    words = ["split", str(manifest), "--out"]
    assert main([*words, str(out)]) == 0
    before = out.read_bytes()
    assert main([*words, str(out), "--seed", "1"]) == 2
    assert "Replace it with --overwrite" in capsys.readouterr().err
    assert out.read_bytes() == before
    assert main([*words, str(out), "--seed", "1", "--overwrite"]) == 0
    assert read_split(out).seed == 1
    edited = out.read_text().replace(",train", ",test", 1)
    out.write_text(edited)
    assert main([*words, str(out), "--overwrite"]) == 2
    assert (
        "must be new, or a split that cxr-models split wrote and nobody" in capsys.readouterr().err
    )
    assert out.read_text() == edited
    folds = manifest.with_name("folds")
    folds.mkdir()
    (folds / "fold-2.csv").write_text("mine")
    for more in ([], ["--overwrite"]):
        assert main([*words, str(folds), "--folds", "3", *more]) == 2
    assert [path.name for path in folds.iterdir()] == ["fold-2.csv"]
    assert main([*words, str(out), "--folds", "3"]) == 2
    assert "must be a folder for several splits" in capsys.readouterr().err


def test_names_in_any_script_and_folders_to_be_made_are_fine(tmp_path, capsys):
    names = write_class_folders(tmp_path / "Röntgen ü", ("正常", "ковид"), 4)
    out = tmp_path / "new/folder/m.csv"
    assert main(["index", str(tmp_path / "Röntgen ü"), "--out", str(out)]) == 0
    assert "ковид 4, 正常 4" in capsys.readouterr().out
    split = out.with_name("s.csv")
    assert main(["split", str(out), "--out", str(split)]) == 0
    read = read_split(split)
    assert read.class_names() == ("ковид", "正常")
    made = sorted(str(tmp_path / "Röntgen ü" / name) for name in names)
    assert sorted(map(os.path.normpath, read.manifest.paths())) == made
    assert all(Path(path).is_file() for path in read.manifest.paths())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["index", "{tmp}/none", "--out", "m.csv"], "`SOURCE` must be a folder"),
        (["index", "{tmp}", "--out", "m.csv", "--layout", "x"], "`--layout` must be one of"),
        (
            ["index", "{tmp}", "--out", "m.csv", "--layout", "nih"],
            "`SOURCE` must hold Data_Entry_2017.csv",
        ),
        (["index", "{tmp}", "--out", "m.csv", "--patient-pattern", "("], "regular expression"),
        (["index", "{tmp}", "--out", "m.csv", "--columns", "file=f"], "only allowed with --csv"),
        (["split", "m.csv", "--out", "s", "--test-others"], "allowed with --leave-source-out"),
        (
            ["split", "m.csv", "--out", "s", "--folds", "3", "--leave-source-out"],
            "`--folds` is only allowed without --leave-source-out",
        ),
        (
            ["split", "m.csv", "--out", "s", "--folds", "4", "--fractions", "0.8", "0.2", "0"],
            "`--fractions` is only allowed without --folds",
        ),
        (["split", "{tmp}/none.csv", "--out", "s.csv"], "No such file"),
        (["train", "{tmp}/none.csv", "--out", "r", "--set", "x"], "`--set` must be key=value"),
        (["train", "{tmp}/none.csv", "--out", "r", "--backbone", "vgg"], "`backbone` must be"),
        (["train", "{tmp}/none.csv", "--out", "r", "--set", "a.b=1"], "must be section.setting"),
        (["train", "{tmp}/none.csv", "--out", "r", "--set", "data.order=1"], "`order` must be one"),
        (["train", "{tmp}/none.csv", "--out", "r", "--config", "{tmp}/no.toml"], "No such file"),
    ],
)
def test_wrong_usage_exits_with_2_and_a_sentence(tmp_path, capsys, arguments, sentence):
    assert main([argument.format(tmp=tmp_path) for argument in arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_options_win_over_the_file_and_set_over_both(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("[training]\nbatch_size = 8\nseed = 3\npatience = 4\n")
    typed = {"training.batch_size": 16, "training.seed": None, "data.image_size": (64, 96)}
    config = config_of(file, typed, ["training.patience=9"], no_enhance=True)
    assert (config.training.batch_size, config.training.seed, config.training.patience) == (
        16,
        3,
        9,
    )
    assert config.data.enhance is None
    assert config.data.image_size == (64, 96)


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.toml", b"[training"), ("b.json", b"[]"), ("c.toml", b"x = '\xe9'"), ("d.toml", b"a = 1")],
)
def test_a_file_that_holds_no_settings_is_named(tmp_path, name, text):
    (tmp_path / name).write_bytes(text)
    with pytest.raises(ValueError, match=rf"`--config` must hold settings; got '.*{name}': "):
        config_of(tmp_path / name, {}, [], no_enhance=False)


def test_importing_the_package_and_its_command_line_loads_no_framework():
    code = (
        "import sys, cxr_models, cxr_models.cli._app\n"
        "found = {'tensorflow', 'keras', 'torch', 'jax', 'cv2'} & set(sys.modules)\n"
        "assert not found, found"
    )
    run_code(code)


@pytest.fixture
def manifest_of_findings(tmp_path):
    """Give a manifest of 48 patients; every third has Edema, and of every fourth that is hidden."""
    records = [
        Record(
            file=f"{i}.png",
            label="image",
            patient=f"p{i}",
            findings=(("Edema", "" if i % 4 == 3 else str(int(i % 3 == 0))), ("Mass", "0")),
        )
        for i in range(48)
    ]
    write_manifest(tmp_path / "manifest.csv", records)
    return tmp_path / "manifest.csv"


def test_split_shares_out_findings_and_counts_their_patients(manifest_of_findings, capsys):
    out = manifest_of_findings.parent / "split.csv"
    words = ["split", str(manifest_of_findings), "--out", str(out)]
    assert main([*words, "--fractions", "0.5", "0.25", "0.25", "--stratify-findings", "Edema"]) == 0
    told = capsys.readouterr()
    assert (
        "  patients with Edema, of those known: train 6 of 18, val 3 of 9, test 3 of 9\n"
        in told.out
    )
    assert told.err == ""
    assert '"stratified_by": ["Edema"]' in out.read_text().splitlines()[0]
    assert read_split(out).seed == 0
    assert main([*words, "--overwrite", "--stratify-findings", "all"]) == 0
    assert "patients with Mass, of those known: train 34 of 34" not in capsys.readouterr().err


def test_a_finding_that_too_few_patients_have_is_told(manifest_of_findings, capsys):
    text = (
        manifest_of_findings.read_text().replace(",1,0\n", ",0,0\n").replace(",0,0\n", ",1,0\n", 1)
    )
    manifest_of_findings.write_text(text)
    out = manifest_of_findings.parent / "split.csv"
    words = ["split", str(manifest_of_findings), "--out", str(out)]
    assert main([*words, "--stratify-findings", "Edema,Mass"]) == 0
    complaints = capsys.readouterr().err
    assert "no patient of val has Edema; too few patients have it" in complaints
    assert "Mass" not in complaints  # nobody has it


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("Edema,Hernia", r"`--stratify-findings` must name columns finding:NAME of the manifest "
         r"(Edema, Mass); got Hernia."),
        (",", "of the manifest (Edema, Mass); got none."),
    ],
)  # fmt: skip
def test_findings_to_share_out_must_be_columns(manifest_of_findings, capsys, value, sentence):
    out = manifest_of_findings.parent / "split.csv"
    words = ["split", str(manifest_of_findings), "--out", str(out), "--stratify-findings", value]
    assert main(words) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def with_parts(manifest, part_of):
    """Write the parts of patients, by their number, into a manifest."""
    records = [
        dataclasses.replace(record, split=part_of(int(record.patient[1:])))
        for record in read_manifest(manifest).records
    ]
    write_manifest(manifest, records)


def test_findings_of_a_split_that_is_kept_are_not_shared_out(manifest_of_findings, capsys):
    with_parts(manifest_of_findings, lambda patient: ("train", "val", "test")[patient % 3])
    out = manifest_of_findings.parent / "split.csv"
    words = ["split", str(manifest_of_findings), "--out", str(out), "--stratify-findings", "all"]
    assert main(words) == 2
    assert "only allowed with a manifest whose split has no val" in " ".join(
        capsys.readouterr().err.split()
    )
    assert not out.exists()
    assert main([*words, "--drop-split"]) == 0


def test_a_val_that_a_kept_split_lacks_is_stratified_by_findings(manifest_of_findings, capsys):
    with_parts(manifest_of_findings, lambda patient: "train" if patient < 36 else "test")
    out = manifest_of_findings.parent / "split.csv"
    words = ["split", str(manifest_of_findings), "--out", str(out), "--stratify-findings", "Edema"]
    assert main([*words, "--fractions", "0.5", "0.25", "0.25"]) == 0
    told = capsys.readouterr()
    # of 36 patients in train 9 have Edema, and of 27 that is known: a third of both becomes val
    assert "patients with Edema, of those known: train 6 of 18, val 3 of 9, test 3 of 9" in told.out
    assert told.err == ""
    parts = [record.split for record in read_split(out).manifest.records]
    assert parts[36:] == ["test"] * 12
    assert '"stratified_by": ["Edema"], "given": true' in out.read_text().splitlines()[0]


def test_a_part_that_a_kept_split_lacks_is_told_with_its_true_reason(tmp_path, capsys):
    rows = ["a.png,x,p1,train", "b.png,y,p2,train", "c.png,y,p3,val"]
    (tmp_path / "m.csv").write_text("\n".join(["file,label,patient,split", *rows]))
    assert main(["split", str(tmp_path / "m.csv"), "--out", str(tmp_path / "s.csv")]) == 0
    said = capsys.readouterr().err
    assert "nothing in val of x; the split that is kept has none there" in said
    assert "no image is in test: the split that is kept has none there" in said
    assert "too few" not in said
