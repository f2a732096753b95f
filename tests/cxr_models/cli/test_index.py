"""From the tree of a download to a split in two commands, and what index says on the way."""

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="typer is not installed")

import cxr_enhance
from cxr_models import read_manifest, read_split
from cxr_models.cli import main
from tests.cxr_models.records.trees import (
    chexpert,
    class_folders,
    covid,
    nih,
    packed,
    readers,
    tuberculosis,
)
from tests.cxr_models.records.trees.files import image
from tests.helpers.radiographs import write_class_folders


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "settings"))


@pytest.mark.parametrize(
    ("write", "said", "labels", "patients"),
    [
        (class_folders.kermany, "of children: 5,856 images expected, 8 found",
         {"normal": 4, "virus": 2, "bacteria": 2}, 7),
        (class_folders.radiography, "COVID-19 Radiography: 21,165 images expected, 6 found",
         {"covid": 2, "lung_opacity": 1, "normal": 2, "virus": 1}, 0),
        (nih.nih, "NIH ChestX-ray14: 112,120 images expected, 5 found",
         {"Cardiomegaly": 1, "several findings": 2, "normal": 1, "Pneumonia": 1}, 3),
        (chexpert.chexpert, "CheXpert: 223,648 images expected, 6 found",
         {"Support Devices": 1, "several findings": 1, "uncertain": 1, "Edema": 1,
          "Cardiomegaly": 1}, 4),
        (chexpert.mimic_cxr_jpg, "MIMIC-CXR-JPG: 377,110 images expected, 6 found",
         {"normal": 1, "Consolidation": 1, "several findings": 1, "unknown": 1}, 4),
        (nih.rsna, "RSNA Pneumonia Detection Challenge: 26,684 images expected, 4 found",
         {"not_normal": 1, "normal": 1, "lung_opacity": 2}, 4),
        (class_folders.archive_export, "", {"normal": 2, "pneumonia": 3}, 4),
    ],
    ids=["kermany", "covid19-radiography", "nih", "chexpert", "mimic-cxr-jpg", "rsna", "dicom"],
)  # fmt: skip
def test_seven_downloads_become_a_split_in_two_commands(
    tmp_path, capsys, write, said, labels, patients
):
    if write in (nih.rsna, class_folders.archive_export):
        pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    source, manifest, split = tmp_path / "download", tmp_path / "m.csv", tmp_path / "s.csv"
    write(source)
    assert main(["index", str(source), "--out", str(manifest)]) == 0
    assert said in capsys.readouterr().out
    assert main(["split", str(manifest), "--out", str(split)]) == 0
    records = read_split(split).manifest.records
    assert {name: [r.label for r in records].count(name) for name in labels} == labels
    assert len(records) == sum(labels.values())
    assert len({record.patient for record in records} - {""}) == patients
    assert all(Path(path).is_file() for path in read_split(split).manifest.paths())
    assert all(record.split and record.hash for record in records)


def index(source, out, *words):
    return main(["index", str(source), "--out", str(out), *words])


def records_of(path):
    return read_manifest(path).records


def test_the_manifest_holds_a_column_for_each_finding_and_those_asked_for(tmp_path, capsys):
    chexpert.mimic_cxr_jpg(tmp_path / "set")
    out = tmp_path / "m.csv"
    words = ["--official-split", "--keep", "StudyTime", "--where", "view=PA", "--where", "view=AP"]
    assert index(tmp_path / "set", out, *words) == 0
    header = out.read_text().splitlines()[0].split(",")
    assert header[:10] == [
        "file", "label", "patient", "group", "source", "view", "split", "study", "date", "pixels",
    ]  # fmt: skip
    assert header[11] == "finding:No Finding"
    assert header[-1] == "StudyTime"
    assert len([name for name in header if name.startswith("finding:")]) == 14
    first, second, third = records_of(out)
    assert first.finding("No Finding") == "1"
    assert (second.finding("Pneumonia"), second.finding("Edema")) == ("u", "0")
    assert third.finding("Pneumonia") == ""
    assert first.kept == (("StudyTime", "213014.531"),)
    assert [record.split for record in (first, second, third)] == ["train", "val", "train"]
    said = capsys.readouterr()
    assert "2 left out: view L not asked for" in said.err
    assert "1 left out: view '' not asked for" in said.err
    assert main(["split", str(out), "--out", str(tmp_path / "s.csv")]) == 0
    kept = read_split(tmp_path / "s.csv").manifest.records
    assert [(r.findings, r.kept, r.split) for r in kept] == [
        (r.findings, r.kept, r.split) for r in records_of(out)
    ]


