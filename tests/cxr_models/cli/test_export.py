"""`cxr-models export` and `predict` as a person runs them."""

import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")
pytest.importorskip("typer", reason="typer is not installed")

from tests.helpers.fresh_process import run_module
from tests.helpers.runs import copy_run
from tests.helpers.terminal import run_in_terminal

PROGRAM = "tests.helpers.tiny_program"
SILENT = {"TF_CPP_MIN_LOG_LEVEL": None}  # as a user has it


@pytest.fixture
def run(trained_run, small_split, tmp_path):
    return copy_run(trained_run, tmp_path / "run", small_split.manifest.root)


@pytest.mark.parametrize(
    ("kind", "name"), [("keras", "m.keras"), ("saved_model", "m"), ("litert", "m.tflite")]
)
def test_export_tells_each_step_and_nothing_of_tensorflow(run, tmp_path, kind, name):
    words = ["export", run, "--format", kind, "--out", tmp_path / name]
    words += ["--white-balanced"] if kind == "litert" else []
    done = run_module(PROGRAM, *words, env=SILENT)
    assert done.stderr.splitlines() == [
        "building the network: nasnet_mobile, weights of the run",
        "calling it once",
        f"converting it to {kind} and writing it, which takes longest",
    ]
    assert done.stdout.startswith(f"wrote {tmp_path / name}\nin: uint8, N x ")


def test_onnx_is_asked_for_before_anything_is_built(run, tmp_path):
    from tests.helpers.fresh_process import run_code

    words = ["export", run, "--format", "onnx", "--out", tmp_path / "m.onnx"]
    code = "from cxr_models.cli import main; sys.exit(main(sys.argv[1:]))"
    done = run_code(code, *words, without=["tf2onnx", "tensorflow"], status=1)
    assert done.stderr == (
        "Error: onnx and tf2onnx are needed for --format onnx. "
        'Install them with: pip install "cxr-enhance[onnx]"\n'
    )


def test_onnx_is_written_without_a_word_of_tensorflow(run, tmp_path):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    words = ["export", run, "--format", "onnx", "--out", tmp_path / "m.onnx"]
    done = run_module(PROGRAM, *words, env=SILENT)
    assert len(done.stderr.splitlines()) == 3, done.stderr


def test_a_terminal_shows_what_predict_does(run, small_split, tmp_path):
    words = ["predict", run, small_split.manifest.root, "--out", tmp_path / "p.csv"]
    status, shown = run_in_terminal(PROGRAM, *words, env=SILENT)
    assert status == 0, shown
    assert shown.startswith("loading TensorFlow\nbuilding the network\n")
    assert "24/24" in shown
    assert "0000 00:00" not in shown  # as TensorFlow begins its lines


@pytest.mark.parametrize("words", [["evaluate", "{run}"], ["evaluate", "{run}", "--json"]])
def test_evaluate_is_silent_of_tensorflow_in_a_pipe(run, words):
    words = [word.format(run=run) for word in words]
    said = run_module(PROGRAM, *words, "--draws", "100", env=SILENT).stderr
    assert all(line.startswith("predicting ") for line in said.splitlines()), said
