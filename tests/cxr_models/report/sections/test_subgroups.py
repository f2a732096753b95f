import json

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.report import html_page, markdown_page, read_results
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import change_records, write_run

SCRIPT = "<script>alert(1)</script>"


def person(place, record):
    """Give patients of two images a sex; those of one scanner are few."""
    return {
        "sex": ("F", "M", "")[place // 2 % 5 % 3],
        "manufacturer": SCRIPT if place < 12 else "Maker of radiographs",
    }


@pytest.fixture
def run(tmp_path):
    def change(predictions):
        return change_records(predictions, person)

    return write_run(tmp_path / "first", change=change, by="sex,manufacturer", images=240)


@pytest.fixture
def page(run):
    return Read(html_page([read_results(run, name="first")], images=False))


def stored(run, name="test", place=0):
    told = json.loads((run / "evaluation/evaluation.json").read_text())
    return told["sets"][name]["subgroups"][place]


def number(value):
    return "\N{EN DASH}" if value is None else f"{value:.3f}"


def first(cell):
    return cell.split(" ")[0]


def test_the_tables_show_every_group_and_gap_of_the_evaluation(run, page):
    for place, name in enumerate(("test", "clinic")):
        told = stored(run, name)
        table = page.table("Groups by sex", place)
        assert list(table) == ["F", "M", "not stated"]
        for group, values in told["groups"].items():
            assert table[group]["patients"] == str(values["patients"])
            accuracy = values["overall"]["accuracy"]["value"]
            assert first(table[group]["accuracy"]) == number(accuracy)
            covid = page.table("covid by sex", place)[group]
            point = values["classes"]["covid"]["operating_point"]
            assert first(covid["sensitivity"]) == number(point["sensitivity"]["value"])
            assert first(covid["ROC-AUC"]) == number(values["classes"]["covid"]["roc_auc"]["value"])
        gaps = page.table("Gaps by sex: best group minus worst", place)
        for gap in told["gaps"]:
            if gap["value"] == "sensitivity":
                title = f"sensitivity of {gap['label']}"
                assert (gaps[title]["best"], gaps[title]["worst"]) == (gap["best"], gap["worst"])
                assert first(gaps[title]["gap"]) == f"{gap['difference']['value']:+.3f}"
                assert gaps[title]["p"] == number(gap["chance"]["p_value"])
                assert gaps[title]["smallest seen"] == number(gap["smallest_seen"])


def test_a_group_of_few_patients_is_empty_and_says_why(page):
    table = page.table("Groups by manufacturer")
    assert table[SCRIPT]["patients"] == "6"
    assert table[SCRIPT]["accuracy"] == "\N{EN DASH}"
    assert f"{SCRIPT}, accuracy" in page.text
    assert "6 patients of the class concerned, fewer than 10." in page.text
    assert "accuracy: no gap, fewer than two groups have this value" in page.text


def test_a_dot_plot_shows_each_value_of_each_group(run, page):
    titles = [
        f"{name} by {column}: {value}"
        for name in ("test", "clinic")
        for column in ("sex", "manufacturer")
        for value in ("accuracy", "ROC-AUC", "sensitivity", "specificity")
    ]
    assert [title for title in titles if title not in page.text] == []
    html = html_page([read_results(run, name="first")], images=False)
    start = html.index(">test by sex: sensitivity<")
    plot = html[start : html.index("</svg>", start)]
    dots = sum(
        values["classes"][label]["operating_point"]["sensitivity"]["value"] is not None
        for values in stored(run)["groups"].values()
        for label in ("covid", "normal", "virus")
    )
    assert plot.count("<circle") == dots == 6
    assert plot.count('class="row"') == 3
    assert plot.count('class="mark"') == 6
    assert plot.count("8 patients of the class concerned, fewer than 10") == 3  # of those unknown


def test_markdown_has_the_same_tables_and_names_as_text(run):
    text = markdown_page([read_results(run, name="first")])
    assert "#### By sex" in text
    assert "test by sex: accuracy" in text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


def test_a_run_without_groups_has_no_section_on_them(tmp_path):
    run = write_run(tmp_path / "plain")
    page = Read(html_page([read_results(run, name="plain")], images=False))
    assert [title for _, title in page.headings if title == "Subgroups"] == []