def test_one_image_with_several_findings_is_counted_in_the_singular(tmp_path, capsys):
    image(tmp_path / "a.png", 1)
    table = tmp_path / "x.csv"
    table.write_text("file,finding:Edema,finding:Mass\na.png,1,1\n")
    columns = "file=file,finding:Edema=finding:Edema,finding:Mass=finding:Mass"
    words = ["--csv", str(table), "--columns", columns]
    assert index(tmp_path, tmp_path / "m.csv", *words) == 0
    assert "1 image holds several findings, of which" in capsys.readouterr().out


def test_labels_that_come_from_a_blank_are_counted(tmp_path, capsys):
    chexpert.chexpert(tmp_path / "set")
    assert index(tmp_path / "set", tmp_path / "m.csv", "--label-from", "Fracture") == 0
    assert "2 images have the label 'no Fracture' only because" in capsys.readouterr().out
    out = tmp_path / "n.csv"
    assert index(tmp_path / "set", out, "--label-from", "Fracture", "--blank", "absent") == 0
    assert "only because" not in capsys.readouterr().out


def test_how_many_images_hold_several_findings_is_said(tmp_path, capsys):
    nih.nih(tmp_path / "set")
    assert index(tmp_path / "set", tmp_path / "m.csv", "--priority", "Emphysema,Infiltration") == 0
    assert "2 images hold several findings" in capsys.readouterr().out
    assert [record.label for record in records_of(tmp_path / "m.csv")] == [
        "Cardiomegaly", "Emphysema", "normal", "Infiltration", "Pneumonia",
    ]  # fmt: skip


def test_an_official_split_that_tests_on_patients_of_train_is_refused_by_split(tmp_path, capsys):
    class_folders.kermany(tmp_path / "set")
    out, split = tmp_path / "m.csv", tmp_path / "s.csv"
    assert index(tmp_path / "set", out, "--official-split", "--no-decode") == 0
    assert main(["split", str(out), "--out", str(split)]) == 1
    assert "1 patient is in train and test, 2 images" in capsys.readouterr().err
    assert main(["split", str(out), "--out", str(split), "--without-leaks"]) == 0
    parts = [record.split for record in read_split(split).manifest.records]
    assert (parts.count("test"), parts.count("val"), parts.count("")) == (2, 2, 1)


def test_folders_that_are_no_labels_stop_with_the_cure(tmp_path, capsys):
    for part in ("train", "test"):
        write_class_folders(tmp_path / "set" / part, ("covid", "normal"), 2)
    assert index(tmp_path / "set", tmp_path / "m.csv") == 2
    said = capsys.readouterr().err
    assert "got the folders test, train, which are no labels" in said
    assert "--layout split-folders" in said
    words = ["--layout", "split-folders", "--official-split"]
    assert index(tmp_path / "set", tmp_path / "m.csv", *words) == 0
    assert {(r.label, r.split) for r in records_of(tmp_path / "m.csv")} == {
        (label, part) for label in ("covid", "normal") for part in ("train", "test")
    }


def test_masks_beside_images_stop_with_the_cure(tmp_path, capsys):
    write_class_folders(tmp_path / "set", ("images", "masks"), 2)
    assert index(tmp_path / "set", tmp_path / "m.csv") == 2
    assert "got the folders masks, which are no labels" in capsys.readouterr().err


def test_two_sets_in_one_folder_are_named_and_one_can_be_chosen(tmp_path, capsys):
    nih.nih(tmp_path / "set/nih")
    chexpert.chexpert(tmp_path / "set/chexpert")
    assert index(tmp_path / "set", tmp_path / "m.csv") == 2
    assert "--layout: nih, chexpert" in capsys.readouterr().err
    assert index(tmp_path / "set", tmp_path / "m.csv", "--layout", "nih") == 0
    assert {record.source for record in records_of(tmp_path / "m.csv")} == {"nih"}


