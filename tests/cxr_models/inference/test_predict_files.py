import csv
import os

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")


pytest.importorskip("typer", reason="typer is not installed")

from cxr_enhance import read_image
from cxr_models.cli import main
from cxr_models.evaluation.calibration import softmax
from cxr_models.inference.calibrated_run import read_served_run
from cxr_models.inference.logits import logits_model, predict_logits
from cxr_models.inference.predict_files import find_sources
from cxr_models.inputs.loader import ImageLoader
from cxr_models.records.splits import read_split
from tests.helpers.runs import (
    calibrate,
    calibrate_findings,
    copy_run,
    make_run,
    write_small_split,
)

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make one run, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    return make_run(folder / "run", write_small_split(folder / "images"))


@pytest.fixture
def images(tmp_path):
    write_small_split(tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def split(images):
    return read_split(images / "split.csv")


@pytest.fixture
def run(made, images, tmp_path):
    return copy_run(made, tmp_path / "run", images)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def predicted_rows(run, *arguments, out, status=0):
    assert main(["predict", str(run), *map(str, arguments), "--out", str(out)]) == status
    return rows_of(out)


def test_probabilities_are_those_of_the_training_pipeline_and_calibrated(run, images, tmp_path):
    calibrate(run, 1.7)
    rows = predicted_rows(run, images, out=tmp_path / "p.csv")
    assert [row["file"] for row in rows] == sorted(map(str, images.rglob("*.png")))
    served = read_served_run(run)
    pixels = ImageLoader(served.run.config.data)([row["file"] for row in rows])
    logits = predict_logits(logits_model(served.load()), pixels, multilabel=False)
    names = ("covid", "normal", "virus")
    got = np.array([[float(row[f"probability:{name}"]) for name in names] for row in rows])
    np.testing.assert_allclose(got, softmax(logits, 1.7), rtol=1e-5)
    assert [row["predicted"] for row in rows] == [names[place] for place in got.argmax(axis=1)]
    assert {row["calibrated"] for row in rows} == {"yes"}
    assert list(rows[0]) == [
        "file",
        "predicted",
        "called",
        *(f"probability:{name}" for name in names),
        "calibrated",
        "error",
    ]


def test_classes_are_called_where_their_calibrated_probability_reaches_their_threshold(
    run, images, tmp_path, capsys
):
    names = ("covid", "normal", "virus")
    calibrate(run, 1.7, threshold=0.335)
    rows = predicted_rows(run, images, out=tmp_path / "p.csv")
    for row in rows:
        passed = [name for name in names if float(row[f"probability:{name}"]) >= 0.335]
        assert row["called"] == ";".join(passed)
    assert "called at the operating points of evaluate: made up" in capsys.readouterr().out
    calibrate(run, 1.7, weights_sha256="0" * 64)
    predicted_rows(run, images, "--overwrite", out=tmp_path / "p.csv")
    assert {row["called"] for row in rows_of(tmp_path / "p.csv")} == {""}
    assert "no class is called: the run's weights have changed since" in capsys.readouterr().out


def test_a_table_of_an_earlier_version_is_replaced_too(run, images, tmp_path):
    out = tmp_path / "p.csv"
    out.write_text("file,predicted,probability:covid,calibrated,error\n")
    predicted_rows(run, images, "--overwrite", out=out)
    assert "called" in rows_of(out)[0]


def test_predictions_equal_what_evaluate_keeps(run, images, split, tmp_path):
    assert main(["evaluate", str(run), "--draws", "100"]) == 0
    kept = (run / "evaluation/test.csv").read_text().splitlines()
    logits = {}
    for row in csv.DictReader(kept[1:]):
        path = os.path.realpath(split.manifest.root / row["file"])
        logits[path] = [float(row[f"logit:{n}"]) for n in ("covid", "normal", "virus")]
    temperature = read_served_run(run).calibration.temperature
    rows = predicted_rows(run, *logits, out=tmp_path / "p.csv")
    got = [[float(row[f"probability:{n}"]) for n in ("covid", "normal", "virus")] for row in rows]
    wanted = softmax(np.array(list(logits.values())), temperature)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


def test_one_class_against_the_rest_gives_both(split, images, tmp_path, capsys):
    run = make_run(tmp_path / "binary", split, model__task="binary")
    rows = predicted_rows(run, images, out=tmp_path / "p.csv")
    both = [float(rows[0][f"probability:{name}"]) for name in ("not covid", "covid")]
    assert sum(both) == pytest.approx(1)
    assert {row["predicted"] for row in rows} <= {"not covid", "covid"}
    assert {row["calibrated"] for row in rows} == {"no"}
    assert "not calibrated: no temperature yet" in capsys.readouterr().out


@pytest.fixture
def run_of_findings(split, tmp_path):
    options = {"model__task": "multilabel", "model__findings": ["Edema", "Mass"]}
    return make_run(tmp_path / "findings", split, **options)


def test_findings_have_a_probability_and_a_decision_each(run_of_findings, images, tmp_path, capsys):
    run, out = run_of_findings, tmp_path / "p.csv"
    rows = predicted_rows(run, images, out=out)
    names = ("Edema", "Mass")
    columns = [f"{what}:{name}" for what in ("probability", "called") for name in names]
    assert list(rows[0]) == ["file", *columns, "calibrated", "error"]
    assert {(row["called:Edema"], row["calibrated"]) for row in rows} == {("", "no")}
    assert "no finding is called: no operating point yet" in capsys.readouterr().out
    shares = np.array([[float(row[f"probability:{name}"]) for name in names] for row in rows])
    middle = float(np.median(1 / (1 + ((1 - shares[:, 0]) / shares[:, 0]) ** 0.5)))
    calibrate_findings(run, {"Edema": 2.0, "Mass": 1.0}, {"Edema": middle, "Mass": None})
    (images / "covid/broken.png").write_bytes(b"no image")
    rows = predicted_rows(run, images, "--overwrite", out=out)
    failed = [row for row in rows if row["error"]]
    assert [row["called:Edema"] + row["calibrated"] for row in failed] == [""]
    good = [row for row in rows if not row["error"]]
    assert {row["calibrated"] for row in good} == {"yes"}
    assert {row["called:Mass"] for row in good} == {""}
    served = read_served_run(run)
    pixels = ImageLoader(served.run.config.data)([row["file"] for row in good])
    logits = predict_logits(logits_model(served.load()), pixels, multilabel=True)
    expected = 1 / (1 + np.exp(-logits / [2.0, 1.0]))
    got = np.array([[float(row[f"probability:{name}"]) for name in names] for row in good])
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    called = [str(int(share >= middle)) for share in got[:, 0]]
    assert [row["called:Edema"] for row in good] == called
    assert 0 < called.count("1") < len(called)
    assert f"24 predicted (Edema {called.count('1')})" in capsys.readouterr().out


def test_one_finding_is_a_sigmoid_and_no_class_against_the_rest(split, images, tmp_path):
    options = {"model__task": "multilabel", "model__findings": ["Nodule/Mass"]}
    run = make_run(tmp_path / "one", split, **options)
    rows = predicted_rows(run, images, "--explain", tmp_path / "shown", out=tmp_path / "p.csv")
    assert "probability:Nodule/Mass" in rows[0]
    assert [path.name for path in (tmp_path / "shown").glob("*.png")] == ["mean-Nodule_Mass.png"]


def test_the_finding_to_explain_is_named(run_of_findings, images, tmp_path, capsys):
    shown = ["--explain", tmp_path / "shown", "--explain-finding"]
    predicted_rows(run_of_findings, images, *shown, "Mass", out=tmp_path / "p.csv")
    assert [path.name for path in (tmp_path / "shown").glob("*.png")] == ["mean-Mass.png"]
    words = ["predict", str(run_of_findings), str(images), "--out", str(tmp_path / "q.csv")]
    capsys.readouterr()
    assert main([*words, *map(str, shown), "Hernia", "--overwrite"]) == 2
    assert "must be one of Edema, Mass; got 'Hernia'" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "--explain-finding", "Mass"]) == 2
    assert "is only allowed with --explain" in " ".join(capsys.readouterr().err.split())


