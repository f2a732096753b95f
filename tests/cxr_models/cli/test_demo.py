import functools
import json
import shlex
import shutil

import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")
pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.cli import _demo, main
from cxr_models.records.splits import read_split

STEPS = ["index", "index", "split", "train", "evaluate", "audit", "predict", "report"]
OUTPUTS = [
    "first.csv",
    "second.csv",
    "split.csv",
    "run/best.weights.h5",
    "run/evaluation/evaluation.json",
    "run/evaluation/audit.json",
    "predictions.csv",
    "report.html",
]


@pytest.fixture(autouse=True)
def few_patients(monkeypatch, tiny_backbone):
    monkeypatch.setattr(_demo, "_PATIENTS", 12)
    monkeypatch.setattr(_demo, "_OTHER_PATIENTS", 3)
    monkeypatch.setattr(_demo, "write_demo_set", functools.partial(_demo.write_demo_set, size=60))
    monkeypatch.setattr("sys.argv", ["pytest"])


def commands(text):
    """Give the words of the commands that were shown."""
    return [shlex.split(line[2:]) for line in text.splitlines() if line.startswith("$ ")]


def test_the_demo_goes_through_every_step_by_commands_that_can_be_typed(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a demo"
    assert main(["demo", "a demo", "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    *typed, following = commands(said)
    assert [words[:2] for words in typed] == [["cxr-models", step] for step in STEPS]
    assert "report, to open in a browser: a demo/report.html" in said
    assert following == ["cxr-models", "index", "SCANS", "--out", "manifest.csv"]
    assert read_split(folder / "split.csv").seed == 0
    evaluation = json.loads((folder / "run/evaluation/evaluation.json").read_text())
    assert list(evaluation["sets"]) == ["train", "val", "test", "second"]
    assert evaluation["sets"]["second"]["images"] == 18
    assert evaluation["sets"]["second"]["overlap"] == {"near": [], "patients": [], "unread": 0}
    assert (folder / "explained/images/covid-q000-0.png").is_file()

    # The same is made by whoever types these commands.
    made = {name: (folder / name).exists() for name in OUTPUTS}
    assert made == dict.fromkeys(OUTPUTS, True)
    typist = tmp_path / "typist"
    for clinic in ("first-clinic", "second-clinic"):
        shutil.copytree(folder / clinic, typist / "a demo" / clinic)
    monkeypatch.chdir(typist)
    for words in typed:
        assert main(words[1:]) == 0, words
    capsys.readouterr()
    for name in OUTPUTS[:3]:
        assert (typist / "a demo" / name).read_bytes() == (folder / name).read_bytes()
    assert all((typist / "a demo" / name).exists() for name in OUTPUTS)


def test_a_demo_that_was_stopped_goes_on_where_it_was_and_changes_nothing(
    tmp_path, capsys, monkeypatch
):
    folder = tmp_path / "demo"
    run = _demo._run

    def interrupted(words):
        return 130 if words[0] == "evaluate" else run(words)

    monkeypatch.setattr(_demo, "_run", interrupted)
    assert main(["demo", str(folder), "--epochs", "1"]) == 130
    said = capsys.readouterr()
    assert f"To go on: cxr-models demo {folder} --epochs 1" in said.err
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "demo.json"]
    before = {path: path.stat().st_mtime_ns for path in files}
    monkeypatch.setattr(_demo, "_run", run)
    assert main(["demo", str(folder), "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert said.count(": done before") == 4
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert main(["demo", str(folder), "--epochs", "1"]) == 0
    assert capsys.readouterr().out.count(": done before") == len(STEPS)


def test_the_demo_refuses_folders_that_are_not_its_own(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("x")
    assert main(["demo", str(tmp_path)]) == 2
    assert "`DIR` must be new, empty or an earlier demo's; got" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    file = str(tmp_path / "mine.txt")
    assert main(["demo", file]) == 2
    assert "`DIR` must be new, empty or an earlier demo's; got" in capsys.readouterr().err


def test_the_demo_refuses_the_folder_of_a_demo_of_other_settings(tmp_path, capsys):
    mark = tmp_path / "demo.json"
    for text in (json.dumps(_demo._mark(9)), "{"):
        mark.write_text(text)
        assert main(["demo", str(tmp_path), "--epochs", "1"]) == 2
        assert "that of another one. Name a new folder." in capsys.readouterr().err
        assert mark.read_text() == text


@pytest.mark.parametrize("on_path", [True, False])
def test_the_program_is_shown_by_its_path_where_its_name_leads_nowhere(
    tmp_path, monkeypatch, on_path
):
    program = tmp_path / "bin of mine/cxr-models"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(program), "demo"])
    monkeypatch.setenv("PATH", str(program.parent) if on_path else "/nowhere")
    shown = _demo._shown_command(("split", "m.csv"))
    assert shown == ("cxr-models" if on_path else shlex.quote(str(program))) + " split m.csv"
