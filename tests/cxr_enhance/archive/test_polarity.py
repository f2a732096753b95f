"""Images whose black and white look the wrong way round are noted, and turned over if asked."""

from __future__ import annotations

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.polarity import with_polarity
from cxr_enhance.io.dicom.decode import Decoded
from cxr_enhance.synthetic import synthetic_radiograph
from tests.cxr_enhance.archive.conftest import rows_of
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from tests.helpers.dicom_files import data_set, saved  # noqa: E402

GRAY = synthetic_radiograph(240, 200)
DEEP = synthetic_radiograph(240, 200, bits=12)
LOOKS_INVERTED = "looks inverted: upper corners and lungs are brighter than the spine"
INVERTED = "inverted, as upper corners and lungs were brighter than the spine"


@pytest.fixture
def folder(tmp_path):
    """Write a sound image, its negative, and a file with a false MONOCHROME1."""
    (tmp_path / "in").mkdir()
    cxe.write_image(tmp_path / "in" / "right.png", GRAY)
    cxe.write_image(tmp_path / "in" / "wrong.png", 255 - GRAY)
    false = data_set(DEEP, bits=12, photometric="MONOCHROME1")
    (tmp_path / "in" / "false.dcm").write_bytes(saved(false))
    return tmp_path / "in"


def notes(out):
    return {row["input"].rpartition("/")[2]: row["notes"] for row in rows_of(out)}


def test_a_wrong_polarity_is_noted_and_nothing_is_changed(run, folder, tmp_path):
    out = tmp_path / "out"
    status, report, _ = run(folder, "--out", out)
    assert status == 0
    assert notes(out) == {
        "right.png": "", "wrong.png": LOOKS_INVERTED, "false.dcm": LOOKS_INVERTED,
    }  # fmt: skip
    assert report["hints"]["looks inverted"] == 2
    assert_same_image(cxe.read_image(out / "wrong.png"), cxe.enhance(255 - GRAY))
    run(folder, "--out", tmp_path / "no", "--invert", "no")
    assert set(notes(tmp_path / "no").values()) == {""}
    for name in ("right.png", "wrong.png", "false.png"):
        assert (out / name).read_bytes() == (tmp_path / "no" / name).read_bytes()


def test_auto_turns_over_what_looks_inverted_alone(run, folder, tmp_path):
    out = tmp_path / "out"
    report = run(folder, "--out", out, "--invert", "auto")[1]
    assert notes(out) == {"right.png": "", "wrong.png": INVERTED, "false.dcm": INVERTED}
    assert report["hints"]["inverted"] == 2
    assert_same_image(cxe.read_image(out / "right.png"), cxe.enhance(GRAY))
    assert_same_image(cxe.read_image(out / "wrong.png"), cxe.enhance(GRAY))
    assert_same_image(cxe.read_image(out / "false.png"), cxe.enhance(DEEP))


def test_yes_turns_over_every_image(run, folder, tmp_path):
    out = tmp_path / "out"
    run(folder, "--out", out, "--invert", "yes")
    assert set(notes(out).values()) == {"inverted, as --invert yes asked"}
    assert_same_image(cxe.read_image(out / "right.png"), cxe.enhance(255 - GRAY))


def test_the_summary_tells_of_the_first_and_how_many(folder, tmp_path, capfd):
    from cxr_enhance.cli import main

    assert main(["run", str(folder), "--out", str(tmp_path / "out"), "--threads", "1"]) == 0
    text = capfd.readouterr().out
    assert "DICOM headers were amiss" not in text
    assert "false.dcm: black and white look the wrong way round, and stayed so. --invert" in text
    assert "The same of 1 more." in text


def test_only_what_turns_images_over_is_another_option():
    plain = Job(params=cxe.EnhanceParams())
    same = [Job(params=cxe.EnhanceParams(), invert=invert) for invert in ("note", "no")]
    assert {job.digest() for job in same} == {plain.digest()}
    other = [Job(params=cxe.EnhanceParams(), invert=invert) for invert in ("auto", "yes")]
    assert len({job.digest() for job in (plain, *other)}) == 3
    with pytest.raises(ValueError, match=r"`--invert` must be one of note, auto, yes, no; got 'x'"):
        Job(params=None, invert="x")


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("colour", [False, True])
def test_turning_over_is_white_less_the_image(bits, colour):
    image = synthetic_radiograph(240, 200, bits=bits)
    white = 2**bits - 1
    given = np.dstack([image] * 3) if colour else image
    decoded, polarity = with_polarity(Decoded(white - given, bits=bits), "auto", None)
    assert polarity.is_inverted
    assert_same_image(decoded.image, given)
    untouched, polarity = with_polarity(Decoded(given, bits=bits), "auto", None)
    assert untouched.image is given
    assert polarity.note == ""


def test_bits_of_the_options_count_where_no_header_tells_them():
    decoded, _ = with_polarity(Decoded(4095 - DEEP), "yes", 12)
    assert_same_image(decoded.image, DEEP)
    too_large, _ = with_polarity(Decoded(np.full((9, 9), 4096, np.uint16)), "yes", 12)
    assert int(too_large.image[0, 0]) == 4096  # for `enhance` to refuse


def test_padding_stays_dark():
    image = np.array([[10, 10, 50], [90, 200, 255]], np.uint8)
    decoded, _ = with_polarity(Decoded(image, padding=2), "yes", None)
    assert decoded.image.tolist() == [[0, 0, 205], [165, 55, 0]]


def test_the_sign_of_a_derived_file_follows_its_pixels(run, tmp_path):
    for photometric, invert, sign in (
        ("MONOCHROME1", "no", 1), ("MONOCHROME1", "yes", -1), ("MONOCHROME2", "yes", 1),
        ("MONOCHROME2", "no", -1),
    ):  # fmt: skip
        source = data_set(DEEP, bits=12, photometric=photometric)
        source.PixelIntensityRelationshipSign = -1
        (tmp_path / "scan.dcm").write_bytes(saved(source))
        out = tmp_path / f"{photometric}-{invert}"
        run(tmp_path / "scan.dcm", "--out", out, "--format", "dicom", "--invert", invert)
        assert pydicom.dcmread(out / "scan.dcm").PixelIntensityRelationshipSign == sign
