"""Names of outputs that may tell whose an image is are counted and warned of."""

from __future__ import annotations

import os

import pytest

from cxr_enhance.archive._names import Naming
from cxr_enhance.archive.identifying_names import find_identifying_names
from cxr_enhance.archive.planned_files import PlannedFiles
from tests.cxr_enhance.archive.conftest import STRIP

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv


def test_names_that_may_hold_identity_are_warned_of(run, scans, tmp_path):
    status, report, err = run(scans, "--out", tmp_path / "out", *STRIP)
    assert (status, report["written"], report["telling_names"]) == (0, 3, 3)
    assert err == (
        "Warning: the names of 3 outputs are made of input names that may hold identity, such as "
        "'DOE_JANE/1.dcm'. --flat-names makes names of hashes instead.\n"
    )
    for number, words in enumerate((["--format", "dicom"], ["--flat-names", *STRIP])):
        assert run(scans, "--out", tmp_path / f"other{number}", *words)[2] == ""


@pytest.mark.parametrize(
    ("name", "is_identifying"),
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
def test_only_general_words_and_short_numbers_count_as_nobodys(name, is_identifying):
    files = PlannedFiles("out/of/doe", Naming(".dcm"))
    path = os.path.join("in", *name.split("/"))
    files.add(path, len("in/"), "in", is_named_by_user=False)
    files.choose_names()
    assert bool(find_identifying_names(files).number) is is_identifying
