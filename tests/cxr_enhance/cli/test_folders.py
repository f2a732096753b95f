"""A command makes the folders of the name that was typed, and no others."""

from __future__ import annotations

import os

import numpy as np
import pytest

import cxr_enhance as cxe

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """Write one image to the working folder and name it."""
    monkeypatch.chdir(tmp_path)
    cxe.write_image("scan.png", np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    return "scan.png"


@pytest.mark.parametrize(
    "words",
    [["run", "scan.png", "--out", "new/../out"], ["run", "scan.png", "--out", "new/../out.png"],
     ["run", "scan.png", "--out", "a/../new/../out.png"], ["demo", "new/../out"]],
)  # fmt: skip
def test_a_name_that_goes_up_from_no_folder_is_refused_and_makes_none(cli, scan, tmp_path, words):
    (tmp_path / "a").mkdir()
    result = cli(*words)
    assert result.status == 2
    name = "DIR" if words[0] == "demo" else "--out"
    assert result.err.startswith(
        f"Error: `{name}` must go through folders that exist where it goes"
    )
    assert result.err.rstrip().endswith("new'.")
    assert sorted(os.listdir()) == ["a", scan]


def test_a_name_that_goes_up_from_a_folder_is_that_folders_neighbour(cli, scan, tmp_path):
    (tmp_path / "a").mkdir()
    assert cli("run", scan, "--out", "a/../out.png").status == 0
    assert cli("run", scan, "--out", "a/../new/out").status == 0
    assert sorted(os.listdir()) == ["a", "new", "out.png", scan]
    assert sorted(os.listdir("new/out")) == ["manifest.jsonl", "scan.png"]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("manifest", "rule"),
    [("mine.txt", "must name a new file or a manifest"), ("scan.png", "must not be an input"),
     ("out/scan.png", "must not be an output"), ("new/../m.jsonl", "in a folder that exists")],
)  # fmt: skip
def test_a_manifest_that_is_refused_is_wrong_usage(cli, scan, tmp_path, manifest, rule, dry):
    (tmp_path / "mine.txt").write_text("dear diary\n")
    (tmp_path / "out").mkdir()
    result = cli("run", scan, "--out", "out", "--manifest", manifest, *dry)
    assert result.status == 2
    assert result.err.startswith("Error: `--manifest` ")
    assert rule in result.err
    assert sorted(os.listdir()) == ["mine.txt", "out", scan]
    assert os.listdir("out") == []
