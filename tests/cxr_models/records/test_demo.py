import functools

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

from cxr_enhance import read_image
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_models import read_split
from cxr_models.cli import main
from cxr_models.records.demo import write_demo_set


def test_demo_set_has_patients_of_two_unequal_images(tmp_path):
    records = write_demo_set(tmp_path, patients=2, size=40)
    assert [(record.file, record.label, record.patient) for record in records] == [
        (f"{label}/{label}-p{patient:03d}-{exposure}.png", label, f"{label}-p{patient:03d}")
        for label in ("covid", "normal", "virus")
        for patient in range(2)
        for exposure in range(2)
    ]
    drawn = synthetic_radiograph(40, 35, seed=2001, opacity=0.9, opacity_pattern="diffuse")
    first, second = (read_image(tmp_path / record.file) for record in records[-2:])
    np.testing.assert_array_equal(first, drawn)
    np.testing.assert_array_equal(second, (drawn * np.float32(0.85)).astype(np.uint8))


@pytest.mark.usefixtures("tiny_backbone")
def test_demo_goes_all_the_way_to_a_test_accuracy(tmp_path, capsys, monkeypatch):
    few = functools.partial(write_demo_set, patients=12)
    monkeypatch.setattr("cxr_models.cli._demo.write_demo_set", few)
    assert main(["demo", str(tmp_path / "demo"), "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "72 images (covid 24, normal 24, virus 24)" in said
    assert "36 groups that a split keeps together" in said
    assert "test accuracy" in said
    run = tmp_path / "demo/run"
    assert (run / "curves.png").read_bytes()[:4] == b"\x89PNG"
    assert read_split(tmp_path / "demo/split.csv").seed == 0


def test_demo_refuses_a_folder_with_files(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("x")
    assert main(["demo", str(tmp_path)]) == 2
    assert "`DIR` must be new or empty" in capsys.readouterr().err