def test_batches_change_nothing(run, images, tmp_path):
    one = predicted_rows(run, images, "--batch-size", 1, out=tmp_path / "1.csv")
    many = predicted_rows(run, images, "--batch-size", 7, out=tmp_path / "7.csv")
    assert [row["file"] for row in one] == [row["file"] for row in many]
    for first, second in zip(one, many, strict=True):
        assert float(first["probability:covid"]) == pytest.approx(
            float(second["probability:covid"]), rel=1e-5
        )


def test_failures_are_rows_and_fail_only_if_nothing_else_is_there(run, images, tmp_path, capsys):
    broken = images / "covid/broken.png"
    broken.write_bytes(b"no image")
    missing = tmp_path / "missing.png"
    missing.symlink_to(tmp_path / "gone.png")
    rows = predicted_rows(run, images / "covid", missing, out=tmp_path / "p.csv")
    failed = {row["file"]: row for row in rows if row["error"]}
    assert set(failed) == {str(broken), str(missing)}
    assert failed[str(broken)]["error"].startswith("`source` must hold a whole JPEG")
    assert "broken.png" not in failed[str(broken)]["error"]  # the row names it already
    assert "No such file" in failed[str(missing)]["error"]
    assert failed[str(missing)]["predicted"] == failed[str(missing)]["calibrated"] == ""
    output = capsys.readouterr()
    assert "2 of 10 failed" in output.out
    assert str(missing) in output.err
    rows = predicted_rows(run, broken, out=tmp_path / "none.csv", status=1)
    assert rows[0]["error"]


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), KeyError("x"), RecursionError()])
def test_no_one_file_ends_what_is_said_of_the_others(run, images, tmp_path, monkeypatch, error):
    def fails(path):
        if path == str(images / "covid/odd.png"):
            raise error
        return read_image(path)

    (images / "covid/odd.png").write_bytes(b"")
    monkeypatch.setattr("cxr_enhance.read_image", fails)
    rows = predicted_rows(run, images / "covid", out=tmp_path / "p.csv")
    said = {row["file"]: row["error"] for row in rows if row["error"]}
    assert said == {str(images / "covid/odd.png"): str(error) or type(error).__name__}
    assert len(rows) == 9


