import dataclasses

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")


pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.cli import main
from cxr_models.explain.gradcam import GradCam, normalised, overlay
from cxr_models.explain.prediction_overlays import mean_overlay
from cxr_models.inputs.loader import ImageLoader
from cxr_models.networks.load import load_classifier
from cxr_models.report import html_page, read_results
from cxr_models.report.images import choices
from cxr_models.report.images.choices import pictured
from cxr_models.report.images.finding_pictures import worst_mistakes
from cxr_models.report.images.thumbnails import (
    finding_overlay_path,
    mean_path,
    overlay_path,
    thumbnail,
)
from cxr_models.report.read.finding_results import read_any_results
from cxr_models.runs.finished import read_run
from tests.helpers.findings import FINDINGS, write_findings_split
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import write_run
from tests.helpers.runs import copy_run, make_run

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture
def run(trained_run, small_split, tmp_path):
    path = copy_run(trained_run, tmp_path / "run", small_split.manifest.root)
    assert main(["evaluate", str(path), "--draws", "100"]) == 0
    return path


def test_the_report_shows_where_the_run_looked(run, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["report", str(run), "--out", str(out), "--explain"]) == 0
    results = read_results(run, name="run")
    assert f"run: drew {len(pictured(results))} overlays, 3 means" in capsys.readouterr().err
    shown = [attributes["alt"] for tag, attributes in Read(out.read_text()).tags if tag == "img"]
    assert "bar of the colours of the maps" in " ".join(shown)
    shown = [alt for alt in shown if not alt.startswith(("Mean ", "bar "))]
    with_map = [alt for alt in shown if alt.endswith(", with Grad-CAM for the predicted class")]
    assert len(with_map) == len(shown) / 2 > 0
    finished = read_run(run)
    model = load_classifier(finished)
    name, row = pictured(results)[0]
    file = results.sets[name].manifest.paths()[row]
    said = results.sets[name].outcomes().predicted[[row]]
    heat = normalised(GradCam(model)(ImageLoader(finished.config.data)([file]), said))[0]
    drawn = cv2.imread(str(overlay_path(results, name, row)))[..., ::-1]
    np.testing.assert_array_equal(drawn, overlay(thumbnail(file), heat))
    assert main(["report", str(run), "--out", str(out), "--explain", "--overwrite"]) == 0
    assert "run: drew 0 overlays, 0 means" in capsys.readouterr().err


def test_the_mean_map_of_a_class_is_the_mean_of_the_maps_for_it(run, tmp_path, monkeypatch):
    monkeypatch.setattr(choices, "MOST_OF_MEAN", 3)  # of 2 test images a class: all of them
    out = tmp_path / "page.html"
    assert main(["report", str(run), "--out", str(out), "--explain"]) == 0
    results, finished = read_results(run, name="run"), read_run(run)
    records = results.sets["test"].manifest.records
    cam = GradCam(load_classifier(finished))
    for place, label in enumerate(results.class_names):
        files = [str(finished.split.manifest.root / r.file) for r in records if r.label == label]
        images = ImageLoader(finished.config.data)(files)
        maps = normalised(cam(images, np.full(len(files), place)))  # whatever was said
        drawn = cv2.imread(str(mean_path(results, "test", place)))[..., ::-1]
        expected = mean_overlay(images.mean(axis=0), maps.mean(axis=0))
        np.testing.assert_allclose(drawn.astype(int), expected.astype(int), atol=1)
    page = Read(out.read_text())
    shown = [a["alt"] for tag, a in page.tags if tag == "img" and a["alt"].startswith("Mean ")]
    assert shown == [
        f"Mean Grad-CAM map of 2 images of {label} on test" for label in results.class_names
    ]
    assert "Where the network looks" in [text for _, text in page.headings]
    assert "mean of 2 of 2 images" in page.text


def test_means_are_of_a_fair_sample_of_each_class_and_always_of_the_same(tmp_path):
    run = write_run(tmp_path / "made-up")
    results = read_results(run, name="run")
    targets = results.sets["clinic"].outcomes().targets
    for most in (7, 32):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choices, "MOST_OF_MEAN", most)
            chosen = choices.averaged(results, "clinic")
        assert chosen == {k: rows[:most] for k, rows in choices.averaged(results, "clinic").items()}
        assert sorted(chosen) == [0, 1, 2]
        for place, rows in chosen.items():
            assert len(set(rows)) == len(rows) == min(most, 30)
            assert set(targets[rows]) == {place}
    assert chosen[0] != sorted(chosen[0])


def test_overlays_of_other_weights_are_not_shown(run, tmp_path):
    assert main(["report", str(run), "--out", str(tmp_path / "page.html"), "--explain"]) == 0
    results = read_results(run, name="run")
    test = results.sets["test"]
    other = dataclasses.replace(test.origin, weights_sha256="0" * 64)
    sets = {**results.sets, "test": dataclasses.replace(test, origin=other)}
    page = Read(html_page([dataclasses.replace(results, sets=sets)]))
    images = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert images
    assert not [alt for alt in images if "Grad-CAM" in alt]
    assert "These images have no Grad-CAM overlays" in page.text


@pytest.fixture
def run_of_findings(tmp_path):
    split = write_findings_split(tmp_path / "images", 24, hidden=0.1)
    options = {"model__task": "multilabel", "model__findings": list(FINDINGS)}
    run = make_run(tmp_path / "findings", split, **options)
    assert main(["evaluate", str(run), "--draws", "100"]) == 0
    return run


def test_the_worst_mistakes_of_each_finding_show_where_the_run_looked_for_it(
    run_of_findings, tmp_path, capsys
):
    run, out = run_of_findings, tmp_path / "page.html"
    results = read_any_results(run, name="findings")
    mistakes = {name: list(worst_mistakes(results, name)) for name in ("test",)}
    count = sum(map(len, mistakes.values()))
    assert count > 0
    for drawn in (count, 0):
        words = ["report", str(run), "--out", str(out), "--explain", "--overwrite"]
        assert main(words) == 0
        assert f"findings: drew {drawn} overlays\n" in capsys.readouterr().err
    assert len(list(results.folder.overlays_folder.iterdir())) == count  # none of val
    shown = [attributes["alt"] for tag, attributes in Read(out.read_text()).tags if tag == "img"]
    finished = read_run(run)
    model = load_classifier(finished)
    for name, mistake in [(name, one) for name, of_set in mistakes.items() for one in of_set]:
        assert [alt for alt in shown if alt.endswith(f", with Grad-CAM for {mistake.finding}")]
        file = results.sets[name].manifest.paths()[mistake.row]
        place = np.array([FINDINGS.index(mistake.finding)])
        images = ImageLoader(finished.config.data)([file])
        heat = normalised(GradCam(model, multilabel=True)(images, place))[0]
        path = finding_overlay_path(results, name, mistake.row, mistake.finding)
        drawn = cv2.imread(str(path))[..., ::-1]
        np.testing.assert_array_equal(drawn, overlay(thumbnail(file), heat))
