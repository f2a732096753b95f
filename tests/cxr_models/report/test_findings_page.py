import csv
import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import metrics

from cxr_models.cli import main
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.any_task import evaluate_any, with_any_subgroups
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.results import Aggregation
from cxr_models.evaluation.stored import write_evaluation
from cxr_models.report import html_page, markdown_page, read_any_results
from tests.helpers.predicted import FINDINGS
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import change_records, write_finding_run, write_images, write_run

VALUES = "Each finding, over the images whose label for it is known"


@pytest.fixture
def run(tmp_path):
    return write_finding_run(tmp_path / "first")


def page_of(*paths):
    return Read(html_page([read_any_results(path, name=path.name) for path in paths]))


def table_of(run, name):
    """Read a table of predictions: the cells of labels, and probabilities, by finding."""
    rows = list(csv.DictReader((run / f"evaluation/{name}.csv").read_text().splitlines()[1:]))
    return {
        finding: (
            np.array([row[f"finding:{finding}"] for row in rows]),
            np.array([float(row[f"probability:{finding}"]) for row in rows]),
        )
        for finding in FINDINGS
    }


def first(cell):
    return cell.split(" ")[0]


def test_the_numbers_shown_are_those_of_the_saved_predictions(run):
    page = page_of(run)
    for place, file in enumerate(("val", "test", "external-clinic")):
        shown = page.table(VALUES, place)
        calibration = page.table("Calibration of each finding, before and after its temperature")
        areas = []
        for finding, (cells, shares) in table_of(run, file).items():
            known = cells != ""
            true, of_known = cells[known] == "1", shares[known]
            areas.append(metrics.roc_auc_score(true, of_known))
            assert shown[finding]["images known"] == str(known.sum())
            assert shown[finding]["with it"] == str(true.sum())
            assert first(shown[finding]["ROC-AUC"]) == f"{areas[-1]:.3f}"
            precision = metrics.average_precision_score(true, of_known)
            assert first(shown[finding]["PR-AUC"]) == f"{precision:.3f}"
            if file == "val":
                brier = metrics.brier_score_loss(true, of_known)
                assert first(calibration[finding]["Brier score, before"]) == f"{brier:.3f}"
        assert first(shown["mean of 3 findings"]["ROC-AUC"]) == f"{np.mean(areas):.3f}"


def test_the_summary_states_the_mean_with_its_interval_and_that_nothing_was_audited(run):
    stored = json.loads((run / "evaluation/evaluation.json").read_text())
    mean = stored["sets"]["test"]["means"]["roc_auc"]
    low, high = mean["interval"]
    reached = f"a mean ROC-AUC of {mean['value']:.3f} [{low:.3f}, {high:.3f}] over 3 findings"
    page = page_of(run)
    assert f"Run first reaches {reached} on its test set (240 images of 120 patients)" in page.text
    assert "It was not audited" in page.text
    assert "On the set clinic, another source, run first reaches a mean ROC-AUC of" in page.text


def test_findings_that_are_left_out_of_the_mean_are_named_with_the_reason(tmp_path):
    def change(predictions):
        targets = predictions.targets.copy()
        targets[:, 2] = np.where(np.arange(len(targets)) < 8, 1, 0)
        return dataclasses.replace(predictions, targets=targets.astype(np.int8))

    page = page_of(write_finding_run(tmp_path / "first", change=change))
    assert "Left out of the mean: Hernia, 4 patients with it, fewer than 10." in page.text
    assert "over 2 findings (Hernia left out)" in page.text


def test_two_runs_are_compared_finding_by_finding(tmp_path, run):
    other = write_finding_run(tmp_path / "second", training__seed=1)
    page = page_of(run, other)
    table = page.table("first less second, on test")
    assert list(table) == [*FINDINGS, "mean of 3 findings"]
    assert first(table["Mass"]["ROC-AUC"]) == "+0.000"  # the same predictions
    assert table["Mass"]["DeLong's p"] == "\N{EN DASH}"
    assert "both models rank the images alike" in page.text


def test_runs_of_equal_settings_and_other_splits_do_not_differ_by_chance_alone(tmp_path, run):
    other = write_finding_run(tmp_path / "second")
    results = [read_any_results(path, name=path.name) for path in (run, other)]
    assert "The runs have equal settings and one split" in Read(html_page(results)).text
    facts = dataclasses.replace(results[1].facts, split_sha256="0" * 64)
    page = Read(html_page([results[0], dataclasses.replace(results[1], facts=facts)]))
    assert "by chance alone" not in page.text
    assert page.table("Settings in which the runs differ")["split"]["second"] == "0" * 8


