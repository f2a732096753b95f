"""`index` and `split` give what the commands write, byte for byte."""

import dataclasses
import os

import numpy as np
import pytest

import cxr_models as cxm
from cxr_enhance import write_image
from cxr_models.records.splits import records_hash
from cxr_models.records.ties import components
from tests.cxr_models.records.trees import chexpert, packed
from tests.helpers.fresh_process import run_code
from tests.helpers.radiographs import draw, write_class_folders, write_csv

PATIENTS = r"\w+-p\d+"


@pytest.fixture
def scans(tmp_path):
    write_class_folders(tmp_path / "scans", count=8)
    return tmp_path / "scans"


@pytest.fixture
def many(tmp_path):
    write_class_folders(tmp_path / "many", count=16)
    return tmp_path / "many"


@pytest.fixture
def command(tmp_path, monkeypatch):
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_models.cli import main

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return lambda *words: main([*map(str, words)])


def test_the_manifest_is_that_of_the_command(scans, tmp_path, command):
    told, out = tmp_path / "told.csv", tmp_path / "out.csv"
    assert command("index", scans, "--out", told, "--patient-pattern", PATIENTS) == 0
    manifest = cxm.index(scans, patient_pattern=PATIENTS, out=out)
    assert out.read_bytes() == told.read_bytes()
    assert manifest == cxm.read_manifest(told)
    in_memory = cxm.index(scans, patient_pattern=PATIENTS)
    assert in_memory.paths() == [str(scans / record.file) for record in in_memory.records]
    assert [record.hash for record in in_memory.records] == [r.hash for r in manifest.records]


def test_labels_are_renamed_and_others_left_out(scans):
    manifest = cxm.index(
        scans, labels={"covid": "sick", "virus": "sick"}, patient_pattern=PATIENTS, decode=False
    )
    assert manifest.class_names() == ("sick",)
    assert len(manifest.records) == 16


def test_a_public_set_is_recognised_and_chosen_of(tmp_path, command):
    chexpert.chexpert(tmp_path / "set")
    told, out = tmp_path / "told.csv", tmp_path / "out.csv"
    words = ("--no-decode", "--label-from", "Edema", "--uncertain", "zero", "--views", "all")
    command("index", tmp_path / "set", "--out", told, *words)
    choices = cxm.Choices(label_from="Edema", uncertain="zero", views=frozenset(("all",)))
    with pytest.warns(UserWarning, match="^3 images have the label 'no Edema' only because"):
        manifest = cxm.index(tmp_path / "set", choices=choices, decode=False, out=out)
    assert out.read_bytes() == told.read_bytes()
    assert len(manifest.class_names()) == 2


def test_a_set_of_arrays_is_unpacked_beside_the_manifest_alone(tmp_path):
    packed.pneumoniamnist(tmp_path / "set")
    with pytest.raises(ValueError, match="`out` must be given for this set, whose images are"):
        cxm.index(tmp_path / "set")
    with pytest.warns(UserWarning, match="No patient is known"):
        manifest = cxm.index(tmp_path / "set", out=tmp_path / "m.csv")
    assert all(
        path.startswith(str(tmp_path / "m.images"))
        for path in map(os.path.realpath, manifest.paths())
    )


def test_a_table_of_ones_own_names_files_and_labels(scans, tmp_path):
    rows = [{"path": "covid/covid-p0-0.png", "dx": "a", "who": "p0"}]
    rows += [{"path": "virus/virus-p0-0.png", "dx": "b", "who": "q0"}]
    write_csv(tmp_path / "table.csv", rows)
    columns = {"file": "path", "label": "dx", "patient": "who"}
    manifest = cxm.index(scans, csv=[tmp_path / "table.csv"], columns=columns)
    assert [(r.file, r.label, r.patient) for r in manifest.records] == [
        ("covid/covid-p0-0.png", "a", "p0"),
        ("virus/virus-p0-0.png", "b", "q0"),
    ]
    for table in (tmp_path / "table.csv", str(tmp_path / "table.csv")):
        assert cxm.index(scans, csv=table, columns=columns) == manifest


def test_blanks_in_names_of_folders_are_kept(tmp_path):
    write_class_folders(tmp_path, (" covid", "normal"), 2)
    manifest = cxm.index(tmp_path, out=tmp_path / "m.csv", patient_pattern=PATIENTS)
    assert all(map(os.path.exists, manifest.paths()))
    again = cxm.index(tmp_path, csv=[tmp_path / "m.csv"], out=tmp_path / "n.csv")
    assert [r.file for r in again.records] == [r.file for r in manifest.records]
    assert manifest.class_names() == ("covid", "normal")


