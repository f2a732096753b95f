"""`cxr-enhance demo`: three files that tell the story, and nobody's file lost."""

from __future__ import annotations

import os

import pytest

import cxr_enhance as cxe
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv

from cxr_enhance.cli._figure import draw_before_after  # noqa: E402

NAMES = ["before_after.png", "enhanced.png", "input.png"]


def test_writes_input_enhanced_and_the_picture_of_both(cli, tmp_path):
    result = cli("demo", tmp_path / "new" / "demo")
    assert result.status == 0
    assert result.err == ""
    assert sorted(os.listdir(tmp_path / "new" / "demo")) == NAMES
    radiograph = cxe.read_image(tmp_path / "new" / "demo" / "input.png")
    enhanced = cxe.read_image(tmp_path / "new" / "demo" / "enhanced.png")
    assert radiograph.ndim == 2
    assert_same_image(enhanced, cxe.enhance(radiograph))
    picture = draw_before_after(radiograph, enhanced, title="Synthetic radiograph")
    assert (tmp_path / "new" / "demo" / "before_after.png").read_bytes() == picture
    for name in NAMES:
        assert f"wrote {tmp_path / 'new' / 'demo' / name}" in result.out
    assert " ms on one thread" in result.out


def test_has_a_folder_of_its_own_unless_told(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("demo").status == 0
    assert sorted(os.listdir("cxr-enhance-demo")) == NAMES


def test_runs_again_over_its_own_files_with_the_same_result(cli, tmp_path):
    cli("demo", tmp_path)
    first = {name: (tmp_path / name).read_bytes() for name in NAMES}
    assert cli("demo", tmp_path).status == 0
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == first


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_somebody_changed_since_stays(cli, tmp_path, name):
    cli("demo", tmp_path)
    (tmp_path / name).write_bytes(b"precious")
    before = {name: (tmp_path / name).read_bytes() for name in NAMES}
    result = cli("demo", tmp_path)
    assert result.status == 2
    assert f"which has a {name} of its own" in result.err
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == before


@pytest.mark.parametrize("name", NAMES)
def test_refuses_a_folder_with_such_a_file_of_somebody_elses(cli, tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    result = cli("demo", tmp_path)
    assert result.status == 2
    assert result.err.startswith("Error: `DIR` must be new, empty or an earlier demo's; got")
    assert (tmp_path / name).read_bytes() == b"precious"
    assert os.listdir(tmp_path) == [name]


def test_a_folder_that_cannot_be_made_is_a_sentence(cli, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        result = cli("demo", folder)
        assert result.status == 2
        assert result.err.startswith("Error: ")
        assert len(result.err.splitlines()) == 1


def test_version_is_the_packages(cli):
    assert cli("--version").out == f"cxr-enhance {cxe.__version__}\n"


def test_no_words_at_all_show_the_help(cli):
    result = cli()
    assert "doctor" in result.out + result.err
