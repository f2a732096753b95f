"""`cxr-models train` as a person runs it: in a terminal, in a pipe, and stopped."""

import dataclasses
import json
import re
import shlex

import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_enhance import EnhanceParams
from cxr_models import RunConfig
from cxr_models.cli import main
from cxr_models.runs.folder import RunFolder
from tests.helpers.fresh_process import ROOT, run_code, run_module
from tests.helpers.radiographs import write_class_folders
from tests.helpers.terminal import run_in_terminal

PROGRAM = "tests.helpers.tiny_program"
SILENT = {"TF_CPP_MIN_LOG_LEVEL": None}  # as a user has it


@pytest.fixture
def split(tmp_path):
    names = write_class_folders(tmp_path / "images", count=8)
    rows = [f"images/{name},{name.split('/')[0]},{name.rsplit('-', 1)[0]}" for name in names]
    (tmp_path / "m.csv").write_text("\n".join(["file,label,patient", *rows]) + "\n")
    words = ["split", str(tmp_path / "m.csv"), "--out", str(tmp_path / "split.csv")]
    assert main(words) == 0
    return tmp_path / "split.csv"


def training(split, *words, epochs=2):
    return [
        *("train", split, "--out", split.parent / "run", "--weights", "none", "--epochs-head"),
        *(epochs, "--batch-size", 4, "--image-size", 32, 40, *words),
    ]


def test_print_config_prints_what_train_reads_back_and_nothing_else(tmp_path):
    words = ["train", "--print-config", "--no-enhance", "--set", "training.patience=5"]
    code = "from cxr_models.cli import main; sys.exit(main(sys.argv[1:]))"
    done = run_code(code, *words, without=("tensorflow", "keras"))
    expected = RunConfig().with_setting("data.enhance", None).with_setting("training.patience", 5)
    assert RunConfig.from_json(done.stdout) == expected
    assert done.stderr == ""
    (tmp_path / "settings.json").write_text(done.stdout)
    again = ["train", "--print-config", "--config", tmp_path / "settings.json"]
    assert run_code(code, *again).stdout == done.stdout


@pytest.mark.parametrize("name", ["settings.JSON", "settings", "settings.conf"])
def test_printed_settings_are_read_back_whatever_the_name_of_their_file(tmp_path, name, capsys):
    (tmp_path / name).write_text(RunConfig().with_setting("training.seed", 7).to_json())
    assert main(["train", "--print-config", "--config", str(tmp_path / name)]) == 0
    assert json.loads(capsys.readouterr().out)["training"]["seed"] == 7


def test_printed_settings_are_the_defaults_where_nothing_is_typed(capsys):
    assert main(["train", "--print-config"]) == 0
    assert json.loads(capsys.readouterr().out) == RunConfig().to_dict()


