import dataclasses

import cv2
import numpy as np
import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.cli import main
from cxr_models.explain import GradCam, normalised, overlay
from cxr_models.finished_run import read_run
from cxr_models.inference import load_classifier
from cxr_models.loading import ImageLoader
from cxr_models.report import html_page, read_results
from cxr_models.report.choices import pictured
from cxr_models.report.thumbnails import overlay_path, thumbnail
from cxr_models.splits import read_split, write_split
from cxr_models.training import train
from tests.cxr_models.report.reading import Read
from tests.cxr_models.tiny import tiny_config

pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture
def run(small_split, tmp_path):
    path, split = tmp_path / "run", small_split.manifest.root / "split.csv"
    write_split(split, small_split.manifest.records, {"seed": 0})
    train(read_split(split), tiny_config(epochs_head=1, epochs_fine_tune=0), path)
    assert main(["evaluate", str(path), "--draws", "100"]) == 0
    return path


def test_the_report_shows_where_the_run_looked(run, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["report", str(run), "--out", str(out), "--explain"]) == 0
    results = read_results(run, name="run")
    assert f"run: drew {len(pictured(results))} overlays" in capsys.readouterr().err
    shown = [attributes["alt"] for tag, attributes in Read(out.read_text()).tags if tag == "img"]
    with_map = [alt for alt in shown if alt.endswith(", with Grad-CAM for what was said")]
    assert len(with_map) == len(shown) / 2 > 0
    finished = read_run(run)
    model = load_classifier(finished.config, 3, finished.folder.best_weights)
    name, row = pictured(results)[0]
    file = results.sets[name].manifest.paths()[row]
    said = results.sets[name].outcomes().said[[row]]
    heat = normalised(GradCam(model)(ImageLoader(finished.config.data)([file]), said))[0]
    drawn = cv2.imread(str(overlay_path(results, name, row)))[..., ::-1]
    np.testing.assert_array_equal(drawn, overlay(thumbnail(file), heat))
    assert main(["report", str(run), "--out", str(out), "--explain"]) == 0
    assert "run: drew 0 overlays" in capsys.readouterr().err


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
    assert "No Grad-CAM overlays were made of these" in page.text
