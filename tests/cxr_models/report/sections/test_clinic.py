import dataclasses
import json

import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.stored import write_evaluation
from cxr_models.report import html_page, markdown_page, read_results
from cxr_models.report.read.finding_results import read_any_results
from cxr_models.report.sections.clinic import clinic_section, finding_clinic_section
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import write_finding_run, write_run


@pytest.fixture
def run(tmp_path):
    path = write_run(tmp_path / "first")
    sets = read_results(path, name="first").sets.values()
    method = Method(draws=100, prevalences=(0.02, 0.2), specificities=(0.9,))
    write_evaluation(path, evaluate_sets("first", list(sets), method))
    return read_results(path, name="first")


def shown(measured):
    low, high = measured.interval
    return f"{measured.value:.3f} [{low:.3f}, {high:.3f}]"


def test_the_tables_hold_the_values_of_every_tested_set(run):
    page = Read(html_page([run], images=False))
    assert [text for _, text in page.headings].count("For a clinic") == 2
    for place, name in enumerate(("test", "clinic")):
        clinic = run.evaluation.sets[name].clinic
        head, *rows = page.tables["Predictive values at the operating point"][place]
        assert head[1:] == ["prevalence", "positive predictive value", "negative predictive value"]
        expected = [
            [label, f"{one.prevalence:g}", shown(one.positive), shown(one.negative)]
            for label, values in clinic.items()
            for one in values.predictive_values
        ]
        assert rows == expected
        single = page.table(
            "Likelihood ratios and correlation at the operating point, and calibration", place
        )
        assert single["covid"]["Brier score"] == shown(clinic["covid"].brier)
        assert single["virus"]["calibration slope"] == shown(clinic["virus"].calibration_slope)
        (row, *_) = page.tables["Sensitivity at a stated specificity"][place][1:]
        point = clinic["covid"].at_specificity[0]
        assert row[1:] == [
            "at least 0.9", f"{point.threshold:.3f}", shown(point.sensitivity),
            shown(point.specificity),
        ]  # fmt: skip


def test_a_decision_curve_is_drawn_for_each_class_with_its_band(run):
    page = Read(html_page([run], images=False))
    assert len([a for tag, a in page.tags if tag == "polygon" and a["class"] == "band"]) == 6
    (section,) = clinic_section("test", run.evaluation.sets["test"].clinic)
    charts = section.blocks[-1].charts
    assert [chart.title for chart in charts] == [
        f"test: net benefit for {label}" for label in run.class_names
    ]
    curve = run.evaluation.sets["test"].clinic["covid"].decision_curve
    model, everyone, none = charts[0].lines
    assert model.points[10] == (curve.thresholds[10], curve.net_benefit[10])
    low, high = charts[0].y_range
    for line in charts[0].lines:
        assert all(low <= y <= high for _, y in line.points)
    assert len(everyone.points) < len(model.points)  # it leaves the chart below
    assert {y for _, y in none.points} == {0.0}


def test_the_page_in_markdown_has_the_tables_and_the_curves_in_words(run):
    text = markdown_page([run])
    assert "Better than treating all and treating none at thresholds" in text
    assert "positive predictive value" in text


def test_an_evaluation_of_an_earlier_version_has_no_such_section(run):
    file = run.folder.evaluation_file
    told = json.loads(file.read_text())
    for values in told["sets"].values():
        values.pop("clinic", None)
    file.write_text(json.dumps(told))
    page = Read(html_page([read_results(run.folder.path, name="first")], images=False))
    assert "For a clinic" not in page.text
    assert clinic_section("test", None) == []


def test_what_was_not_chosen_on_validation_is_not_said_to_be(run):
    clinic = run.evaluation.sets["test"].clinic
    for chosen, sentence in (
        (True, "by calibrated probabilities and the thresholds that were chosen on validation."),
        (False, "by probabilities that are not calibrated and a threshold that was not chosen on"),
    ):
        (section,) = clinic_section("test", clinic, chosen=chosen)
        assert sentence in section.blocks[0].text


def test_values_without_an_interval_have_their_reason_below_the_table(run):
    clinic = run.evaluation.sets["test"].clinic
    lacking = dataclasses.replace(clinic["covid"].mcc, interval=None, reason="of a test")
    changed = {**clinic, "covid": dataclasses.replace(clinic["covid"], mcc=lacking)}
    (section,) = clinic_section("test", changed)
    notes = [note for block in section.blocks for note in getattr(block, "notes", ())]
    assert "Matthews correlation of covid: no interval, of a test." in notes


@pytest.fixture
def of_findings(tmp_path):
    path = write_finding_run(tmp_path / "findings")
    sets = read_any_results(path, name="findings").sets.values()
    method = Method(draws=100, prevalences=(0.02,), specificities=(0.9,))
    write_evaluation(path, evaluate_findings("findings", list(sets), method))
    return read_any_results(path, name="findings")


def test_the_page_of_findings_has_a_row_and_a_folded_curve_for_each(of_findings):
    page = Read(html_page([of_findings], images=False))
    assert [text for _, text in page.headings].count("For a clinic") == 2
    for place, name in enumerate(("test", "clinic")):
        clinic = of_findings.evaluation.sets[name].clinic
        head, *rows = page.tables["Predictive values at the operating point"][place]
        assert head[0] == "finding"
        assert rows == [
            [finding, "0.02", shown(one.positive), shown(one.negative)]
            for finding, values in clinic.items()
            for one in values.predictive_values
        ]
        single = page.table(
            "Likelihood ratios and correlation at the operating point, and calibration", place
        )
        assert single["Hernia"]["Matthews correlation"] == shown(clinic["Hernia"].mcc)
        (row, *_) = page.tables["Sensitivity at a stated specificity"][place][1:]
        assert row[3] == shown(clinic["Mass"].at_specificity[0].sensitivity)
    (section,) = finding_clinic_section("test", clinic, of_findings.findings)
    (curves,) = section.sections
    assert curves.folded == "A chart for each finding"
    assert [chart.title for chart in curves.blocks[0].charts] == [
        f"test: net benefit for {finding}" for finding in of_findings.findings
    ]


def test_a_finding_of_which_nothing_is_known_is_named(of_findings):
    clinic = dict(of_findings.evaluation.sets["test"].clinic)
    del clinic["Effusion"]
    (section,) = finding_clinic_section("test", clinic, of_findings.findings, chosen=False)
    assert section.blocks[0].text.endswith("No image has a known label of Effusion.")
    assert "a threshold that was not chosen on validation" in section.blocks[0].text
    assert "where the finding is as common as stated" in section.blocks[0].text
    assert finding_clinic_section("test", None, of_findings.findings) == []
