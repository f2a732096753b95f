import dataclasses
import json
import re

import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.cli import main
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.results import Aggregation
from cxr_models.evaluation.stored import write_evaluation
from cxr_models.evaluation.subgroups import with_subgroups
from cxr_models.report import html_page, read_results
from cxr_models.report.read.results import read_audit
from tests.helpers.fresh_process import run_code
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import write_audit, write_robustness, write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "first")


def refused(run, match):
    with pytest.raises(ValueError, match=match):
        read_results(run, name="first")


def test_a_run_that_was_not_evaluated_is_refused(run):
    (run / "evaluation/evaluation.json").unlink()
    refused(run, r"`RUN` must be a run that was evaluated; got .* lacks evaluation/evaluation.json")


def test_tables_that_were_edited_are_refused(run):
    table = run / "evaluation/test.csv"
    table.write_text(table.read_text().replace("covid,test-0", "virus,test-0"))
    refused(run, r"`test.csv` must be as cxr-models wrote it")


def test_an_evaluation_of_other_tables_is_refused(run):
    file = run / "evaluation/evaluation.json"
    told = json.loads(file.read_text())
    told["sets"]["test"]["confusion"]["counts"][0][0] += 1
    file.write_text(json.dumps(told))
    refused(
        run, r"`evaluation.json` must be computed from the tables beside it; got another test.csv"
    )


def test_sets_are_not_looked_for_in_other_folders(run):
    file = run / "evaluation/evaluation.json"
    told = json.loads(file.read_text())
    told["sets"]["../test"] = told["sets"].pop("test")
    file.write_text(json.dumps(told))
    refused(run, r"`evaluation.json` must name sets without folders; got '../test'")


def test_files_that_are_links_to_elsewhere_are_refused(run, tmp_path):
    table = run / "evaluation/test.csv"
    table.rename(tmp_path / "test.csv")
    table.symlink_to(tmp_path / "test.csv")
    refused(run, r"`RUN` must hold its own files; got .*test.csv is a link to elsewhere")


def test_settings_or_weights_changed_since_are_refused(run):
    (run / "best.weights.h5").write_bytes(b"others")
    refused(run, r"`evaluation.json` must be of the run's weights")
    (run / "best.weights.h5").unlink()
    config = run / "config.json"
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    refused(run, r"`evaluation.json` must be of the run's settings")


def test_an_evaluation_of_another_format_is_refused(run):
    file = run / "evaluation/evaluation.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "format": 99}))
    refused(run, r"`evaluation.json` must be an evaluation of format 2; got format 99")


DELETED = object()


@pytest.mark.parametrize(
    ("file", "place", "value", "words"),
    [
        ("evaluation", "sets", DELETED, "sets is missing"),
        ("evaluation", "sets", "text", "sets is 'text', not an object"),
        ("evaluation", "class_names", None, "class_names is None, not a list"),
        ("evaluation", "calibration temperature", None, "temperature is None, not a finite number"),
        ("evaluation", "bootstrap draws", "many", "bootstrap.draws is 'many', not a count"),
        ("evaluation", "bootstrap draws", -1, "bootstrap.draws is -1, not a count"),
        ("evaluation", "sets test kind", "final", "test.kind is 'final', not one of train, val,"),
        ("evaluation", "sets test classes covid", DELETED, "sets.test.classes.covid is missing"),
        ("evaluation", "sets test overall ece", {}, "sets.test.overall.ece.value is missing"),
        ("evaluation", "sets test overall ece value", None, "test.overall.ece: `reason` is missi"),
        ("evaluation", "sets test overall ece interval", [0.1], "ece.interval is [0.1], not a li"),
        ("evaluation", "sets test reliability raw 0", 5, "reliability.raw.0 is 5, not an object"),
        ("evaluation", "sets test by_view PA labels", [], "by_view.PA.labels is [], not an object"),
        ("audit", "border", "text", "border is 'text', not an object"),
        ("audit", "run", {"accuracy": None}, "run: `reason` is missing where there is no"),
        ("audit", "source reason", DELETED, "source: `reason` is missing where there is no"),
        ("audit", "verdict", 3, "verdict is 3, not text"),
        ("run", "versions", ["3.11"], "versions is ['3.11'], not an object"),
        ("run", "class_names", DELETED, "class_names is missing"),
    ],
)
def test_json_of_another_shape_is_refused_and_the_place_named(run, file, place, value, words):
    write_audit(run / "evaluation/audit.json")
    path = run / ("run.json" if file == "run" else f"evaluation/{file}.json")
    told = json.loads(path.read_text())
    inner = told
    *outer, last = (int(key) if key.isdecimal() else key for key in place.split())
    for key in outer:
        inner = inner[key]
    if value is DELETED:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(told))
    refused(run, f"where .*{re.escape(words)}")
    path.write_text("{")
    refused(run, r"must be JSON; got .*\.json'")


