"""`cxr-enhance run IMAGE --out IMAGE`: one file to one file, and what contradicts that."""

from __future__ import annotations

import json
import os
import shlex
import sys

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers.compare import assert_same_image
from tests.helpers.image_files import encoded

pytest.importorskip("cv2")
pytest.importorskip("typer")
pytestmark = pytest.mark.opencv


@pytest.fixture
def image(tmp_path, monkeypatch):
    """Write one.jpg to the working folder and return its enhancement."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.jpg").write_bytes(encoded(".jpg", synthetic_radiograph(240, 250)))
    return cxe.enhance(cxe.read_image(tmp_path / "one.jpg"))


@pytest.mark.parametrize("name", ["out.png", "OUT.PNG", "new/folder/out.png", "out.npy"])
def test_one_file_is_written_and_nothing_else(cli, image, tmp_path, name):
    result = cli("run", "one.jpg", "--out", name)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("1 enhanced in ")
    assert result.out.endswith(f"; output in {name}\n")
    written = np.load(name) if name.endswith(".npy") else cxe.read_image(name)
    assert_same_image(written, image)
    files = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert files == sorted([name, "one.jpg"])


@pytest.mark.parametrize("name", ["out.jpg", "out.jpeg", "out.dcm", "out.dicom"])
def test_the_ending_sets_the_format(cli, image, tmp_path, name):
    if name.startswith("out.d"):
        pytest.importorskip("pydicom")
    assert cli("run", "one.jpg", "--out", name).status == 0
    data = (tmp_path / name).read_bytes()
    if name.startswith("out.j"):
        assert data == encoded(".jpg", image)
    else:
        assert data[128:132] == b"DICM"
        assert_same_image(cxe.read_image(data), image)


def test_options_reach_the_one_file(cli, image, tmp_path):
    words = ["--clip-limit", 5, "--long-side", 30, "--quality", 50, "--threads", 2]
    assert cli("run", "one.jpg", "--out", "out.jpg", *words).status == 0
    assert cli("run", "one.jpg", "--out", "folder", *words, "--format", "jpeg").status == 0
    assert (tmp_path / "out.jpg").read_bytes() == (tmp_path / "folder/one.jpg").read_bytes()


def test_an_existing_file_needs_overwrite(cli, image, tmp_path):
    (tmp_path / "out.png").write_bytes(b"precious")
    result = cli("run", "one.jpg", "--out", "out.png")
    assert (result.status, result.out) == (2, "")
    assert result.err == (
        "Error: `--out` must not exist; got 'out.png'. Replace it with --overwrite.\n"
    )
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    assert cli("run", "one.jpg", "--out", "out.png", "--overwrite").status == 0
    assert_same_image(cxe.read_image("out.png"), image)


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege only there")
def test_the_input_is_never_written_over(cli, image, tmp_path):
    before = (tmp_path / "one.jpg").read_bytes()
    (tmp_path / "link.png").symlink_to("one.jpg")
    for name in ("one.jpg", "./one.jpg", "link.png"):
        result = cli("run", "one.jpg", "--out", name, "--overwrite")
        assert result.status == 2
        assert result.err == f"Error: `--out` must not be the image itself; got {name!r}.\n"
    assert (tmp_path / "one.jpg").read_bytes() == before


def test_an_existing_folder_of_such_a_name_is_a_folder(cli, image, tmp_path):
    (tmp_path / "out.png").mkdir()
    assert cli("run", "one.jpg", "--out", "out.png").status == 0
    assert sorted(os.listdir("out.png")) == ["manifest.jsonl", "one.png"]
    assert cli("run", "one.jpg", "--out", f"new.png{os.sep}").status == 0
    assert sorted(os.listdir("new.png")) == ["manifest.jsonl", "one.png"]
    assert cli("run", "one.jpg", "--out", "study-1.2").status == 0
    assert sorted(os.listdir("study-1.2")) == ["manifest.jsonl", "one.png"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["one.jpg", "--format", "jpeg"], "`--format` must agree with the ending of --out; got"),
        (["one.jpg", "--quality", "5"], "`--quality` is only allowed with --format jpeg; got"),
        (["one.jpg", "--manifest", "m"], "`--manifest` is only allowed with a folder as --out;"),
        (["one.jpg", "--shard", "1/2"], "`--shard` is only allowed with a folder as --out;"),
        (["one.jpg", "--retry-failed"], "`--retry-failed` is only allowed with a folder as --out;"),
        (["one.jpg", "--engine", "dask"], "`--engine dask` is only allowed with a folder as --out"),
        (
            ["one.jpg", "two.jpg"],
            "`--out` must be a folder unless INPUT is one file; got 'out.png'",
        ),
        (["."], "`--out` must be a folder unless INPUT is one file; got 'out.png', the name of an"),
        (["--from", "list"], "`--out` must be a folder unless INPUT is one file; got 'out.png'"),
        ([], "`INPUT`, `--from` or `--records` must be given."),
        (["one.jpg", "--strip-identity"], "`--strip-identity` is only allowed with --format dicom"),
        (["one.jpg", "--threads", "0"], "`--threads` must be at least 1; got 0."),
    ],
)
def test_contradictions_are_sentences_and_status_2(cli, image, tmp_path, words, sentence):
    result = cli("run", *words, "--out", "out.png")
    assert result.status == 2
    assert result.err.startswith(f"Error: {sentence}")
    assert os.listdir(tmp_path) == ["one.jpg"]


@pytest.mark.parametrize("name", ["out.tif", "out.webp", "out.BMP"])
def test_an_image_that_is_not_written_is_no_folder(cli, image, tmp_path, name):
    result = cli("run", "one.jpg", "--out", name)
    assert result.status == 2
    assert result.err.startswith("Error: `--out` must end in .png, .jpg, .jpeg, .npy, .dcm or .dic")
    assert os.listdir(tmp_path) == ["one.jpg"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("gone.png", None, "No such file or directory"),
        ("cut.png", b"\x89PNG\r\n\x1a\n", "cut short"),
        ("notes.txt", b"no image", "`source` must hold a whole JPEG"),
    ],
)
def test_what_cannot_be_read_fails_and_leaves_nothing(cli, image, tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = cli("run", name, "--out", "out.png", "--json")
    assert result.status == 1
    assert result.err.startswith(f"failed: {name}: ")
    assert reason in result.err
    assert json.loads(result.out)["failed"] == 1
    assert not (tmp_path / "out.png").exists()


def test_a_dicom_object_without_an_image_fails(cli, image, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from tests.helpers.dicom_files import saved

    report = pydicom.Dataset()
    report.SOPClassUID, report.SOPInstanceUID = pydicom.uid.BasicTextSRStorage, "1.2.3"
    (tmp_path / "SR").write_bytes(saved(report))
    result = cli("run", "SR", "--out", "out.png")
    assert result.status == 1
    assert "got a DICOM file without an image" in result.err


def test_json_dry_run_and_quiet_say_what_they_do_for_folders(cli, image, tmp_path):
    assert cli("run", "one.jpg", "--out", "out.png", "--dry-run").out == "one.jpg -> out.png\n"
    assert json.loads(cli("run", "one.jpg", "--out", "out.png", "--dry-run", "--json").out) == {
        "todo": [{"source": "one.jpg", "target": "out.png"}], "settled": 0, "problems": [],
    }  # fmt: skip
    assert os.listdir(tmp_path) == ["one.jpg"]
    report = json.loads(cli("run", "one.jpg", "--out", "out.png", "--json").out)
    assert (report["written"], report["out"]) == (1, "out.png")
    assert report["files"] == [
        {"source": "one.jpg", "target": "out.png", "status": "written", "reason": ""}
    ]
    assert cli("run", "one.jpg", "--out", "q.png", "--quiet").out == ""


def test_a_task_of_an_array_writes_its_one_file(cli, image, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    assert cli("run", "one.jpg", "--out", "out.png").status == 0


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["one.jpg", "out.png"], "run one.jpg --out out.png"),
        (["one.jpg", "two.dcm", "out"], "run one.jpg two.dcm --out out"),
        (["one.jpg"], "run one.jpg --out one-enhanced.png"),
        (["one.jpg", "--out", "out.png"], "run one.jpg --out out.png"),
        (["--out", "out.png", "one.jpg"], "run --out out.png one.jpg"),
        (["--out=out.png", "one.jpg"], "run --out=out.png one.jpg"),
        (["one.jpg", "--clip-limit", "3"], "run one.jpg --clip-limit 3 --out DIR"),
        (["folder", "out"], "run folder --out out"),
        (["folder/"], "run folder/ --out folder-enhanced"),
        (["my scan.png", "out.png"], "run 'my scan.png' --out out.png"),
    ],
)
def test_files_without_a_command_get_the_command_that_was_meant(cli, image, tmp_path, words, meant):
    (tmp_path / "folder").mkdir()
    result = cli(*words)
    assert (result.status, result.out) == (2, "")
    assert result.err == (
        "Error: `COMMAND` must be one of run, check, summary, demo, compare, tune, doctor; got "
        f"{words[0]!r}. Enhance files with: cxr-enhance {meant}\n"
    )
    assert sorted(os.listdir(tmp_path)) == ["folder", "one.jpg"]


def test_the_command_that_was_meant_works(cli, image):
    err = cli("one.jpg", "out.png").err
    assert cli(*shlex.split(err.partition("with: cxr-enhance ")[2])).status == 0
    assert_same_image(cxe.read_image("out.png"), image)


def test_words_of_the_process_are_looked_at(cli, image, monkeypatch, capfd):
    from cxr_enhance.cli import main

    monkeypatch.setattr(sys, "argv", ["cxr-enhance", "one.jpg", "out.png"])
    assert main() == 2
    assert "cxr-enhance run one.jpg --out out.png" in capfd.readouterr().err


@pytest.mark.parametrize("words", [["walk"], ["--unknown"], ["--version"], ["doctor", "one.jpg"]])
def test_other_words_are_none_of_it(cli, image, words):
    assert "Enhance files with" not in cli(*words).err


@pytest.mark.skipif(os.name != "posix", reason="named pipes are POSIX's")
def test_a_pipe_is_not_waited_for(cli, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    result = cli("run", tmp_path / "pipe.png", "--out", tmp_path / "out.png")
    assert result.status == 1
    assert result.err.endswith("pipe.png: is not a regular file.\n")
    assert os.listdir(tmp_path) == ["pipe.png"]