def test_runs_whose_findings_are_in_another_order_are_compared(tmp_path, run):
    names = tuple(sorted(FINDINGS))
    other = write_finding_run(
        tmp_path / "second", change=lambda one: one.in_order(names), model__findings=names
    )
    table = page_of(run, other).table("first less second, on test")
    assert list(table) == [*FINDINGS, "mean of 3 findings"]
    assert {first(table[finding]["ROC-AUC"]) for finding in names} == {"+0.000"}


def test_a_run_is_compared_with_a_table_that_states_fewer_patients(tmp_path, run):
    def fewer(predictions):
        return change_records(predictions, lambda *_: {"patient": "", "group": ""})

    worse = write_finding_run(tmp_path / "second", change=fewer, seed=0)
    for names in ((run, worse), (worse, run)):  # patients are those of both, whoever is first
        page = page_of(*names)
        assert "Not compared" not in page.text
        assert len(page.table(f"{names[0].name} less {names[1].name}, on test")) == 4


def test_runs_of_several_seeds_have_mean_spread_and_interval_of_each_finding(tmp_path):
    def moved(seed):
        rng = np.random.default_rng(seed)

        def change(predictions):
            logits = predictions.logits + rng.normal(0, 0.5, predictions.logits.shape)
            return dataclasses.replace(predictions, logits=logits, probabilities=sigmoid(logits))

        return change

    paths = [
        write_finding_run(tmp_path / f"run-{i}", change=moved(i), training__seed=i)
        for i in range(3)
    ]
    page = page_of(*paths)
    results = [read_any_results(path, name=path.name) for path in paths]
    for name in ("test", "clinic"):
        shown = page.table(f"Over seeds, on {name}: run-0 (seed 0), run-1 (seed 1), run-2 (seed 2)")
        sets = [run.evaluation.sets[name] for run in results]
        for title, areas in (
            ("mean ROC-AUC", [one.means.roc_auc.value for one in sets]),
            ("ROC-AUC of Hernia", [one.findings["Hernia"].roc_auc.value for one in sets]),
        ):
            assert shown[title]["mean"] == f"{np.mean(areas):.3f}"
            assert shown[title]["standard deviation"] == f"{np.std(areas, ddof=1):.3f}"
            assert shown[title]["interval of the mean"].startswith("[0.")
    alone = page_of(paths[0], write_finding_run(tmp_path / "other", training__patience=9))
    assert "Over seeds" not in alone.text


def test_runs_of_equal_settings_on_different_images_are_pooled(tmp_path):
    def fold(number):
        def change(predictions):
            return change_records(
                predictions, lambda _, record: {"file": f"{number}/{record.file}"}
            )

        return write_finding_run(tmp_path / f"fold-{number}", change=change, seed=number)

    runs = [fold(0), fold(1)]
    page = page_of(*runs)
    assert "fold-0 and fold-1 have equal settings and were tested on different images" in page.text
    pooled = page.table("Pooled: each finding, over the images whose label for it is known")
    known = [(table_of(run, "test")["Mass"][0] != "").sum() for run in runs]
    assert pooled["Mass"]["images known"] == f"{sum(known)}"
    table = page.table("Each run on its own test images, and all runs together")
    assert [table[name]["images"] for name in ("fold-0", "fold-1", "all")] == ["240", "240", "480"]


def test_runs_of_findings_and_of_classes_have_a_page_of_each_kind(tmp_path, run, capsys):
    other = write_run(tmp_path / "classes")
    out = tmp_path / "page.html"
    assert main(["report", str(run), str(other), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "got classes with classes and first with findings. Make a page of each kind." in error
    assert not out.exists()


def test_markdown_has_the_same_tables(run):
    text = markdown_page([read_any_results(run, name="first")])
    for caption in (VALUES, "At the operating point of each finding", "ROC-AUC by source"):
        assert caption in text
    for finding in FINDINGS:
        assert f"| {finding} |" in text


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_the_command_writes_the_page(run, tmp_path, suffix, capsys):
    out = tmp_path / f"page{suffix}"
    assert main(["report", str(run), "--out", str(out)]) == 0
    assert "Report on first" in out.read_text()
    assert main(["report", str(run), "--out", str(out), "--overwrite"]) == 0
    capsys.readouterr()


def test_an_evaluation_of_another_table_is_refused(run):
    path = run / "evaluation/evaluation.json"
    stored = json.loads(path.read_text())
    stored["sets"]["test"]["findings"]["Mass"]["roc_auc"]["value"] += 0.001
    path.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="must be computed from the tables beside it"):
        read_any_results(run, name="first")
    del stored["sets"]["test"]["findings"]["Mass"]
    path.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"sets\.test\.findings\.Mass is missing"):
        read_any_results(run, name="first")
    path.write_text(json.dumps({**stored, "format": 99}))
    with pytest.raises(ValueError, match="must be an evaluation of format 2; got format 99"):
        read_any_results(run, name="first")


