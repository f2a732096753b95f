import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytest.importorskip("scipy", reason="scipy is not installed")

from cxr_models.cli._evaluate import _settings_of
from cxr_models.evaluation.compare_runs import (
    Poolable,
    compare_or_pool,
    compare_pairs,
    differing,
    pool,
)
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.seeds import groups_by_seed
from cxr_models.report import html_page, markdown_page, read_results
from cxr_models.report.sections.comparison import comparison_section, differing_settings
from cxr_models.report.sections.run_groups import settings_key
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import change_records, write_run

METHOD = Method(draws=100)


def read(*paths):
    return [read_results(path, name=path.name) for path in paths]


def page_of(*paths):
    return Read(html_page(read(*paths), images=False))


def tested_on(fold, stay):
    """Give the change that makes other images of all but the first ones."""

    def change(predictions):
        return change_records(
            predictions,
            lambda i, r: {} if i < stay else {"file": fold + r.file, "patient": fold + r.patient},
        )

    return change


def test_runs_tested_on_the_same_images_are_compared_with_the_values_of_evaluate(tmp_path):
    # The images of the second lie elsewhere: it was evaluated on another machine.
    paths = [write_run(tmp_path / "one"), write_run(tmp_path / "two", seed=1, root="/elsewhere")]
    one, two = read(*paths)
    page = page_of(*paths)
    for name in ("test", "clinic"):
        other = dataclasses.replace(two.sets[name], manifest=one.sets[name].manifest)
        warmth = {
            run: results.evaluation.calibration.temperature
            for run, results in (("one", one), ("two", two))
        }
        sets = {"one": one.sets[name], "two": other}
        (told,) = compare_pairs(sets, [("one", "two")], METHOD, temperatures=warmth)
        accuracy, mcnemar = told.accuracy, told.mcnemar
        low, high = accuracy.interval
        shown = page.table(f"Accuracy on {name}: differences")["one less two"]
        assert shown["accuracy"] == f"{accuracy.value:+.3f} [{low:+.3f}, {high:+.3f}]"
        assert shown["right: first alone"] == str(mcnemar.only_first)
        assert shown["right: second alone"] == str(mcnemar.only_second)
        assert shown["McNemar's p"] == f"{mcnemar.p_value:.3f}"
        areas = page.table(f"ROC-AUC on {name}: differences")["one less two"]
        for label, area in told.roc_auc.items():
            low, high = area.interval
            expected = f"{area.difference:+.3f} [{low:+.3f}, {high:+.3f}]; {area.p_value:.3f}"
            expected += f" (Holm {area.p_holm:.3f})"  # of three classes
            assert areas[f"{label}; DeLong's p"] == expected
    assert "Not compared" not in page.text


def test_one_run_is_compared_with_nothing(tmp_path):
    path = write_run(tmp_path / "one")
    assert comparison_section(read(path)) is None
    assert "Compared with each other" not in page_of(path).text


def test_what_is_not_compared_is_said_with_the_reason(tmp_path):
    paths = [
        write_run(tmp_path / "one"),
        write_run(tmp_path / "two", seed=1),
        write_run(tmp_path / "binary", model__task="binary"),
        write_run(tmp_path / "elsewhere", change=tested_on("f", 0), model__backbone="resnet101"),
        write_run(tmp_path / "half", change=tested_on("g", 45), data__flip=False),
        write_run(
            tmp_path / "twice", change=lambda one: change_records(one, lambda *_: {"file": "a.png"})
        ),
    ]
    text = page_of(*paths).text
    for reason in (
        "binary, the only run here with the classes not covid and covid",
        "elsewhere, the only run here with its test images",
        "half, the only run here with its test images",
        "twice, whose test set holds a file twice",
    ):
        assert f"Not compared: {reason}." in text
    assert "one less two" in text
    assert "less binary" not in text


def test_of_many_runs_each_is_compared_with_the_first_alone(tmp_path):
    paths = [
        write_run(tmp_path / f"run-{seed}", seed=seed, training__seed=seed) for seed in range(7)
    ]
    page = page_of(*paths)
    rows = list(page.table("Accuracy on test: differences"))
    assert rows == [f"run-{seed} less run-0" for seed in range(1, 7)]
    assert "are compared with run-0, the first run that was named" in page.text
    spread = page.table(
        "Runs of equal settings but for the seed: mean accuracy (lowest to highest)"
    )
    found = [one.test.overall.accuracy.value for one in read(*paths)]
    mean = f"{sum(found) / 7:.3f} ({min(found):.3f} to {max(found):.3f})"
    assert spread[", ".join(path.name for path in paths)]["test"] == mean
    # What would be said of each is said once, and the rest is folded.
    assert page.text.count("Not audited, so that it is unknown") == 1
    assert page.text.count("On the set clinic, another source") < 7
    assert len([1 for tag, _ in page.tags if tag == "details"]) == 7
    landmarks = [a for tag, a in page.tags if tag == "section" and "aria-labelledby" in a]
    assert len(landmarks) == 4 + 7
    markdown = markdown_page(read(*paths))
    assert "run-6 less run-0" in markdown


