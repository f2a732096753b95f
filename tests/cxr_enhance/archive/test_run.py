"""A run that strips identity: one key makes the pseudonyms of all its patients."""

from __future__ import annotations

import hmac
import json
import os

import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import KEY, STRIP

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from tests.helpers.dicom_files import data_set, saved  # noqa: E402


def patient_ids(out):
    return {
        str(path.relative_to(out)): pydicom.dcmread(path).PatientID
        for path in sorted(out.rglob("*.dcm"))
    }


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