def test_what_a_user_must_know_is_a_warning(scans):
    (scans / "covid" / "broken.png").write_bytes(b"no image")
    write_image(scans / "virus" / "virus-p9-0.png", draw(0, 48, 0.0))  # covid/covid-p0-0.png
    with pytest.warns(UserWarning, match="not used|two labels|No patient") as warned:
        cxm.index(scans)
    sentences = [str(warning.message) for warning in warned]
    assert sentences[0].startswith("1 file is not used, such as 'covid/broken.png': ")
    assert "1 pair of equal or near images has two labels, of which one is wrong" in sentences[1]
    assert sentences[2].startswith("No patient is known of 25 of 25 images")
    assert {warning.filename for warning in warned} == {__file__}


@pytest.mark.parametrize("decode", [False, True])
def test_patients_of_dicom_headers_that_are_not_written_are_a_true_warning(tmp_path, decode):
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    from tests.helpers.dicom_files import data_set, saved

    rng = np.random.default_rng(0)
    for number, label in enumerate("ab"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for name, patient in (("p", f"P{number}"), ("q", f"P{number}"), ("r", "unknown")):
            file = tmp_path / "set" / label / f"{name}.dcm"
            noise = rng.integers(0, 256, (64, 64), np.uint8)
            file.write_bytes(saved(data_set(noise, PatientID=patient)))
    with pytest.warns(UserWarning, match="patient") as warned:
        manifest = cxm.index(tmp_path / "set", decode=decode)
    texts = [str(warning.message) for warning in warned]
    assert texts[0].startswith("No patient is known of 2 of 6 images, so that")
    assert texts[1].startswith("Patient ids in the DICOM headers of 4 of 6 images are not written.")
    assert texts[1].endswith("Write pseudonyms with `pseudonym_key`.")
    assert components(manifest.records) == [0, 0, 2, 3, 3, 5]
    (tmp_path / "key").write_text("0123456789abcdef\n")
    with pytest.warns(UserWarning, match="No patient is known of 2 of 6 images") as warned:
        cxm.index(tmp_path / "set", decode=decode, pseudonym_key=tmp_path / "key")
    assert len(warned) == 1


def test_a_file_under_two_names_is_refused_before_anything_is_written(scans, tmp_path):
    name = "covid/covid-p0-0.png"
    write_csv(
        tmp_path / "x.csv",
        [{"file": name, "label": "a"}, {"file": str(scans / name), "label": "b"}],
    )
    for out in (None, tmp_path / "m.csv"):
        with pytest.raises(
            ValueError, match=f"must differ from record to record; got twice: '{name}"
        ):
            cxm.index(scans, csv=[tmp_path / "x.csv"], out=out)
    assert not (tmp_path / "m.csv").exists()


def test_rows_of_a_table_that_have_no_row_in_another_are_counted(scans, tmp_path):
    files = [{"file": f"covid/covid-p0-{n}.png", "label": "a", "id": n} for n in (0, 1)]
    write_csv(tmp_path / "files.csv", files)
    write_csv(tmp_path / "patients.csv", [{"id": 1, "patient": "p0"}])
    with pytest.warns(UserWarning, match="has no row|No patient") as warned:
        manifest = cxm.index(scans, csv=[tmp_path / "files.csv", tmp_path / "patients.csv"])
    assert str(warned[0].message).startswith("1 of 2 rows of files.csv has no row in patients.csv")
    assert [record.patient for record in manifest.records] == ["", "p0"]


@pytest.mark.parametrize("argument", ["columns", "labels"])
@pytest.mark.parametrize("given", ["covid", ["covid"], {"covid": 1}])
def test_names_and_their_meaning_are_a_dictionary(scans, argument, given):
    with pytest.raises(TypeError, match=f"`{argument}` must be a dictionary of str to str"):
        cxm.index(scans, **{argument: given})


def test_errors_name_arguments(scans, tmp_path):
    with pytest.raises(NotADirectoryError, match="`folder` must be a folder; got"):
        cxm.index(scans / "covid" / "covid-p0-0.png")
    with pytest.raises(ValueError, match=r"`layout` must be one of .*; got 'nih-2'"):
        cxm.index(scans, layout="nih-2")
    with pytest.raises(ValueError, match="`columns` is only allowed with `csv`; got no `csv`"):
        cxm.index(scans, columns={"file": "path"})
    with pytest.raises(ValueError, match="`drop_duplicates` is only allowed without decode=False"):
        cxm.index(scans, drop_duplicates=True, decode=False)
    (tmp_path / "m.csv").write_text("mine\n")
    with pytest.raises(FileExistsError, match=r"`out` must not exist; got .* Choose another name"):
        cxm.index(scans, out=tmp_path / "m.csv")
    assert (tmp_path / "m.csv").read_text() == "mine\n"


# --- split ---------------------------------------------------------------------------------------


def test_the_split_is_that_of_the_command(many, tmp_path, command):
    manifest = cxm.index(
        many, patient_pattern=PATIENTS, decode=False, out=tmp_path / "manifest.csv"
    )
    told, out = tmp_path / "told.csv", tmp_path / "out.csv"
    assert command("split", tmp_path / "manifest.csv", "--out", told, "--seed", "3") == 0
    split = cxm.split(manifest, seed=3, out=out)
    assert out.read_bytes() == told.read_bytes()
    assert split == cxm.read_split(told)
    in_memory = cxm.split(manifest, seed=3)
    assert in_memory.hash == records_hash(in_memory.manifest.records)
    assert [r.split for r in in_memory.manifest.records] == [
        r.split for r in split.manifest.records
    ]
    assert cxm.split(tmp_path / "manifest.csv", seed=3) == in_memory


def test_a_given_split_is_kept_completed_dropped_or_refused(many):
    manifest = cxm.index(many, patient_pattern=PATIENTS, decode=False)
    records = [
        dataclasses.replace(record, split="test" if "-p0-" in record.file else "train")
        for record in manifest.records
    ]
    given = dataclasses.replace(manifest, records=tuple(records))
    kept = cxm.split(given).manifest.records
    tested = {record.file for record in records if record.split == "test"}
    assert {record.file for record in kept if record.split == "test"} == tested
    assert {record.split for record in kept} == {"train", "val", "test"}
    made_new = cxm.split(given, drop_split=True)
    assert made_new == cxm.split(manifest)
    complete = dataclasses.replace(manifest, records=tuple(kept))
    with pytest.raises(ValueError, match=r"`fractions` is only allowed .* drop_split=True; got a"):
        cxm.split(complete, fractions=(0.5, 0.25, 0.25))
    records[0] = dataclasses.replace(records[0], split="train")  # its patient is tested too
    leaking = dataclasses.replace(manifest, records=tuple(records))
    with pytest.raises(
        ValueError, match=r"(?s)1 patient is in train and test, 2 images.*with without_leaks=True"
    ):
        cxm.split(leaking)
    mended = cxm.split(leaking, without_leaks=True).manifest.records
    assert mended[0].split == ""
    with pytest.raises(ValueError, match="`without_leaks` is only allowed with a manifest that"):
        cxm.split(manifest, without_leaks=True)


def test_a_split_does_not_replace_the_file_that_it_is_made_of(many, tmp_path):
    manifest = cxm.index(many, patient_pattern=PATIENTS, decode=False)
    cxm.split(manifest, out=tmp_path / "s.csv")
    before = (tmp_path / "s.csv").read_bytes()
    with pytest.raises(ValueError, match="`out` must not replace what this command reads"):
        cxm.split(tmp_path / "s.csv", out=tmp_path / "s.csv", drop_split=True, overwrite=True)
    assert (tmp_path / "s.csv").read_bytes() == before


def test_other_names_of_parts_are_read_with_a_warning_or_refused(many):
    manifest = cxm.index(many, patient_pattern=PATIENTS, decode=False)

    def with_parts(*names):
        return dataclasses.replace(
            manifest,
            records=tuple(
                dataclasses.replace(record, split=names[place // 2 % len(names)])
                for place, record in enumerate(manifest.records)
            ),
        )

    with pytest.warns(UserWarning, match="^Parts are read by other names: 'valid' as val\\.$"):
        split = cxm.split(with_parts("train", "valid", "test"), without_leaks=True)
    assert split == cxm.split(with_parts("train", "val", "test"))
    with pytest.raises(ValueError, match=r"got 'b' in .* or make a new split with drop_split=True"):
        cxm.split(with_parts("train", "b"), without_leaks=True)


def test_labels_that_cannot_name_files_and_parts_that_lack_one_are_told(many):
    manifest = cxm.index(many, patient_pattern=PATIENTS, decode=False)
    odd = [dataclasses.replace(r, label=r.label.replace("covid", "a/b")) for r in manifest.records]
    with pytest.raises(ValueError, match="`label` must be a name without slashes"):
        cxm.split(dataclasses.replace(manifest, records=tuple(odd)))
    few = manifest.records[:17]  # one image of the second label
    with pytest.warns(UserWarning, match="Nothing in .* of normal; too few patients"):
        cxm.split(dataclasses.replace(manifest, records=few))


def test_no_framework_is_needed(scans):
    run_code(
        """
        import cxr_models as cxm
        manifest = cxm.index(sys.argv[1], patient_pattern=r"p\\d+")
        cxm.split(manifest, fractions=(0.5, 0.25, 0.25))
        """,
        scans,
        without=("tensorflow", "keras", "torch", "jax", "typer", "sklearn", "scipy"),
    )