def test_a_file_of_params_is_the_enhancement_and_wins_over_the_settings_file(tmp_path, capsys):
    params = EnhanceParams(clip_limit=3.5, tile_grid_size=(8, 4))
    (tmp_path / "params.json").write_text(params.to_json())
    config = RunConfig().with_setting("data.enhance.clip_limit", 9).with_setting("data.flip", False)
    (tmp_path / "settings.json").write_text(config.to_json())
    words = ["train", "--print-config", "--config", str(tmp_path / "settings.json")]
    assert main([*words, "--params", str(tmp_path / "params.json")]) == 0
    printed = RunConfig.from_json(capsys.readouterr().out)
    assert printed.data.enhance == params
    assert printed.data.flip is False
    words = [*words, "--params", str(tmp_path / "params.json")]
    assert main([*words, "--set", "data.enhance.clip_limit=1"]) == 0
    printed = RunConfig.from_json(capsys.readouterr().out)
    assert printed.data.enhance == EnhanceParams(clip_limit=1, tile_grid_size=(8, 4))


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ("{}", ["--no-enhance"], "`--params` is only allowed without --no-enhance."),
        ('{"clip": 1}', [], "`options` must have only the names"),
        ("nothing", [], "`text` must be one JSON object"),
        ('{"output": "rgb"}', [], "`enhance` must have output 'gray'"),
    ],
)
def test_params_that_cannot_be_the_enhancement_are_wrong_usage(
    tmp_path, text, words, sentence, capsys
):
    (tmp_path / "params.json").write_text(text)
    file = str(tmp_path / "params.json")
    assert main(["train", "--print-config", "--params", file, *words]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("label", ["covid", "12", "true", "two words", "a=b"])
def test_the_cure_for_a_binary_task_is_right_as_it_is_typed(label, tmp_path):
    from cxr_models import ModelConfig
    from cxr_models.cli._train import config_of
    from cxr_models.inputs.targets import check_positive_class

    with pytest.raises(ValueError, match="`positive_class` must be one of") as told:
        check_positive_class(ModelConfig(task="binary", positive_class="x"), [label, "other"])
    option, setting = shlex.split(str(told.value).partition("such as: ")[2])
    assert option == "--set"
    config = config_of(None, {"model.task": "binary"}, [setting], no_enhance=False)
    assert config.model.positive_class == label
    check_positive_class(config.model, [label, "other"])


def test_a_pipe_gets_plain_lines_and_none_of_tensorflow(split):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    done = run_module(PROGRAM, *training(split), env=SILENT)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert re.fullmatch("running on .+", lines[0])
    assert lines[1:3] == [
        "building the network: nasnet_mobile, weights none",
        "phase scratch: epochs 1 to 2",
    ]
    numbers = r"accuracy [\d.]+, loss [\d.]+, val_accuracy [\d.]+, val_loss [\d.]+"
    assert re.fullmatch(rf"scratch 1/2: {numbers} \(\d+ s(; about \d+ s left in this phase)?\)",
                        lines[3])  # fmt: skip
    assert re.fullmatch(rf"scratch 2/2: {numbers} \(\d+ s\)", lines[4])
    assert re.fullmatch(r"best validation accuracy: [\d.]+ in scratch", lines[5])
    assert re.fullmatch(r"kept the weights of epoch [12] of scratch", lines[6])
    assert lines[7:] == [f"wrote {split.parent / 'run/best.weights.h5'}"]


def test_tensorflow_speaks_where_it_is_asked_to(split):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    words = ["bench-pipeline", split, "--batches", 1, "--batch-size", 2]
    asked = run_module(PROGRAM, *words, env={"TF_CPP_MIN_LOG_LEVEL": "0"})
    assert "TensorFlow" in asked.stderr
    assert run_module(PROGRAM, *words, env=SILENT).stderr == ""


def test_a_terminal_shows_what_is_done_the_steps_and_the_time_left(split):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    status, shown = run_in_terminal(PROGRAM, *training(split, epochs=3), env=SILENT)
    assert status == 0, shown
    assert shown.startswith("loading TensorFlow\n")
    assert "preparing the first step, which takes longest" in shown
    assert re.search(r"scratch 1/3: validating \|█+\| 4/4, accuracy", shown)
    assert "scratch 3/3: accuracy" in shown
    # Nothing of a bar is left on the line of an epoch.
    assert re.search(r"\r *\rscratch 3/3: accuracy [^|]+\)\n", shown)


def test_ctrl_c_says_how_to_go_on_and_that_command_does(split):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    words = training(split, epochs=40)
    status, shown = run_in_terminal(
        PROGRAM, *words, interrupt_after="scratch 2/40: accuracy", env=SILENT
    )
    assert status == 130, shown
    told = re.search(r"stopped; whole epochs that are kept: (\d+)\. Go on with: (.+)\n", shown)
    kept, command = int(told[1]), shlex.split(told[2])
    assert 2 <= kept < 40
    run = split.parent / "run"
    assert command == [
        "cxr-models", "train", str(split), "--config", str(run / "config.json"), "--out", str(run),
    ]  # fmt: skip
    done = run_module(PROGRAM, *command[1:])
    assert f"phase scratch: epochs {kept + 1} to 40" in done.stdout
    assert (run / "best.weights.h5").is_file()


def test_ctrl_c_before_anything_was_written_says_so(split):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    status, shown = run_in_terminal(
        PROGRAM, *training(split), interrupt_after="loading TensorFlow", env=SILENT
    )
    assert (status, shown.splitlines()[-1]) == (
        130,
        "stopped before anything was written; give the same command to begin again",
    )
    assert not (split.parent / "run").exists()


def test_a_warning_for_the_user_is_one_line_that_no_terminal_obeys():
    lines = r"""
        import warnings
        from cxr_models.cli import _bench, main
        _bench.bench = lambda *_, **__: warnings.warn("DICOM: odd \x1b[31m window") or 0
        sys.exit(main(["bench-pipeline", "split.csv"]))
        """
    assert run_code(lines).stderr == "note: DICOM: odd \\x1b[31m window\n"


@pytest.mark.slow
def test_the_commands_of_the_page_on_shards_train_as_on_files(tmp_path):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    pytest.importorskip("webdataset", reason="webdataset is not installed")
    page = (ROOT / "docs" / "shards.md").read_text(encoding="utf-8")
    block = re.search(r"in three commands:\n\n```sh\n(.*?)```", page, re.DOTALL)
    split, shards, train = map(shlex.split, block[1].splitlines())
    names = write_class_folders(tmp_path / "images", count=8)
    rows = [f"images/{name},{name.split('/')[0]},{name.rsplit('-', 1)[0]}" for name in names]
    (tmp_path / "manifest.csv").write_text("\n".join(["file,label,patient", *rows]) + "\n")
    run_module(PROGRAM, *split[1:], cwd=tmp_path)
    run_module("cxr_enhance", *shards[1:], cwd=tmp_path)
    small = ["--weights", "none", "--epochs-head", 2, "--batch-size", 4, "--deterministic"]
    run_module(PROGRAM, *train[1:], *small, cwd=tmp_path)
    run_module(PROGRAM, "train", "split.csv", "--out", "runs/files", *small, cwd=tmp_path)
    first, files = (
        [
            dataclasses.replace(row, seconds=0.0)
            for row in RunFolder(path=tmp_path / "runs" / name).read_history()
        ]
        for name in ("first", "files")
    )
    assert len(first) == 2
    assert first == files
    run_module(PROGRAM, "evaluate", "runs/first", cwd=tmp_path)
    evaluation = tmp_path / "runs" / "first" / "evaluation"
    assert "000000.tar::" in (evaluation / "test.csv").read_text()
