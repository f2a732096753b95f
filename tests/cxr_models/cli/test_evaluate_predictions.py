import csv
import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from sklearn import metrics

from cxr_models.cli import main
from tests.helpers.foreign_tables import write_csv, write_finding_table, write_table
from tests.helpers.fresh_process import run_code
from tests.helpers.predicted import CLASSES, make_finding_predictions, make_predictions
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import write_images, write_run

FEW = ["--draws", "100"]


def said(capsys, *words, status=0):
    """Run a command and give what it says."""
    assert main(list(map(str, words))) == status
    return capsys.readouterr()


def evaluated(capsys, out, *words):
    """Evaluate tables and give the result as JSON."""
    told = said(capsys, "evaluate-predictions", *words, "--out", out, "--json", *FEW)
    return json.loads(told.out)


@pytest.fixture
def table(tmp_path, rng):
    """Write val and test of a model of three classes."""
    return write_table(
        tmp_path / "mine.csv", [make_predictions(rng, 80, name=name) for name in ("val", "test")]
    )


def test_values_are_those_of_scikit_learn(tmp_path, rng, capsys):
    predictions = make_predictions(rng, 200)
    table = write_table(tmp_path / "t.csv", [predictions], part=False)
    told = evaluated(capsys, tmp_path / "out", table)["sets"]["test"]
    true = np.array([record.label for record in predictions.manifest.records])
    shares = predictions.probabilities
    called = np.array(CLASSES)[shares.argmax(axis=1)]
    overall = {name: one["value"] for name, one in told["overall"].items()}
    assert overall["accuracy"] == pytest.approx(metrics.accuracy_score(true, called))
    balanced = metrics.balanced_accuracy_score(true, called)
    assert overall["balanced_accuracy"] == pytest.approx(balanced)
    assert overall["macro_f1"] == pytest.approx(metrics.f1_score(true, called, average="macro"))
    assert overall["log_loss"] == overall["log_loss_calibrated"]
    assert overall["log_loss"] == pytest.approx(metrics.log_loss(true, shares, labels=CLASSES))
    assert overall["macro_roc_auc"] == pytest.approx(
        metrics.roc_auc_score(true, shares, multi_class="ovr", average="macro", labels=CLASSES)
    )
    counts = metrics.confusion_matrix(true, called, labels=CLASSES).tolist()
    assert told["confusion"]["counts"] == counts
    for k, name in enumerate(CLASSES):
        one, positive = told["classes"][name], true == name
        area = metrics.average_precision_score(positive, shares[:, k])
        assert one["pr_auc"]["value"] == pytest.approx(area)
        point, flagged = one["operating_point"], shares[:, k] >= 0.5
        assert point["threshold"] == 0.5
        sensitivity = metrics.recall_score(positive, flagged)
        assert point["sensitivity"]["value"] == pytest.approx(sensitivity)
        specificity = metrics.recall_score(~positive, ~flagged)
        assert point["specificity"]["value"] == pytest.approx(specificity)


def test_one_column_of_a_class_against_the_rest_is_enough(tmp_path, rng, capsys):
    shares, true = rng.random(100).round(2), rng.random(100) < 0.4
    rows = [
        {"file": f"{i}.png", "label": "tb" if positive else "normal", "prob:tb": share}
        for i, (share, positive) in enumerate(zip(shares, true, strict=True))
    ]
    told = evaluated(capsys, tmp_path / "out", write_csv(tmp_path / "t.csv", rows))
    assert told["class_names"] == ["normal", "tb"]
    area = metrics.roc_auc_score(true, shares)
    assert told["sets"]["test"]["classes"]["tb"]["roc_auc"]["value"] == pytest.approx(area)
    assert told["sets"]["test"]["classes"]["normal"]["roc_auc"]["value"] == pytest.approx(area)


def test_a_table_of_one_column_is_compared_with_a_table_of_both(tmp_path, rng, capsys):
    rows = [
        {"file": f"{i}", "label": ("covid", "normal")[i % 2], "prob:covid": p, "prob:normal": 1 - p}
        for i, p in enumerate(rng.random(40))
    ]
    both = write_csv(tmp_path / "both.csv", rows)
    one = write_csv(
        tmp_path / "one.csv", [{k: v for k, v in r.items() if k != "prob:normal"} for r in rows]
    )
    (pair,) = evaluated(capsys, tmp_path / "out", one, both)["comparisons"]
    assert pair["roc_auc"]["covid"]["difference"] == pair["accuracy"]["value"] == 0
    models = (tmp_path / "out/one", tmp_path / "out/both")
    said(capsys, "report", *models, "--out", tmp_path / "r.html")
    text = Read((tmp_path / "r.html").read_text()).text
    assert "one and both are compared" in text
    assert "the only run here" not in text


