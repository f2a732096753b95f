"""Which options of an earlier run give the same outputs as those of this one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.archive.equal_options import gives_equal_output
from cxr_enhance.archive.job import Job
from cxr_enhance.cli import main
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers.image_files import encoded

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv

NOW = Job(params=cxe.EnhanceParams()).to_dict()
BEFORE = {name: value for name, value in NOW.items() if name not in ("num_bins", "bits")}


@pytest.fixture
def outputs(tmp_path):
    """Write the same radiograph at 8 and 16 bits in every format; return the folder."""
    for bits in (8, 16):
        image = synthetic_radiograph(40, 30, bits=bits)
        (tmp_path / f"{bits}.png").write_bytes(encoded(".png", image))
        np.save(tmp_path / f"{bits}.npy", image)
    (tmp_path / "8.jpg").write_bytes(encoded(".jpg", synthetic_radiograph(40, 30)))
    return tmp_path


@pytest.mark.parametrize("name", ["8.png", "8.npy", "8.jpg"])
def test_8_bit_outputs_of_before_are_those_of_now(outputs, name):
    assert gives_equal_output(BEFORE, NOW, str(outputs / name))
    assert gives_equal_output({**NOW, "num_bins": 1000}, NOW, str(outputs / name))
    assert not gives_equal_output({**NOW, "num_bins": 255}, NOW, str(outputs / name))
    assert not gives_equal_output({**BEFORE, "clip_limit": 3.0}, NOW, str(outputs / name))
    assert not gives_equal_output({**NOW, "bits": 7}, NOW, str(outputs / name))
    assert not gives_equal_output({}, NOW, str(outputs / name))


@pytest.mark.parametrize("number", ["many", "", [], {}, "1e999", pytest.param(10**400, id="huge")])
def test_a_number_of_bins_that_someone_spoilt_is_another_one(outputs, number):
    is_large = isinstance(number, int)
    assert gives_equal_output({**NOW, "num_bins": number}, NOW, str(outputs / "8.png")) is is_large
    assert not gives_equal_output({**NOW, "num_bins": number}, NOW, str(outputs / "16.png"))


@pytest.mark.parametrize("name", ["16.png", "16.npy", "missing.png"])
def test_16_bit_outputs_of_before_are_others(outputs, name):
    assert not gives_equal_output(BEFORE, NOW, str(outputs / name))
    every = {**NOW, "num_bins": None}
    assert gives_equal_output(BEFORE, every, str(outputs / name))


def test_dicom_outputs_are_told_apart_by_their_header(tmp_path):
    pytest.importorskip("pydicom")
    for bits in (8, 16):
        source = tmp_path / f"{bits}.png"
        source.write_bytes(encoded(".png", synthetic_radiograph(240, 250, bits=bits)))
        output = str(tmp_path / f"{bits}.dcm")
        assert main(["run", str(source), "--out", output, "--quiet"]) == 0
        assert gives_equal_output(BEFORE, NOW, output) is (bits == 8)
    (tmp_path / "8.dcm").write_bytes(b"cut")
    assert not gives_equal_output(BEFORE, NOW, str(tmp_path / "8.dcm"))


def test_a_run_over_outputs_of_before_names_those_of_16_bits_alone(tmp_path, capfd):
    for bits in (8, 16):
        image = synthetic_radiograph(240, 250, bits=bits)
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{bits}.png").write_bytes(encoded(".png", image))
    words = ["run", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main([*words, "--num-bins", "all"]) == 0
    manifest = tmp_path / "out" / "manifest.jsonl"
    rows = []
    for line in manifest.read_text().splitlines():
        row = json.loads(line)
        for name in ("num_bins", "bits"):
            row.get("options", {}).pop(name, None)
        rows.append(json.dumps(row))
    manifest.write_text("\n".join(rows) + "\n")
    capfd.readouterr()
    assert main(words) == 0
    others = [line for line in capfd.readouterr().out.splitlines() if "made otherwise" in line]
    assert others == ["outputs that exist were made otherwise: 1 with num_bins None, now 256"]
