import pytest

from cxr_models.records.header_patients import keep_patients
from cxr_models.records.index import Index
from cxr_models.records.manifest import Record
from tests.cxr_models.records.trees.files import dicom, image


@pytest.fixture
def index(tmp_path):
    """Write images of patients P1 and P2 as DICOM and one as PNG; one DICOM image is broken."""
    pytest.importorskip("pydicom", reason="pydicom, which makes the files, is not installed")
    dicom(tmp_path / "1.dcm", 1, PatientID="P1")
    dicom(tmp_path / "2.dcm", 2, PatientID="P2")
    dicom(tmp_path / "stated.dcm", 3, PatientID="P2")
    image(tmp_path / "4.png", 4)
    (tmp_path / "broken.dcm").write_bytes(bytes(128) + b"DICM broken")
    files = {"1.dcm": "", "2.dcm": "", "stated.dcm": "P1", "4.png": "P1", "broken.dcm": ""}
    records = [Record(file=file, label="a", patient=name) for file, name in files.items()]
    return Index(records=tuple(records), skipped=())


@pytest.mark.parametrize(
    ("asked", "name_patient"),
    [("P1", None), ("P1", str.lower), ("p1", str.lower)],
    ids=["id without a name", "id with a name", "name"],
)
def test_patients_of_headers_are_asked_for_by_their_id_or_their_name(
    tmp_path, index, asked, name_patient
):
    steps = []
    kept = keep_patients(
        index, tmp_path, {asked}, name_patient=name_patient, progress=lambda: steps.append(1)
    )
    assert [r.file for r in kept.records] == ["1.dcm", "stated.dcm", "4.png", "broken.dcm"]
    assert [(s.file, s.reason) for s in kept.skipped] == [("2.dcm", "patient not asked for")]
    assert kept.skipped[0].is_intended()
    assert len(steps) == 1