def test_folders_are_searched_by_suffix_and_content(tmp_path):
    (tmp_path / "a/b/.hidden").mkdir(parents=True)
    for name in ("a/x.PNG", "a/b/x.png", "a/notes.txt", "a/.y.png", "a/b/.hidden/z.png"):
        (tmp_path / name).write_bytes(b"-")
    (tmp_path / "a/IM0001").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    found = find_sources([tmp_path / "a", tmp_path / "a/b/x.png", tmp_path / "a/notes.txt"])
    assert [source.name for source in found] == ["IM0001", "x.PNG", "b/x.png", "notes.txt"]
    (tmp_path / "c").mkdir()
    (tmp_path / "c/x.PNG").write_bytes(b"-")
    found = find_sources([tmp_path / "a/x.PNG", tmp_path / "c/x.PNG"])
    assert [source.name for source in found] == ["x.PNG", "x.PNG-2"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="`INPUT` must name images or folders of images"):
        find_sources([tmp_path / "empty"])


def test_nothing_is_overwritten_unasked(run, images, tmp_path, capsys):
    out, shown = tmp_path / "p.csv", tmp_path / "shown"
    out.write_text("mine")
    words = ["predict", str(run), str(images), "--out", str(out)]
    assert main(words) == 2
    assert "`--out` must not exist" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 2
    assert "must be new, or a table that cxr-models predict wrote" in capsys.readouterr().err
    assert out.read_text() == "mine"
    out.unlink()
    assert main(words) == 0
    assert main(words) == 2
    assert "Replace it with --overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert [row["file"] for row in rows_of(out)] == sorted(map(str, images.rglob("*.png")))
    assert main(["predict", str(run), str(out), "--out", str(out), "--overwrite"]) == 2
    assert "must not replace what this command reads" in capsys.readouterr().err
    shown.mkdir()
    (shown / "note").write_text("mine")
    words = ["predict", str(run), str(images), "--out", str(tmp_path / "q.csv")]
    for more in ([], ["--overwrite"]):
        assert main([*words, "--explain", str(shown), *more]) == 2
        assert "`--explain` must not name a folder of other files" in capsys.readouterr().err
    assert (shown / "note").read_text() == "mine"
    assert main(["predict", str(run), str(images), "--out", str(images)]) == 2
    assert "must not replace what this command reads" in capsys.readouterr().err
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_explanations_are_an_overlay_for_each_image_and_a_mean_for_each_class(
    run, images, tmp_path, capsys
):
    (images / "covid/broken.png").write_bytes(b"no image")
    folder = tmp_path / "shown"
    rows = predicted_rows(run, images, "--explain", folder, out=tmp_path / "p.csv")
    written = sorted(path.relative_to(folder / "images") for path in folder.rglob("images/*/*"))
    good = [row for row in rows if not row["error"]]
    wanted = [os.path.relpath(row["file"], images) for row in good]
    assert [path.as_posix() for path in written] == sorted(wanted)
    assert read_image(folder / "images" / wanted[0]).shape[0] == 26 + 4 * 48 + 8  # of a panel
    said = {row["predicted"] for row in good}
    assert {path.name for path in folder.glob("*.png")} == {f"mean-{name}.png" for name in said}
    assert f"wrote {len(good)} overlays" in capsys.readouterr().out
    words = ["predict", str(run), str(images), "--out", str(tmp_path / "q.csv")]
    assert main([*words, "--explain", str(folder)]) == 2
    assert "Replace it with --overwrite" in capsys.readouterr().err
    (images / "covid/broken.png").unlink()
    first = sorted((images / "covid").iterdir())[0]
    words = ["predict", str(run), str(first), "--out", str(tmp_path / "r.csv")]
    assert main([*words, "--explain", str(folder), "--overwrite"]) == 0
    assert [path.name for path in (folder / "images").iterdir()] == [first.name]  # no older ones


