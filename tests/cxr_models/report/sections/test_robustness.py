import json

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytest.importorskip("scipy", reason="scipy is not installed")

from cxr_models.report import html_page, markdown_page, read_results
from cxr_models.report.sections.robustness import robustness_sections
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import write_robustness, write_run

CAPTION = "Changed test images: values, share predicted otherwise, and differences"


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "first")


def page_of(run):
    return Read(html_page([read_results(run, name="first")], images=False))


def test_the_table_holds_the_stored_values_of_every_change(run):
    stored = json.loads(write_robustness(run).read_text())
    table = page_of(run).table(CAPTION)
    assert list(table) == ["none", *(row["title"] for row in stored["perturbed"])]
    row = next(row for row in stored["perturbed"] if row["name"] == "inverted")
    low, high = row["accuracy"]["interval"]
    shown = table["inverted"]
    assert shown["accuracy"] == f"{row['accuracy']['value']:.3f} [{low:.3f}, {high:.3f}]"
    assert shown["predicted otherwise"].startswith(f"{row['changed']['value']:.3f} [")
    difference = row["differences"]["macro_roc_auc"]
    assert shown["difference in macro ROC-AUC"].startswith(f"{difference['value']:+.3f} [")
    assert table["none"]["predicted otherwise"] == "\N{EN DASH}"


def test_the_sentence_names_the_change_with_the_greatest_loss(run):
    stored = json.loads(write_robustness(run).read_text())
    worst = min(stored["perturbed"], key=lambda row: row["differences"]["accuracy"]["value"])
    page = page_of(run)
    assert "The run was tested on 90 test images, of 45 patients, changed before" in page.text
    assert (
        f"falls most with the change \u201c{worst['title']}\u201d: "
        f"{worst['accuracy']['value']:.3f} instead of "
        f"{stored['unperturbed']['accuracy']['value']:.3f}, a difference of -"
    ) in page.text


def test_some_of_the_test_images_are_called_some(run):
    write_robustness(run, test_images=1234)
    assert "tested on 90 test images of 1,234, of 45 patients" in page_of(run).text


def test_changes_that_change_nothing_are_said_to(run):
    write_robustness(run, scale=0.0, names=("jpeg-90", "inverted"))
    page = page_of(run)
    assert "No change lowers its accuracy." in page.text
    assert "for JPEG, quality 90; inverted: all draws give the same value" in page.text
    assert page.table(CAPTION)["inverted"]["difference in accuracy"] == "+0.000"


def test_each_change_is_a_dot_and_its_interval_a_line(run):
    write_robustness(run)
    results = read_results(run, name="first")
    (section,) = robustness_sections(results)
    (plot,) = section.blocks[-1].charts
    stored = [(row.title, row.differences.accuracy) for row in results.robustness.perturbed]
    assert [(title, dot.value, dot.interval) for title, (dot,) in plot.rows] == [
        (title, accuracy.value, accuracy.interval) for title, accuracy in stored
    ]
    assert plot.marks == (0.0,)
    ends = [end for _, accuracy in stored for end in accuracy.interval or (accuracy.value,)]
    assert plot.x_range[0] <= min(ends) < 0.0 <= max(ends) < plot.x_range[1]
    page = page_of(run)
    titles = [a["points"] for tag, a in page.tags if tag == "polyline" and a.get("class") == "mark"]
    assert len(titles) == len(stored)


def test_markdown_holds_the_same_table_and_a_line_on_the_picture(run):
    write_robustness(run, names=("jpeg-90", "inverted"))
    text = markdown_page([read_results(run, name="first")])
    assert "\n| inverted | 0." in text
    assert "- Changed images: difference in accuracy. Each dot is" in text


def test_a_run_that_was_not_tested_on_changed_images_has_no_such_section(run):
    assert "Changed images" not in page_of(run).text


@pytest.mark.parametrize(
    ("told", "note"),
    [
        ({}, "ROC-AUC ranks images by probabilities that are not calibrated."),
        (
            {"uncalibrated": "a row is a patient"},
            "ROC-AUC ranks images by probabilities that are not calibrated: a row is a patient.",
        ),
        ({"temperature": 1.7}, ""),
    ],
)
def test_areas_that_are_ranked_without_a_temperature_are_said_to_be(run, told, note):
    write_robustness(run, names=("jpeg-90",), **told)
    text = page_of(run).text
    assert note in text
    assert bool(note) == ("ROC-AUC ranks images by" in text)