@pytest.mark.parametrize("kind", ["classes", "findings"])
def test_a_source_of_other_files_is_left_out_of_the_comparison_and_it_is_said(
    kind, tmp_path, rng, capsys
):
    write, make = {
        "classes": (write_table, make_predictions),
        "findings": (write_finding_table, make_finding_predictions),
    }[kind]
    table = write(tmp_path / "mine.csv", [make(rng, name=name) for name in ("test", "clinic")])
    lines = table.read_text().splitlines()
    (tmp_path / "theirs.csv").write_text("\n".join(lines[:-1]))
    tables = (table, tmp_path / "theirs.csv")
    printed = said(capsys, "evaluate-predictions", *tables, "--out", tmp_path / "out", *FEW)
    line = (
        "clinic: mine not compared with theirs: 1 image that is in one of the two alone, such as "
        "'clinic/59.png'"
    )
    assert line in printed.out.splitlines()
    stored = json.loads((tmp_path / "out/comparison.json").read_text())
    assert stored["left_out"] == [line]
    assert [pair["set"] for pair in stored["comparisons"]] == ["test"]


def test_the_table_of_a_run_gives_the_values_of_the_run(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    rows = []
    for name in ("train", "val", "test", "external-clinic"):
        lines = (run / f"evaluation/{name}.csv").read_text().splitlines()[1:]
        rows += csv.DictReader(lines)
    told = evaluated(capsys, tmp_path / "out", write_csv(tmp_path / "t.csv", rows))
    of_run = json.loads((run / "evaluation/evaluation.json").read_text())
    for key in ("class_names", "labels", "bootstrap", "calibration", "operating_points", "sets"):
        assert told[key] == of_run[key], key
    assert json.loads((tmp_path / "out/evaluation/evaluation.json").read_text()) == told


def test_what_was_written_is_evaluated_compared_and_reported_as_a_run_is(table, tmp_path, capsys):
    told = evaluated(capsys, tmp_path / "one", table)
    again = said(capsys, "evaluate", tmp_path / "one", "--from-predictions", "--json", *FEW)
    assert json.loads(again.out) == told
    assert json.loads(said(capsys, "evaluate", tmp_path / "one", "--json", *FEW).out) == told
    rng = np.random.default_rng(1)
    others = [make_predictions(rng, 80, name=name) for name in ("val", "test")]
    (tmp_path / "elsewhere").mkdir()
    evaluated(capsys, tmp_path / "two", write_table(tmp_path / "elsewhere/2.csv", others))
    words = ("evaluate", tmp_path / "one", tmp_path / "two", "--json", *FEW)
    (pair,) = json.loads(said(capsys, *words).out)["comparisons"]
    assert (pair["first"], pair["second"], pair["images"]) == ("one", "two", 80)
    page = tmp_path / "r.html"
    said(capsys, "report", tmp_path / "one", tmp_path / "two", "--out", page)
    read = Read(page.read_text())
    assert "A third-party model: no settings known; covid or normal or virus." in read.text
    assert "Third-party models, whose settings are not known: one and two." in read.text
    assert "one and two are compared" in read.text
    titles = [title for _, title in read.headings]
    assert not [title for title in titles if title.startswith("Training")]
    said(capsys, "report", tmp_path / "one", "--out", tmp_path / "r.md")
    assert "Predictions and version" in (tmp_path / "r.md").read_text()


def test_a_run_and_a_model_of_others_stand_on_one_page(tmp_path, capsys):
    run = write_run(tmp_path / "run", externals=())
    lines = (run / "evaluation/test.csv").read_text().splitlines()[1:]
    evaluated(capsys, tmp_path / "mine", write_csv(tmp_path / "t.csv", [*csv.DictReader(lines)]))
    words = ("evaluate", run, tmp_path / "mine", "--from-predictions", "--json", *FEW)
    (pair,) = json.loads(said(capsys, *words).out)["comparisons"]
    assert pair["accuracy"]["value"] == 0
    said(capsys, "report", run, tmp_path / "mine", "--out", tmp_path / "r.html")
    text = Read((tmp_path / "r.html").read_text()).text
    assert "Third-party models, whose settings are not known: mine." in text
    assert "Training, 3 epochs" in text
    assert "Not chosen on validation: 0.5 for every class." in text
    assert "Without a validation part: mine." in text


def test_several_tables_are_compared_over_the_same_files(table, tmp_path, capsys):
    rng = np.random.default_rng(1)
    other = write_table(tmp_path / "theirs.csv", [make_predictions(rng, 80)], part=False)
    told = evaluated(capsys, tmp_path / "both", table, other)
    (pair,) = told["comparisons"]
    assert (pair["first"], pair["second"], pair["images"]) == ("mine", "theirs", 80)
    assert list(told["runs"]) == ["mine", "theirs"]
    assert told["runs"]["theirs"]["calibration"]["temperature"] == 1
    assert json.loads((tmp_path / "both/comparison.json").read_text()) == told
    words = ("evaluate", tmp_path / "both/mine", tmp_path / "both/theirs", "--json", *FEW)
    assert json.loads(said(capsys, *words).out)["comparisons"] == told["comparisons"]
    fewer = write_table(tmp_path / "fewer.csv", [make_predictions(rng, 70)])
    words = ("evaluate-predictions", table, fewer, "--out", tmp_path / "no")
    error = said(capsys, *words, status=2).err
    assert (
        "`fewer` must hold the files of mine in test, to be compared with it; got 70 files, 0 of "
        "them not among the 80 of mine, which has 10 that are missing." in error
    )


def test_thresholds_are_chosen_on_validation_or_given_but_never_on_the_test_set(
    table, tmp_path, rng, capsys
):
    words = ("evaluate-predictions", table, "--out", tmp_path / "no")
    error = said(capsys, *words, "--threshold", "0.3", status=2).err
    assert "`--threshold` is only allowed without a validation part" in error
    test = write_table(tmp_path / "test.csv", [make_predictions(rng)], part=False)
    words = ("evaluate-predictions", test, "--out", tmp_path / "out", *FEW)
    error = said(capsys, *words, "--sensitivity", "0.9", status=2).err
    assert "`--sensitivity` is only allowed with a validation part" in error
    told = said(capsys, *words, "--threshold", "0.3")
    line = "no temperature fitted: there is no validation part; thresholds not chosen on validation"
    assert f"{line}: 0.3 for every class" in told.out
    assert "out: no validation part: probabilities are not calibrated" in told.err
    assert "out: not audited: give the folder of the images with --images" in told.err
    stored = json.loads((tmp_path / "out/evaluation/evaluation.json").read_text())
    assert stored["operating_points"]["chosen_on"] == stored["calibration"]["fitted_on"] == ""
    assert set(stored["operating_points"]["thresholds"].values()) == {0.3}
    validation = write_table(tmp_path / "val.csv", [make_predictions(rng, name="val")], part=False)
    told = evaluated(capsys, tmp_path / "calibrated", test, "--validation", validation)
    assert told["operating_points"]["chosen_on"] == told["calibration"]["fitted_on"] == "val"
    assert told["calibration"]["temperature"] != 1


def test_a_column_that_the_stored_table_lacks_is_added_to_the_table_and_evaluated(
    tmp_path, rng, capsys
):
    table, out = write_table(tmp_path / "t.csv", [make_predictions(rng)]), tmp_path / "out"
    evaluated(capsys, out, table)
    words = ("evaluate", out, "--by", "ward", *FEW)
    error = said(capsys, *words, status=2).err
    assert "--external" not in error
    assert "--from-predictions" not in error
    assert "evaluate the table again: cxr-models evaluate-predictions TABLE --out DIR." in error
    first, *rows = table.read_text().splitlines()
    rows = [f"{row},{'ab'[place // 2 % 2]}" for place, row in enumerate(rows)]
    table.write_text("\n".join([f"{first},ward", *rows]) + "\n")
    evaluated(capsys, tmp_path / "again", table)
    assert "by ward" in said(capsys, "evaluate", tmp_path / "again", *words[2:]).out


@pytest.mark.parametrize("kind", ["classes", "findings"])
def test_a_threshold_and_what_was_assumed_stay_known(kind, tmp_path, rng, capsys):
    write, make = {
        "classes": (write_table, make_predictions),
        "findings": (write_finding_table, make_finding_predictions),
    }[kind]
    table, out = write(tmp_path / "t.csv", [make(rng)], part=False), tmp_path / "out"
    told = evaluated(capsys, out, table, "--threshold", "0.3")
    assert told["remarks"][-1].startswith("no validation part: probabilities are not calibrated")
    for words in ((), ("--from-predictions",)):
        again = said(capsys, "evaluate", out, *words, "--json", *FEW)
        assert json.loads(again.out) == told
        assert [f"out: {remark}" for remark in told["remarks"]] == again.err.splitlines()
    assert json.loads((out / "evaluation/evaluation.json").read_text()) == told
    said(capsys, "report", out, "--out", tmp_path / "r.html")
    text = Read((tmp_path / "r.html").read_text()).text
    assert "Not chosen on validation: 0.3 for every class." in text
    for remark in told["remarks"]:
        assert f"Of its table: {remark}." in text
    error = said(capsys, "evaluate", out, "--sensitivity", "0.9", status=2).err
    assert "`--sensitivity` is only allowed with a validation part, on which thresholds" in error
    (out / "evaluation/evaluation.json").write_text("{")
    again = said(capsys, "evaluate", out, "--json", *FEW)
    assert "a threshold that was given, and remarks on the table, are not known any" in again.err
    assert set(json.loads(again.out)["operating_points"]["thresholds"].values()) == {0.5}


def test_with_images_the_split_is_audited_and_the_page_shows_it(tmp_path, rng, capsys):
    names = ("train", "val", "test")
    write_images(tmp_path / "images", sets=names, count=60)
    sets = [make_predictions(rng, name=name) for name in names]
    table = write_table(tmp_path / "t.csv", sets)
    out = tmp_path / "out"
    told = said(
        capsys, "evaluate-predictions", table, "--out", out, "--images", tmp_path / "images", *FEW
    )
    assert "border: the outer eighth of each side" in told.out
    assert "not audited" not in told.err
    audit = json.loads((out / "evaluation/audit.json").read_text())
    values = json.loads((out / "evaluation/evaluation.json").read_text())["sets"]["test"]
    assert audit["run"]["accuracy"] == values["overall"]["accuracy"]["value"]
    assert audit["test_images"] == 60
    said(capsys, "report", out, "--out", tmp_path / "r.html")
    read = Read((tmp_path / "r.html").read_text())
    assert "the run, centre blanked" not in read.text
    assert read.table("Accuracy of models that see no lungs, or hardly, on the same test images")[
        "the run"
    ]["accuracy"].startswith(f"{audit['run']['accuracy']:.3f}")
    assert [tag for tag, attributes in read.tags if tag == "img"]
    (tmp_path / "images/test/0.png").unlink()
    words = ("evaluate-predictions", table, "--out", tmp_path / "no")
    error = said(capsys, *words, "--images", tmp_path / "images", status=2).err
    assert "where 1 of 180 files are not, such as" in error


def test_without_train_there_is_no_audit_and_it_is_said(tmp_path, rng, capsys):
    write_images(tmp_path, sets=("test",), count=60)
    table = write_table(tmp_path / "t.csv", [make_predictions(rng)])
    words = ("evaluate-predictions", table, "--out", tmp_path / "out", "--images", tmp_path, *FEW)
    assert "not audited: there are no rows of train and val; models" in said(capsys, *words).err
    assert not (tmp_path / "out/evaluation/audit.json").exists()


def test_only_an_unchanged_output_of_the_command_is_replaced(table, tmp_path, capsys):
    out = tmp_path / "out"
    words = ("evaluate-predictions", table, "--out", out, *FEW)
    said(capsys, *words)
    assert "Replace it with --overwrite" in said(capsys, *words, status=2).err
    said(capsys, *words, "--overwrite")
    said(capsys, *words, "--overwrite", "--json")
    (out / "notes.txt").write_text("mine")
    error = said(capsys, *words, "--overwrite", status=2).err
    assert "`--out` must not name a folder of other files" in error
    (out / "notes.txt").unlink()
    with (out / "evaluation/test.csv").open("a") as file:
        file.write("\n")
    said(capsys, *words, "--overwrite", status=2)
    run = write_run(tmp_path / "run")
    said(capsys, "evaluate-predictions", table, "--out", run, "--overwrite", *FEW, status=2)
    both = ("evaluate-predictions", table, table.with_name("b.csv"), "--out", tmp_path / "both")
    table.with_name("b.csv").write_bytes(table.read_bytes())
    said(capsys, *both, *FEW)
    said(capsys, *both, *FEW, "--overwrite")


def test_findings_are_evaluated_compared_audited_and_reported(tmp_path, rng, capsys):
    names = ("train", "val", "test")
    write_images(tmp_path / "images", sets=names, count=60)
    sets = [make_finding_predictions(rng, name=name) for name in names]
    mine = write_finding_table(tmp_path / "mine.csv", sets)
    images = ("--images", tmp_path / "images")
    told = evaluated(capsys, tmp_path / "one", mine, *images)
    test = sets[2]
    for k, name in enumerate(test.findings):
        known = test.targets[:, k] >= 0
        area = metrics.roc_auc_score(test.targets[known, k], test.probabilities[known, k])
        assert told["sets"]["test"]["findings"][name]["roc_auc"]["value"] == pytest.approx(area)
    again = said(capsys, "evaluate", tmp_path / "one", "--json", *FEW)
    assert json.loads(again.out) == told
    audit = json.loads((tmp_path / "one/evaluation/audit.json").read_text())
    assert audit["findings"]["Mass"]["run"]["roc_auc"]["value"] == pytest.approx(
        told["sets"]["test"]["findings"]["Mass"]["roc_auc"]["value"]
    )
    (tmp_path / "elsewhere").mkdir()
    other = make_finding_predictions(np.random.default_rng(1), name="test")
    other = dataclasses.replace(other, targets=test.targets)
    theirs = write_finding_table(
        tmp_path / "elsewhere/theirs.csv", [other], part=False, logits=False
    )
    both = evaluated(capsys, tmp_path / "both", mine, theirs)
    (pair,) = both["comparisons"]
    assert (pair["first"], pair["second"], pair["images"]) == ("mine", "theirs", 60)
    assert both["runs"]["theirs"]["operating_points"]["chosen_on"] == ""
    assert set(both["runs"]["theirs"]["operating_points"]["thresholds"].values()) == {0.5}
    page = tmp_path / "r.html"
    said(capsys, "report", tmp_path / "one", tmp_path / "both/theirs", "--out", page)
    text = Read(page.read_text()).text
    assert "A third-party model: no settings known; the findings Effusion, Hernia and Mass." in text
    assert "Third-party models, whose settings are not known: one and theirs." in text
    assert "Not chosen on validation: 0.5 for every class." in text
    terminal = said(capsys, "evaluate", tmp_path / "both/theirs", *FEW).out
    assert "thresholds not chosen on validation: 0.5 for every class" in terminal


def test_groups_of_a_table_are_evaluated_and_stand_on_the_page(tmp_path, rng, capsys):
    sets = [make_finding_predictions(rng, 400, name=name) for name in ("val", "test")]
    table = write_finding_table(tmp_path / "findings.csv", sets)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    write_csv(table, [row | {"ward": "ab"[i // 2 % 2]} for i, row in enumerate(rows)])
    out, page = tmp_path / "out", tmp_path / "page.html"
    kept = evaluated(capsys, out, table, "--by", "ward,finding:Hernia")["sets"]["test"]
    assert [by["column"] for by in kept["subgroups"]] == ["ward", "finding:Hernia"]
    assert kept["subgroups"][0]["groups"] == {
        name: dict(values) for name, values in zip("ab", kept["by_source"].values(), strict=True)
    }
    said(capsys, "report", out, "--out", page, "--no-images")
    assert "Gaps in Mass by ward: best group minus worst" in page.read_text()
    again = said(capsys, "evaluate", out, "--by", "ward,finding:Hernia", "--json", *FEW)
    assert json.loads(again.out)["sets"]["test"] == kept
    wrong = ("evaluate-predictions", table, "--out", tmp_path / "no", "--by", "site")
    error = said(capsys, *wrong, status=2).err
    assert "`--by` must name columns of which an image of a tested set states a value" in error
    classes = write_table(tmp_path / "classes.csv", [make_predictions(rng, 240)])
    kept = evaluated(capsys, tmp_path / "classes", classes, "--by", "source")["sets"]["test"]
    assert kept["subgroups"][0]["groups"] == kept["by_source"]


def test_a_column_that_a_table_lacks_is_added_to_the_table(table, tmp_path, capsys):
    said(capsys, "evaluate-predictions", table, "--out", tmp_path / "out", *FEW)
    error = said(capsys, "evaluate", tmp_path / "out", "--by", "sex", *FEW, status=2).err
    assert "Add the column to its table, and evaluate the table again: cxr-models evalu" in error
    assert "--external" not in error


def test_findings_of_patients_are_evaluated_compared_and_reported(tmp_path, rng, capsys):
    sets = [make_finding_predictions(rng, 240, name=name) for name in ("val", "test")]
    tables = [write_finding_table(tmp_path / "one.csv", sets)]
    other = [
        dataclasses.replace(one, logits=one.logits[::-1], probabilities=one.probabilities[::-1])
        for one in sets
    ]
    tables.append(write_finding_table(tmp_path / "two.csv", other))
    out, page = tmp_path / "out", tmp_path / "page.html"
    words = ("--aggregate", "patient", *FEW)
    shown = said(capsys, "evaluate-predictions", *tables, "--out", out, *words)
    assert "a row is a patient (mean of the logits); all counts are of patients" in shown.out
    assert "test: 120 patients from 240 images" in shown.out
    assert "test: images with a finding and without it are of one patient (Effusion" in shown.err
    both = json.loads((out / "comparison.json").read_text())
    assert both["comparisons"][0]["images"] == 120
    kept = json.loads((out / "one/evaluation/evaluation.json").read_text())
    assert kept["aggregate"] == {"of": "patient", "by": "mean"}
    assert kept["sets"]["test"]["joined_images"] == 240
    said(capsys, "report", out / "one", out / "two", "--out", page, "--no-images")
    assert "120 patients of test" in page.read_text()


def test_a_model_of_others_predicts_nothing_here(table, tmp_path, capsys):
    out = tmp_path / "out"
    evaluated(capsys, out, table)
    error = said(capsys, "evaluate", out, "--external", table, status=2).err
    assert "`--external` is only allowed with runs of cxr-models train; got" in error
    words = ("report", out, "--out", tmp_path / "r.html", "--explain")
    assert (
        "`--explain` is only allowed with runs of cxr-models train"
        in said(capsys, *words, status=2).err
    )


def test_no_framework_is_imported(table, tmp_path):
    lines = """
        from cxr_models.cli import main
        assert main(sys.argv[1:]) == 0
        found = {"tensorflow", "keras", "torch", "jax"} & set(sys.modules)
        assert not found, found
        """
    words = ("evaluate-predictions", table, "--out", tmp_path / "out", *FEW)
    assert "wrote" in run_code(lines, *words).stdout
    run_code(lines, "report", tmp_path / "out", "--out", tmp_path / "r.html")
    run_code(lines, "evaluate", tmp_path / "out", *FEW)


def test_damaged_tables_are_wrong_usage(tmp_path, capsys):
    table = tmp_path / "t.csv"
    for text, sentence in (
        (b"\xff\xfe\x00f\x00i", "`t.csv` must be UTF-8"),
        (b"file,label,prob:a\nx,a\n", "`t.csv` must have as many fields in a row as columns, 3"),
        (b'file,label,prob:a\nx,a,"1\n', "`t.csv` must be a CSV; got"),
        (b"file,file,prob:a\nx,a,1\n", "`t.csv` must name each column once"),
    ):
        table.write_bytes(text)
        words = ("evaluate-predictions", table, "--out", tmp_path / "out")
        assert sentence in said(capsys, *words, status=2).err
    words = ("evaluate-predictions", tmp_path / "gone.csv", "--out", tmp_path / "out")
    assert "No such file" in said(capsys, *words, status=2).err
    assert not (tmp_path / "out").exists()


def test_lists_are_given_at_once_or_by_repeating_the_option(table, tmp_path, capsys):
    at_once = ("--prevalence", "0.01,0.1", "--at-specificity", "0.9,0.95", "--by", "source,view")
    repeated = [
        *("--prevalence", 0.01, "--prevalence", 0.1, "--at-specificity", 0.9),
        *("--at-specificity", 0.95, "--by", "source", "--by", "view"),
    ]
    values = evaluated(capsys, tmp_path / "out", table, *at_once)
    again = evaluated(capsys, tmp_path / "out", table, *repeated, "--overwrite")
    assert again == values