def test_explanations_that_were_interrupted_leave_no_folder(run, images, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cxr_models.explain.prediction_overlays.panel", interrupted)
    words = ["predict", str(run), str(images), "--out", str(tmp_path / "p.csv"), "--explain"]
    before = sorted(tmp_path.iterdir())
    assert main([*words, str(tmp_path / "shown")]) == 130
    assert sorted(tmp_path.iterdir()) == before


def test_where_nothing_could_be_predicted_the_empty_folder_may_be_replaced(run, images, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    folder = str(tmp_path / "shown")
    words = ["predict", str(run), str(tmp_path / "broken.png"), "--out", str(tmp_path / "p.csv")]
    assert main([*words, "--explain", folder]) == 1
    words = ["predict", str(run), str(images), "--out", str(tmp_path / "q.csv")]
    assert main([*words, "--explain", folder, "--overwrite"]) == 0


def test_a_table_inside_the_folder_of_overlays_is_refused_before_the_prediction(
    run, images, tmp_path, capsys
):
    folder = tmp_path / "results"
    words = ["predict", str(run), str(images), "--out", str(folder / "p.csv"), "--explain"]
    assert main([*words, str(folder)]) == 2
    error = capsys.readouterr().err
    assert "`--explain` must be separate from `--out`" in error
    assert not folder.exists()
    assert main([*words, error.split("such as '")[1].split("'")[0]]) == 0  # the cure is taken
    assert sorted(os.listdir(folder)) == ["p-explain", "p.csv"]


def test_overlays_take_no_radiographs_place(run, images, tmp_path, capsys):
    scans = tmp_path / "set/images"
    images.rename(tmp_path / "moved")
    (tmp_path / "set").mkdir()
    (tmp_path / "moved").rename(scans)
    for name in ("a.png", "a.png.png"):  # the overlay of the first is called as the second
        (scans / "covid/covid-p0-0.png").with_name(name).write_bytes(
            (scans / "covid/covid-p0-0.png").read_bytes()
        )
    before = {path: path.read_bytes() for path in scans.rglob("*.png")}
    out = tmp_path / "p.csv"
    words = ["predict", str(run), str(scans), "--out", str(out), "--explain", str(tmp_path / "set")]
    assert main([*words, "--overwrite"]) == 2
    assert "`--explain` must not replace what this command reads" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in scans.rglob("*.png")} == before
    assert not out.exists()


def test_a_run_that_is_none_is_refused(tmp_path, images, capsys):
    assert main(["predict", str(images), str(images), "--out", str(tmp_path / "p.csv")]) == 2
    assert "`RUN` must be the folder of a run" in capsys.readouterr().err


def test_a_pipe_in_a_folder_is_not_waited_for_and_a_broken_link_is_told(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names here")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "link.txt").symlink_to(tmp_path / "nowhere")
    assert [source.name for source in find_sources([tmp_path])] == ["link.png"]
