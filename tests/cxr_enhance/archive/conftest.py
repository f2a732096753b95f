"""Archives to run over, and the command line in a process of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import cxr_enhance as cxe
from cxr_enhance.cli import main
from cxr_enhance.synthetic import synthetic_radiograph

KEY = b"0123456789abcdef0123456789abcdef"
STRIP = ["--format", "dicom", "--strip-identity"]


def make_archive(folder, count, height=60, width=50):
    """Write `count` different PNG files below `folder`."""
    for index in range(count):
        path = folder / f"p{index % 3}" / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cxe.write_image(path, synthetic_radiograph(height, width, seed=index))
    return folder


def rows_of(out):
    """Read the rows of files of a manifest, as they stand."""
    path = out if out.suffix == ".jsonl" else out / "manifest.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if row["status"] != "run"]


def contents(folder):
    """Map every file below `folder`, hidden ones too, to its content; the manifest left out."""
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            if not name.endswith(".jsonl"):
                found[os.path.relpath(path, folder)] = Path(path).read_bytes()
    return found


@pytest.fixture
def run(capfd):
    """Give a function that runs `cxr-enhance run --json` and returns status, report, errors."""

    def call(*words):
        capfd.readouterr()
        status = main(["run", *map(str, words), "--json"])
        out, err = capfd.readouterr()
        return status, json.loads(out) if out else None, err

    return call


def outputs_in(out):
    """Count the outputs below a folder; what vanishes meanwhile, `os.walk` does not mind."""
    return sum(name.endswith(".png") for _, _, names in os.walk(out) for name in names)


@pytest.fixture
def scans(tmp_path):
    """Write two images of one patient and one of another, in folders of their names."""
    pytest.importorskip("pydicom")
    from tests.helpers.dicom_files import data_set, saved

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
