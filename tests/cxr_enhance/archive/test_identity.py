"""Stripped files in a run: names that tell, hashed names, and pseudonyms with a key."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from pathlib import Path

import pytest

import cxr_enhance as cxe
from cxr_enhance.archive._names import Naming
from cxr_enhance.archive.plan import PlannedFiles, plan_files
from cxr_enhance.archive.telling_names import find_telling_names
from cxr_enhance.cli import main
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import contents, rows_of
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from tests.helpers.dicom_files import data_set, saved  # noqa: E402

KEY = b"0123456789abcdef0123456789abcdef"
STRIP = ["--format", "dicom", "--strip-identity"]


@pytest.fixture
def scans(tmp_path):
    """Write two images of one patient and one of another, in folders of their names."""
    for name, seed, patient in (
        ("DOE_JANE/1.dcm", 1, "SECRET-4711"),
        ("DOE_JANE/2.dcm", 2, " SECRET-4711 "),
        ("ROE/1.dcm", 3, "SECRET-4712"),
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            saved(data_set(synthetic_radiograph(60, 50, seed=seed), PatientID=patient))
        )
    return tmp_path / "in"


@pytest.fixture
def key(tmp_path):
    """Write a key that its owner alone may read."""
    (tmp_path / "key").write_bytes(KEY + b"\n")
    (tmp_path / "key").chmod(0o600)
    return tmp_path / "key"


def patient_ids(out):
    return {
        str(path.relative_to(out)): pydicom.dcmread(path).PatientID
        for path in sorted(out.rglob("*.dcm"))
    }


def test_names_that_may_hold_identity_are_warned_of(run, scans, tmp_path):
    status, report, err = run(scans, "--out", tmp_path / "out", *STRIP)
    assert (status, report["written"], report["telling_names"]) == (0, 3, 3)
    assert err == (
        "Warning: the names of 3 outputs are made of input names that may hold identity, such as "
        "'DOE_JANE/1.dcm'. --flat-names makes names of hashes instead.\n"
    )
    for words in (["--format", "dicom"], ["--flat-names", *STRIP]):
        assert run(scans, "--out", tmp_path / "out2", *words)[2] == ""


@pytest.mark.parametrize(
    ("name", "tells"),
    [
        ("scan.dcm", False),
        ("IM000001", False),
        ("image_12.dcm", False),
        ("0001.dcm", False),
        ("frontal-1.dcm", False),
        ("images/view1_frontal.jpg", False),
        ("MUELLER^ANNA.dcm", True),
        ("12345678.dcm", True),
        ("1.2.840.113619.2.5.dcm", True),
        ("p10/p10000032/s50414267/x.dcm", True),
        ("4711/scan.dcm", True),
        ("patient_4711/scan.dcm", True),
        ("images/2019-03-07/scan.dcm", True),
        ("胸部.dcm", True),
    ],
)
def test_only_general_words_and_short_numbers_count_as_nobodys(name, tells):
    files = PlannedFiles("out/of/doe", Naming(".dcm"))
    path = os.path.join("in", *name.split("/"))
    files.add(path, len("in/"), "in", named=False)
    files.settle_names()
    assert bool(find_telling_names(files).number) is tells


@pytest.mark.parametrize("keyed", [False, True])
def test_flat_names_are_hashes_that_the_manifest_maps(run, scans, key, tmp_path, keyed, capfd):
    words = [*STRIP, "--flat-names", *(["--pseudonym-key", key] if keyed else [])]
    out = tmp_path / "out"
    status, report, err = run(scans, "--out", out, *words)
    assert (status, err) == (0, "")
    expected = {}
    for relative in ("DOE_JANE/1.dcm", "DOE_JANE/2.dcm", "ROE/1.dcm"):
        text = relative.encode()
        digest = hmac.new(KEY, text, "sha256") if keyed else hashlib.sha256(text)
        name = digest.hexdigest()[:32]
        expected[str(scans / relative)] = str(out / name[:2] / f"{name}.dcm")
    assert {row["input"]: row["output"] for row in rows_of(out)} == expected
    for source, target in expected.items():
        assert_same_image(cxe.read_image(target), cxe.enhance(cxe.read_image(source)))
    report = run(scans, "--out", out, *words)[1]
    assert (report["written"], report["exists"]) == (0, 3)
    main(["run", str(scans), "--out", str(out), *map(str, words)])
    assert (
        f"{out / 'manifest.jsonl'} tells which output is of which input" in capfd.readouterr().out
    )


def test_nothing_of_a_name_is_left_in_flat_stripped_outputs(run, scans, tmp_path):
    run(scans, "--out", tmp_path / "out", "--flat-names", *STRIP)
    for name, content in contents(tmp_path / "out").items():
        assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{32}\.dcm", name.replace(os.sep, "/"))
        assert not any(word in content.lower() for word in (b"doe^", b"jane", b"secret"))


def test_equal_relative_names_of_two_folders_get_distinct_hashes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/x.png", "b/x.png", "c/a/x.png", "d/x.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    inputs = ["a", "b", "c/a", "d"]
    plan = plan_files(inputs, "out", ".png", flat_names=True)
    names = {item.source: item.target for item in plan.files}
    assert len(set(names.values())) == 4
    turned = plan_files(inputs[::-1], "out", ".png", flat_names=True)
    assert {item.source: item.target for item in turned.files} == names


def test_a_key_makes_the_same_pseudonym_for_all_files_of_a_patient(run, scans, key, tmp_path):
    status, _, _ = run(scans, "--out", tmp_path / "out", *STRIP, "--pseudonym-key", key)
    assert status == 0
    one, other = (
        hmac.new(KEY, patient, "sha256").hexdigest()[:32]
        for patient in (b"SECRET-4711", b"SECRET-4712")
    )
    assert patient_ids(tmp_path / "out") == {
        "DOE_JANE/1.dcm": one, "DOE_JANE/2.dcm": one, "ROE/1.dcm": other,
    }  # fmt: skip
    run(scans, "--out", tmp_path / "none", *STRIP)
    assert set(patient_ids(tmp_path / "none").values()) == {""}


def test_no_patient_id_gets_no_pseudonym(run, key, tmp_path):
    image = synthetic_radiograph(60, 50)
    (tmp_path / "scan.dcm").write_bytes(saved(data_set(image, PatientID="")))
    cxe.write_image(tmp_path / "scan2.png", image)
    words = [tmp_path / "scan.dcm", tmp_path / "scan2.png", *STRIP, "--pseudonym-key", key]
    assert run(*words, "--out", tmp_path / "out")[0] == 0
    assert set(patient_ids(tmp_path / "out").values()) == {""}


def test_the_key_is_nowhere_and_another_one_is_noticed(run, scans, key, tmp_path):
    out = tmp_path / "out"
    words = [scans, "--out", out, *STRIP, "--pseudonym-key", key]
    first = run(*words)[1]
    kept = (out / "manifest.jsonl").read_text() + json.dumps(first)
    assert KEY.decode() not in kept
    assert KEY.hex() not in kept
    key.write_bytes(KEY[::-1])
    (said,) = run(*words)[1]["other_options"]
    assert said.startswith("3 with pseudonym_key '")


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"", 2, "must hold at least 16 bytes; got 0."),
        (b"short\n", 2, "must hold at least 16 bytes; got 5."),
        (bytes(5000), 2, "`--pseudonym-key` must name a file of at most 4096 bytes; got"),
        (None, 2, "No such file or directory"),
    ],
)
def test_what_is_no_key_is_refused(run, scans, tmp_path, content, status, sentence):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    words = [*STRIP, "--pseudonym-key", tmp_path / "key"]
    got, _, err = run(scans, "--out", tmp_path / "out", *words)
    assert got == status
    assert sentence in err
    assert not (tmp_path / "out").exists()


def test_a_key_without_stripping_is_refused(run, scans, key, tmp_path):
    words = ["--format", "dicom", "--pseudonym-key", key]
    status, _, err = run(scans, "--out", tmp_path / "out", *words)
    assert status == 2
    assert err.startswith("Error: `--pseudonym-key` is only allowed with --strip-identity; without")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_key_that_others_may_read_is_warned_of(run, scans, key, tmp_path):
    words = [*STRIP, "--flat-names", "--pseudonym-key", key]
    assert run(scans, "--out", tmp_path / "out", *words)[2] == ""
    key.chmod(0o644)
    status, _, err = run(scans, "--out", tmp_path / "out", *words)
    assert status == 0
    assert err.startswith(f"Warning: others may read the key {key}, and tell with it whose")
    assert err.endswith(f"chmod 600 {key}\n")


def test_the_help_names_the_profile(capfd):
    main(["run", "--help"])
    words = " ".join(capfd.readouterr().out.split())
    assert "Basic Application Level Confidentiality Profile of DICOM PS3.15" in words