def test_runs_on_folds_are_pooled_one_kind_at_a_time(tmp_path):
    paths = [
        write_run(tmp_path / f"{name}-{fold}", change=tested_on(fold, 0), seed=seed, **settings)
        for seed, (name, settings) in enumerate(
            [("raw", {"data__enhance": None}), ("enhanced", {})]
        )
        for fold in "ab"
    ]
    page = page_of(*paths)
    results = read(*paths)
    for which, kind in enumerate((results[:2], results[2:])):
        told = pool(Poolable({run.name: list(run.sets.values()) for run in kind}, ""), METHOD)
        rows = page.table("Each run on its own test images, and all runs together", which)
        assert list(rows) == [*(run.name for run in kind), "all"]
        assert rows["all"]["images"] == "180"
        assert rows["all"]["accuracy"].split()[0] == f"{told.overall.accuracy.value:.3f}"
        cells = page.tables["Pooled confusion: images (share of the true class)"][which]
        assert cells[1][1].split()[0] == str(told.confusion.counts[0][0])
    # Of one fold the two kinds are compared.
    assert [list(page.table("Accuracy on test: differences", i)) for i in (0, 1)] == [
        ["raw-a less enhanced-a"],
        ["raw-b less enhanced-b"],
    ]


def test_runs_of_several_seeds_have_mean_spread_and_interval_on_every_set(tmp_path):
    paths = [write_run(tmp_path / f"run-{i}", seed=i, training__seed=i) for i in range(3)]
    page = page_of(*paths)
    results = read(*paths)
    for name in ("test", "clinic"):
        seeds = "run-0 (seed 0), run-1 (seed 1), run-2 (seed 2)"
        row = page.table(f"Over seeds, on {name}: {seeds}")["accuracy"]
        values = [run.evaluation.sets[name].overall.accuracy.value for run in results]
        assert row["mean"] == f"{np.mean(values):.3f}"
        assert row["standard deviation"] == f"{np.std(values, ddof=1):.3f}"
        assert row["lowest to highest"] == f"{min(values):.3f} to {max(values):.3f}"
        assert row["interval of the mean"].startswith("[0.")
    alone = page_of(paths[0], write_run(tmp_path / "other", training__patience=9))
    assert "Over seeds" not in alone.text


def test_test_sets_that_share_some_images_are_neither_compared_nor_pooled(tmp_path):
    paths = [
        write_run(tmp_path / "one", change=tested_on("f", 0)),
        write_run(tmp_path / "two", change=tested_on("f", 0)),
        write_run(tmp_path / "half", change=tested_on("f", 45)),
        write_run(tmp_path / "whole"),
    ]
    for path in paths[2:]:
        text = page_of(paths[0], path).text
        assert "Pooled" in text if path.name == "whole" else "Not pooled: one and half" in text
    deeper = write_run(  # its split lies a folder deeper
        tmp_path / "deeper",
        change=lambda p: change_records(
            p, lambda i, r: {"file": f"../{r.file}" if i < 9 else f"d{i}", "patient": f"d{i}"}
        ),
    )
    assert "Not pooled: whole and deeper" in page_of(paths[3], deeper).text
    text = page_of(*paths[1:]).text
    assert "Not pooled: two, half and whole, whose test sets share images, but not all." in text


def left_out(source):
    """Give the change that makes test images of two sources, one of which is not trained on."""

    def change(predictions):
        if predictions.kind != "test":
            return change_records(
                predictions, lambda i, r: {"source": "b" if source == "a" else "a"}
            )
        return change_records(
            predictions,
            lambda i, r: {"source": "ab"[i % 2], "file": r.file if i >= 10 else source + r.file},
        )

    return change


def test_of_left_out_sources_tested_beside_others_the_page_pools_what_evaluate_does(tmp_path):
    paths = [write_run(tmp_path / f"without-{one}", change=left_out(one)) for one in "ab"]
    results = read(*paths)
    told = compare_or_pool({run.name: list(run.sets.values()) for run in results}, METHOD)
    page = page_of(*paths)
    rows = page.table("Each run on the sources it left out, and all runs together")
    assert list(rows) == ["without-a", "without-b", "all"]
    assert rows["all"]["images"] == str(told.pooled.images) == "90"
    value = told.pooled.overall.accuracy.value
    assert rows["all"]["accuracy"].split()[0] == f"{value:.3f}"
    assert "the images of left-out sources alone are one set" in page.text
    assert "Not pooled" not in page.text
    known = write_run(
        tmp_path / "known", change=lambda p: change_records(p, lambda *_: {"source": "a"})
    )
    assert "Not pooled: without-a, without-b and known" in page_of(*paths, known).text


def test_weights_files_are_compared_by_name_and_content_and_shown_without_their_folder(tmp_path):
    folders = {"one": "/home/me/runs", "two": "runs", "three": "/home/me/runs"}
    for seed, (name, folder) in enumerate(folders.items()):
        weights = f"{folder}/best.weights.h5"
        path = write_run(tmp_path / name, model__weights=weights, training__seed=seed)
        facts = json.loads((path / "run.json").read_text())
        facts["weights_sha256"] = ("b" if name == "three" else "a") * 64
        (path / "run.json").write_text(json.dumps(facts))
    one, two, three = read(*(tmp_path / name for name in folders))
    assert settings_key(one) == settings_key(two) != settings_key(three)
    rows = {row[0]: row[1:] for row in differing_settings([one, two]).rows}
    assert rows == {"training.seed": ("0", "1")}
    rows = {row[0]: row[1:] for row in differing_settings([one, three]).rows}
    assert rows["model.weights"] == tuple(f"best.weights.h5, SHA-256 {8 * c}" for c in "ab")
    settings = _settings_of(["one", "two", "three"], [tmp_path / name for name in folders])
    assert groups_by_seed(settings) == [["one", "two"]]
    assert "/home" not in json.dumps(differing(settings))