def test_the_worst_false_call_and_the_worst_miss_of_each_finding_are_shown(tmp_path):
    write_images(tmp_path / "images", sets=("test",), count=240)
    run = write_finding_run(tmp_path / "first", root=tmp_path / "images")
    results = read_any_results(run, name="first")
    page = Read(html_page([results]))
    stored = json.loads((run / "evaluation/evaluation.json").read_text())
    pictures = [a["alt"] for tag, a in page.tags if tag == "img"]
    for finding, (cells, shares) in table_of(run, "test").items():
        temperature = stored["calibration"][finding]["temperature"]
        threshold = stored["operating_points"]["thresholds"][finding]
        calibrated = 1 / (1 + ((1 - shares) / shares) ** (1 / temperature))
        false = np.where((cells == "0") & (calibrated >= threshold), calibrated, -1).argmax()
        missed = np.where((cells == "1") & (calibrated < threshold), calibrated, 2).argmin()
        assert f"Radiograph test/{false}.png, {finding} called, but absent" in pictures
        assert f"Radiograph test/{missed}.png, {finding} missed" in pictures
    assert "cxr-models report --explain" in page.text
    third_party = Read(html_page([dataclasses.replace(results, config=None)]))
    assert "--explain" not in third_party.text
    bare = Read(html_page([results], images=False))
    assert not [tag for tag, _ in bare.tags if tag == "img"]
    rows = bare.tables["The worst false call and the worst miss of each finding on test"][0][1:]
    assert len(rows) == 6


def test_a_set_without_a_mean_has_no_row_for_it_and_one_note_for_all_its_values(tmp_path):
    def change(predictions):
        targets = predictions.targets.copy()
        targets[:6], targets[6:] = 1, 0  # three patients with every finding
        return dataclasses.replace(predictions, targets=targets)

    page = page_of(write_finding_run(tmp_path / "first", change=change))
    assert list(page.table(VALUES)) == list(FINDINGS)
    assert "mean of 0 findings" not in page.text
    why = "undefined, no finding has enough patients with it and without it."
    assert f"test, ROC-AUC; PR-AUC; Brier score; Brier score, calibrated: {why}" in page.text
    with_few = "3 patients of the class concerned, fewer than 10"
    assert (
        f"ROC-AUC of {', '.join(FINDINGS[:-1])} and {FINDINGS[-1]}: no interval, {with_few}"
        in page.text
    )


def test_one_source_is_named_without_repeating_the_values_of_the_set(tmp_path):
    def change(predictions):
        records = tuple(
            dataclasses.replace(record, source="nih", view="")
            for record in predictions.manifest.records
        )
        manifest = dataclasses.replace(predictions.manifest, records=records)
        return dataclasses.replace(predictions, manifest=manifest)

    page = page_of(write_finding_run(tmp_path / "first", change=change))
    assert "All images have one source: nih." in page.text
    assert "ROC-AUC by source" not in page.tables


def test_the_page_speaks_of_findings_and_losses_not_of_accuracy_and_classes(run):
    page = page_of(run)
    settings = page.table("Settings")
    assert settings["model.findings"]["value"] == ", ".join(FINDINGS)
    assert "model.positive_class" not in settings
    assert "Labels that the records call uncertain count as unknown." in page.text
    assert "support a class or a finding" in page.text
    assert "The values of a finding are of the images whose label for it is known." in page.text


def test_an_evaluation_of_patients_is_shown_as_such(run):
    tables = read_any_results(run, name="first").sets.values()
    method = Method(draws=100, aggregate=Aggregation(of="patient", by="max"))
    sets = aggregated_sets(tables, method.aggregate)
    evaluation = evaluate_any("first", sets, method)
    columns = parse_columns("source")
    evaluation = with_any_subgroups(evaluation, sets, columns, method)
    write_evaluation(run, evaluation)
    results = read_any_results(run, name="first")
    assert {len(one.manifest.records) for one in results.sets.values()} == {120}
    page = Read(html_page([results], images=False))
    assert "on its test set (120 patients from 240 images)" in page.text
    assert "Every value is of rows, of which each is a patient (highest probability)." in page.text
    assert "Of each patient one image stands below, that whose name comes first." in page.text
    means = page.table("Means over findings, of every set")
    assert (means["patients"]["test"], means["images joined"]["test"]) == ("120", "240")
    shown = page.table("Each finding, over the patients whose label for it is known", 1)
    of_mass = evaluation.sets["test"].findings["Mass"]
    assert shown["Mass"]["patients known"] == str(of_mass.images)
    groups = page.table("Groups by source")
    assert [groups[name]["patients"] for name in ("here", "there")] == ["60", "60"]
    assert list(groups["here"]) == ["patients", "patients, tied ones once"]
    write_evaluation(run, dataclasses.replace(evaluation, aggregate=None))
    with pytest.raises(ValueError, match="must be computed from the tables beside it"):
        read_any_results(run, name="first")