@pytest.mark.parametrize(
    "place", [["overall", "accuracy"], ["classes", "covid", "roc_auc"], ["overall", "ece"]]
)
def test_a_value_changed_by_hand_is_refused(run, place):
    file = run / "evaluation/evaluation.json"
    told = json.loads(file.read_text())
    one = told["sets"]["test"]
    for name in place:
        one = one[name]
    one["value"] += 0.01
    file.write_text(json.dumps(told))
    refused(
        run, r"`evaluation.json` must be computed from the tables beside it; got another test.csv"
    )


def test_a_run_whose_loss_was_no_number_for_an_epoch_is_read(run):
    history = run / "history.csv"
    lines = history.read_text().splitlines()
    cells = lines[2].split(",")
    cells[lines[0].split(",").index("loss")] = "nan"
    history.write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]) + "\n")
    page = Read(html_page([read_results(run, name="first")]))
    lines = [attributes["points"] for tag, attributes in page.tags if tag == "polyline"]
    assert not [points for points in lines if "nan" in points]
    assert "3 epochs" in page.text


@pytest.mark.parametrize(
    "other",
    [{"split_sha256": "0" * 64}, {"classes": ["covid", "not covid"]}, {"weights_sha256": "x"}],
)
def test_an_audit_of_something_else_is_not_taken(run, other, tmp_path):
    audit = read_audit(write_audit(tmp_path / "audit.json", **other))
    assert read_results(run, name="first", audits=(audit,)).audit is None
    write_audit(run / "evaluation/audit.json", **other)
    refused(run, r"`audit.json` must be of the run's split, classes and weights")


@pytest.mark.parametrize(
    "other",
    [{"split_sha256": "6" * 64}, {"classes": ["a", "b"]}, {"weights_sha256": "v" * 64}],
    ids=["split", "classes", "weights"],
)
def test_values_on_changed_images_of_another_run_are_refused(run, other):
    assert read_results(run, name="first").robustness is None
    write_robustness(run, names=("jpeg-90",))
    assert len(read_results(run, name="first").robustness.perturbed) == 1
    write_robustness(run, names=("jpeg-90",), **other)
    refused(
        run, r"`robustness\.json` must be of the run's split, classes and weights; .* --perturb\."
    )


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"format": 2}, r"must be of format 1; got format 2 in"),
        ({"perturbed": [{}]}, r"where perturbed\.0\.name is missing"),
        ({"unperturbed": {}}, r"where unperturbed\.accuracy is missing"),
    ],
)
def test_values_on_changed_images_of_another_shape_are_refused(run, other, words):
    write_robustness(run, names=("jpeg-90",), **other)
    refused(run, words)