def test_all_layouts_are_listed_with_licence_and_citation(capsys):
    assert main(["index", "--list-layouts"]) == 0
    said = capsys.readouterr().out
    assert "nih: NIH ChestX-ray14, 112,120 images" in said
    assert "licence: PhysioNet Credentialed Health Data License 1.5.0" in said
    assert "cite: Irvin et al.: CheXpert, AAAI 2019" in said
    assert "21,165 images; columns not checked against the set itself" in said


def test_without_decoding_tables_and_headers_are_read(tmp_path, capsys):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    class_folders.archive_export(tmp_path / "set")
    out = tmp_path / "m.csv"
    assert index(tmp_path / "set", out, "--no-decode", "--keep-patient-ids") == 0
    assert "WARNING: images were not decoded" in capsys.readouterr().err
    assert [record.patient for record in records_of(out)] == ["P1", "P2", "P3", "P3", "P5"]
    assert {record.pixels for record in records_of(out)} == {""}
    assert index(tmp_path / "set", out, "--no-decode", "--overwrite") == 0
    assert index(tmp_path / "set", out, "--modality", "CR", "--views", "all", "--overwrite") == 0
    assert [record.modality for record in records_of(out)] == ["CR", "CR"]
    assert "1 left out: modality CT not asked for" in capsys.readouterr().err


