import dataclasses
import json

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.evaluation.measured import Measured
from cxr_models.report import html_page, markdown_page, read_any_results
from cxr_models.report.sections.finding_robustness import finding_robustness_sections
from tests.helpers.predicted import FINDINGS
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import write_finding_robustness, write_finding_run

CAPTION = "Changed test images: mean ROC-AUC, and differences of it and of each finding"


@pytest.fixture
def run(tmp_path):
    return write_finding_run(tmp_path / "first")


def page_of(run):
    return Read(html_page([read_any_results(run, name="first")], images=False))


def test_the_table_holds_the_stored_values_of_every_change(run):
    stored = json.loads(write_finding_robustness(run).read_text())
    table = page_of(run).table(CAPTION)
    assert list(table) == ["none", *(row["title"] for row in stored["perturbed"])]
    row = next(row for row in stored["perturbed"] if row["name"] == "inverted")
    low, high = row["mean_roc_auc"]["interval"]
    shown = table["inverted"]
    assert shown["mean ROC-AUC"] == f"{row['mean_roc_auc']['value']:.3f} [{low:.3f}, {high:.3f}]"
    difference = row["differences"]["mean_roc_auc"]["value"]
    assert shown["difference of the mean"].startswith(f"{difference:+.3f} [")
    for finding in FINDINGS:
        assert shown[finding] == f"{row['differences']['roc_auc'][finding]['value']:+.3f}"
    assert table["none"]["Mass"] == "\N{EN DASH}"


def test_the_sentence_names_the_change_with_the_greatest_loss(run):
    stored = json.loads(write_finding_robustness(run).read_text())
    worst = min(stored["perturbed"], key=lambda row: row["differences"]["mean_roc_auc"]["value"])
    assert (
        "The run was tested on 240 test images, of 120 patients, changed before its own steps. Its "
        f"mean ROC-AUC falls most with the change \u201c{worst['title']}\u201d: "
        f"{worst['mean_roc_auc']['value']:.3f} instead of "
        f"{stored['unperturbed']['mean_roc_auc']['value']:.3f}, a difference of -"
    ) in page_of(run).text


def test_the_picture_has_the_mean_and_the_finding_that_falls_most(run):
    write_finding_robustness(run)
    results = read_any_results(run, name="first")
    (section,) = finding_robustness_sections(results)
    (plot,) = section.blocks[-1].charts
    for row, (title, (mean, most)) in zip(results.robustness.perturbed, plot.rows, strict=True):
        difference = row.differences.mean_roc_auc
        assert (mean.value, mean.interval) == (difference.value, difference.interval)
        if row.falls_most() is None:
            assert (title, most.value, most.text) == (row.title, None, "no finding falls")
            continue
        finding, fallen = row.falls_most()
        assert title == f"{row.title}; most: {finding}"
        assert (most.value, most.interval) == (fallen.value, fallen.interval)


def test_unknown_differences_are_not_shown_as_findings_that_do_not_fall(run):
    write_finding_robustness(run)
    results = read_any_results(run, name="first")
    row = results.robustness.perturbed[0]
    unknown = Measured(value=None, interval=None, reason="too few patients")
    areas = dict.fromkeys(row.differences.roc_auc, unknown)
    row = dataclasses.replace(row, differences=dataclasses.replace(row.differences, roc_auc=areas))
    robustness = dataclasses.replace(results.robustness, perturbed=(row,))
    (section,) = finding_robustness_sections(dataclasses.replace(results, robustness=robustness))
    (plot,) = section.blocks[-1].charts
    assert plot.rows[0][1][1].text == "no difference is known"


def test_changes_that_change_nothing_are_said_to(run):
    write_finding_robustness(run, scale=0.0, names=("jpeg-90", "inverted"))
    page = page_of(run)
    assert "No change lowers its mean ROC-AUC." in page.text
    assert page.table(CAPTION)["inverted"]["difference of the mean"] == "+0.000"
    text = markdown_page([read_any_results(run, name="first")])
    assert "\n| inverted | 0." in text


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"format": 9}, "`robustness.json` must be of format 1; got format 9"),
        ({"split_sha256": "6" * 64}, "must be of the run's split, findings and weights; got"),
        ({"findings": ["Mass"]}, "must be of the run's split, findings and weights; got"),
        ({"unperturbed": {}}, "must be as cxr-models wrote it; got"),
    ],
)
def test_a_file_of_another_run_is_refused(run, told, sentence):
    write_finding_robustness(run, names=("jpeg-90",), **told)
    with pytest.raises(ValueError, match=sentence):
        read_any_results(run, name="first")


def test_a_run_that_was_not_tested_on_changed_images_has_no_such_section(run):
    assert "Changed images" not in page_of(run).text