def test_an_audit_without_its_parts_is_refused(tmp_path):
    path = tmp_path / "audit.json"
    path.write_text('{"border": {}}')
    with pytest.raises(ValueError, match=r"`--audit` must be what .*, where majority is missing\."):
        read_audit(path)


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["--out", "page.pdf"], 2, "`--out` must end in .html or .md; got 'page.pdf'."),
        (["--out", "page.md", "--explain"], 2, "`--explain` is only allowed with an --out that"),
        (["--out", "page.md", "--no-images"], 2, "`--no-images` is only allowed with an --out"),
        (
            ["--out", "page.html", "--explain", "--no-images"],
            2,
            "`--explain` is only allowed without",
        ),
    ],
)
def test_says_what_is_wrong_with_the_words_typed(run, words, status, sentence, capsys):
    assert main(["report", str(run), *words]) == status
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", ["page.html", "page.md"])
def test_a_page_is_replaced_when_asked_and_a_page_of_others_never(run, name, tmp_path, capsys):
    out = tmp_path / name
    words = ["report", str(run), "--out", str(out)]
    for mine in ("# Report on my holidays\n", "<!DOCTYPE html><title>Report on X</title>", "\xff"):
        out.write_bytes(mine.encode("latin-1"))
        assert main(words) == 2
        assert "Choose another name" in capsys.readouterr().err
        assert main([*words, "--overwrite"]) == 2
        assert "must be new, or a page that cxr-models report wrote" in capsys.readouterr().err
        assert out.read_bytes() == mine.encode("latin-1")
    out.unlink()
    assert main(words) == 0
    before = out.read_bytes()
    assert main(words) == 2
    assert "Replace it with --overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert out.read_bytes() == before


def test_an_audit_that_fits_no_run_is_an_error(run, tmp_path, capsys):
    audit = write_audit(tmp_path / "audit.json", split_sha256="0" * 64)
    out = tmp_path / "page.html"
    assert main(["report", str(run), "--out", str(out), "--audit", str(audit)]) == 1
    assert "`--audit` must be of the split, classes and weights of a run" in capsys.readouterr().err
    assert not out.exists()


def test_a_report_needs_no_framework(run, tmp_path):
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(('tensorflow', 'keras', 'sklearn', 'matplotlib'))\n"
        "from cxr_models.cli import main\n"
        f"assert main(['report', {str(run)!r}, '--out', {str(tmp_path / 'page.html')!r}]) == 0\n"
        f"assert main(['report', {str(run)!r}, '--out', {str(tmp_path / 'page.md')!r}]) == 0\n"
    )
    run_code(code)


def test_an_evaluation_of_patients_is_shown_as_such(run):
    sets = list(read_results(run, name="first").sets.values())
    method = Method(draws=100, aggregate=Aggregation(of="patient", by="mean"))
    evaluation = evaluate_sets("first", sets, method)
    write_evaluation(run, evaluation)
    results = read_results(run, name="first")
    assert {name: len(one.manifest.records) for name, one in results.sets.items()} == dict.fromkeys(
        ("train", "val", "test", "clinic"), 45
    )
    page = Read(html_page([results], images=False))
    assert "(45 patients from 90 images). " in page.text
    assert "Every value is of rows, of which each is a patient (mean of the logits)." in page.text
    overall = page.table("Overall values of every set")
    assert overall["patients"]["test"] == "45"
    assert overall["images joined"]["test"] == "90"
    assert "test: the test set, 45 patients" in [text for _, text in page.headings]
    assert "patients" in page.tables["Each class against the rest"][0][0]
    evaluation = dataclasses.replace(evaluation, aggregate=None)
    write_evaluation(run, evaluation)
    refused(run, r"`evaluation.json` must be computed from the tables beside it")


def test_groups_of_an_evaluation_of_patients_are_of_patients(run):
    tables = read_results(run, name="first").sets.values()
    method = Method(draws=100, aggregate=Aggregation(of="patient", by="mean"))
    sets = aggregated_sets(tables, method.aggregate)
    evaluation = evaluate_sets("first", sets, method)
    evaluation = with_subgroups(evaluation, sets, parse_columns("source"), method)
    write_evaluation(run, evaluation)
    page = Read(html_page([read_results(run, name="first")], images=False))
    (subgroups,) = evaluation.sets["test"].subgroups
    sizes = {name: group.images for name, group in subgroups.groups.items()}
    assert sum(sizes.values()) == 45
    head, *rows = page.tables["Groups by source"][0]
    assert head[1] == "patients by label"
    told = {name: sum(map(int, re.findall(r"\d+", labels))) for name, labels, *_ in rows}
    assert told == sizes