def test_index_decodes_no_image_twice_unless_it_has_changed(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    names = write_class_folders(folder, ("covid", "normal"), 4)
    out = tmp_path / "m.csv"
    assert index(folder, out) == 0
    first = out.read_text()
    decoded = []
    read = cxr_enhance.read_image

    def seen(path, **options):
        decoded.append(Path(path).relative_to(folder).as_posix())
        return read(path, **options)

    monkeypatch.setattr("cxr_enhance.read_image", seen)
    kept = tmp_path / "m.hashes.csv"
    kept.write_text(kept.read_text()[:-20])  # as where the command was killed
    assert index(folder, out, "--overwrite") == 0
    assert len(decoded) == 1
    assert out.read_text() == first
    shutil.copy(folder / names[0], folder / names[1])
    decoded.clear()
    assert index(folder, out, "--overwrite") == 0
    assert decoded == [names[1]]
    kept.write_text("my notes\n")
    assert index(folder, out, "--overwrite") == 2
    assert kept.read_text() == "my notes\n"


def test_raw_images_are_unpacked_beside_the_manifest(tmp_path):
    packed.pneumoniamnist(tmp_path / "set")
    out = tmp_path / "m.csv"
    assert index(tmp_path / "set", out) == 0
    assert records_of(out)[0].file == "m.images/train/pneumoniamnist-train-000000.png"
    assert all(Path(path).is_file() for path in read_manifest(out).paths())


def test_columns_of_findings_come_from_any_csv(tmp_path, capsys):
    names = write_class_folders(tmp_path, ("a",), 4)
    rows = [f"{name},{cell},x" for name, cell in zip(names, ("1.0", "-1", "0", ""), strict=True)]
    (tmp_path / "list.csv").write_text("\n".join(["name,pneu,ward", *rows]))
    out = tmp_path / "m.csv"
    words = ["--csv", str(tmp_path / "list.csv"), "--columns", "file=name,finding:Pneumonia=pneu",
             "--label-from", "Pneumonia", "--uncertain", "one", "--keep", "ward"]  # fmt: skip
    assert index(tmp_path, out, *words) == 0
    assert [(r.label, r.finding("Pneumonia"), r.kept) for r in records_of(out)] == [
        ("Pneumonia", "1", (("ward", "x"),)),
        ("Pneumonia", "u", (("ward", "x"),)),
        ("no Pneumonia", "0", (("ward", "x"),)),
    ]
    assert "1 left out: its findings are unknown" in capsys.readouterr().err
    again = tmp_path / "again.csv"
    assert index(tmp_path, again, "--csv", str(out)) == 0
    assert [(r.label, r.findings) for r in records_of(again)] == [
        (r.label, r.findings) for r in records_of(out)
    ]


def test_rows_of_a_csv_that_have_no_row_in_another_are_counted(tmp_path, capsys):
    names = write_class_folders(tmp_path, ("a",), 2)
    (tmp_path / "files.csv").write_text(f"file,label,id\n{names[0]},a,1\n{names[1]},b,2\n")
    (tmp_path / "findings.csv").write_text("id,finding:Mass\n2,1\n")
    words = ["--csv", str(tmp_path / "files.csv"), "--csv", str(tmp_path / "findings.csv")]
    assert index(tmp_path, tmp_path / "m.csv", *words) == 0
    sentence = "WARNING: 1 of 2 rows of files.csv has no row in findings.csv with the same id;"
    assert sentence in capsys.readouterr().err
    assert [record.finding("Mass") for record in records_of(tmp_path / "m.csv")] == ["", "1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--label-from", "A", "--priority", "B"], "`--label-from` is only allowed without"),
        (["--uncertain", "maybe"], "`--uncertain` must be one of ignore, zero, one; got 'maybe'"),
        (["--blank", "zero"], "`--blank` must be one of unknown, absent; got 'zero'"),
        (["--rows", "mean"], "`--rows` must be one of any, vote, majority, first; got 'mean'"),
        (["--views", "PA,oblique"], "`--views` must be all, or some of PA, AP, AP-supine, L"),
        (["--where", "sex"], "`--where` must be COLUMN=VALUE; got 'sex'"),
        (["--keep", "patient"], "`--keep` must name columns"),
        (["--drop-split"], "`--drop-split` is only allowed with --csv"),
        (["--no-decode", "--drop-duplicates"], "only allowed without --no-decode"),
        (["--no-decode", "--max-distance", "4"], "`--max-distance` is only allowed without --no"),
        (["--layout", "rsna"], "`SOURCE` must hold stage_2_train_labels.csv for this layout"),
        (["--layout", "rsna", "--csv", "x.csv"], "`--layout rsna` is only allowed without --csv"),
        (["--label-from", "Covid"], "`--label-from` must name findings of the set; got 'Covid'"),
    ],
)
def test_words_that_do_not_fit_are_refused_with_a_sentence(tmp_path, capsys, words, sentence):
    nih.nih(tmp_path / "set")
    assert index(tmp_path / "set", tmp_path / "m.csv", *words) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "m.csv").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--blank", "absent"], "`--blank` must be unknown for a set without findings"),
        (["--uncertain", "one"], "`--uncertain` must be ignore for a set without findings"),
        (["--harmonise"], "`--harmonise` is only allowed for a set with findings"),
    ],
)
@pytest.mark.parametrize("listed", ["by a table", "by folders"])
def test_choices_about_findings_are_refused_for_a_set_without_them(
    tmp_path, capsys, listed, words, sentence
):
    table = tmp_path / "x.csv"
    table.write_text("file,label\nill/a.png,ill\nwell/b.png,\n")
    image(tmp_path / "set/ill/a.png", 1)
    image(tmp_path / "set/well/b.png", 2)
    csv = ["--csv", str(table)] if listed == "by a table" else []
    assert index(tmp_path / "set", tmp_path / "m.csv", *csv, *words) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "m.csv").exists()


def test_rows_of_dicom_sets_are_chosen_by_columns_of_the_set_and_of_headers(tmp_path):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    nih.rsna(tmp_path / "set")
    out = tmp_path / "m.csv"
    words = ["--where", "Target=1", "--where", "view=PA", "--views", "PA"]
    assert index(tmp_path / "set", out, *words) == 0
    assert [(r.label, r.view) for r in records_of(out)] == [("lung_opacity", "PA")]


def test_a_set_of_which_nothing_is_asked_for_says_so(tmp_path, capsys):
    chexpert.chexpert(tmp_path / "set")
    assert index(tmp_path / "set", tmp_path / "m.csv", "--views", "AP-supine") == 1
    assert "view L not asked for" in (tmp_path / "m.skipped.csv").read_text()
    assert not (tmp_path / "m.csv").exists()
    words = ["--layout", "kermany", "--official-split"]
    assert index(tmp_path / "set", tmp_path / "m.csv", *words) == 2


def test_folders_beside_a_list_that_is_no_covidx_are_no_covidx(tmp_path, capsys):
    for part in ("train", "test"):
        write_class_folders(tmp_path / "set", (part,), 2)
        (tmp_path / f"set/{part}.txt").write_text("a.png 0\n")
    assert index(tmp_path / "set", tmp_path / "m.csv") == 2
    assert "which are no labels" in capsys.readouterr().err


def test_a_name_that_no_csv_can_hold_is_listed_in_sets_too(tmp_path):
    class_folders.radiography(tmp_path / "set")
    folder = tmp_path / "set/COVID-19_Radiography_Dataset/COVID/images"
    try:
        shutil.copy(folder / "COVID-1.png", os.fsencode(folder) + b"/COVID-\xe9.png")
    except OSError:
        pytest.skip("the file system takes no names that are no UTF-8")
    assert index(tmp_path / "set", tmp_path / "m.csv") == 1
    assert len(records_of(tmp_path / "m.csv")) == 6
    assert "COVID-\\xe9.png,a name that is no UTF-8" in (tmp_path / "m.skipped.csv").read_text()


@pytest.mark.parametrize(
    ("write", "title", "images"),
    [
        (covid.covidx, "COVIDx: 6 found", 6),
        (covid.ieee8023, "covid-chestxray-dataset: 6 found", 4),
        (nih.siim, "SIIM-ACR Pneumothorax Segmentation: 12,089 images expected, 4 found", 4),
        (chexpert.chexpert_batches, "CheXpert: 223,648 images expected, 6 found", 5),
        (chexpert.mimic_cxr, "MIMIC-CXR: 377,110 images expected, 6 found", 5),
        (chexpert.brax, "BRAX: 40,967 images expected, 5 found", 3),
        (readers.padchest, "PadChest: 160,861 images expected, 5 found", 3),
        (readers.vindr_cxr, "VinDr-CXR: 18,000 images expected, 5 found", 5),
        (readers.open_i_kaggle, "(Open-i): 7,470 images expected, 4 found", 3),
        (readers.open_i, "(Open-i): 7,470 images expected, 4 found", 4),
        (packed.jsrt, "JSRT: 247 images expected, 3 found", 3),
        (packed.pneumoniamnist, "MedMNIST's chest X-rays: 6 found", 6),
        (packed.chestmnist, "MedMNIST's chest X-rays: 6 found", 6),
        (
            tuberculosis.montgomery,
            "Montgomery County chest X-rays: 138 images expected, 4 found",
            4,
        ),
        (tuberculosis.shenzhen, "Shenzhen Hospital chest X-rays: 662 images expected, 4 found", 4),
        (tuberculosis.tbx11k, "TBX11K: 5 found", 5),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_other_set_needs_no_option(tmp_path, capsys, write, title, images):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    write(tmp_path / "set")
    out = tmp_path / "m.csv"
    assert index(tmp_path / "set", out) == 0
    assert title in capsys.readouterr().out
    records = records_of(out)
    assert len(records) == images
    assert all(record.label and record.pixels for record in records)
    assert all(Path(path).is_file() for path in read_manifest(out).paths())


def test_index_warns_where_a_folder_around_the_classes_becomes_the_only_label(tmp_path, capsys):
    for seed, name in enumerate(("a", "b")):
        image(tmp_path / f"set/download/{name}/1.png", seed)
    assert main(["index", str(tmp_path / "set"), "--out", str(tmp_path / "m.csv")]) == 0
    told = capsys.readouterr().err
    assert "all images have the label download, the only folder; it holds a, b." in told


def test_names_start_from_the_folder_that_one_is_in_now(tmp_path, monkeypatch):
    for name in ("first", "second"):
        write_class_folders(tmp_path / name / f"scans-{name}", count=2)
        monkeypatch.chdir(tmp_path / name)
        assert main(["index", f"scans-{name}", "--out", "m.csv"]) == 0
        first = read_manifest("m.csv").records[0]
        assert first.file == f"scans-{name}/covid/covid-p0-0.png"
