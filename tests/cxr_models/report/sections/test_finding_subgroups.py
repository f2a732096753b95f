import json

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.report import html_page, markdown_page, read_any_results
from tests.helpers.predicted import FINDINGS
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import change_records, write_finding_run

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

    return write_finding_run(tmp_path / "first", change=change, by="sex,manufacturer")


@pytest.fixture
def page(run):
    return Read(html_page([read_any_results(run, name="first")], images=False))


def stored(run, name="test", place=0):
    kept = json.loads((run / "evaluation/evaluation.json").read_text())
    return kept["sets"][name]["subgroups"][place]


def number(value):
    return "\N{EN DASH}" if value is None else f"{value:.3f}"


def first(cell):
    return cell.split(" ")[0]


def test_the_tables_show_every_group_and_gap_of_every_finding(run, page):
    for place, name in enumerate(("test", "clinic")):
        kept = stored(run, name)
        counts = page.table("Groups by sex", place)
        assert list(counts) == ["F", "M", "not stated"]
        for finding in FINDINGS:
            caption = f"{finding} by sex, over the images whose label for it is known"
            table = page.table(caption, place)
            for group, values in kept["groups"].items():
                of, row = values["findings"][finding], table[group]
                assert counts[group]["images"] == str(values["images"])
                assert (row["images known"], row["with it"]) == (
                    str(of["images"]),
                    str(of["present"]),
                )
                assert (row["patients"], row["patients with it"]) == (
                    str(of["patients"]),
                    str(of["patients_present"]),
                )
                assert first(row["ROC-AUC"]) == number(of["roc_auc"]["value"])
                for value in ("sensitivity", "specificity"):
                    assert first(row[value]) == number(of["operating_point"][value]["value"])
            caption = f"Gaps in {finding} by sex: best group minus worst"
            gaps = page.table(caption, place)
            for gap in kept["gaps"]:
                if (gap["value"], gap["label"]) == ("specificity", finding):
                    row = gaps[f"specificity of {finding}"]
                    assert (row["best"], row["worst"]) == (gap["best"], gap["worst"])
                    assert first(row["gap"]) == f"{gap['difference']['value']:+.3f}"
                    assert row["smallest seen"] == number(gap["smallest_seen"])


def test_an_overview_shows_the_gaps_of_all_findings_beside_those_of_chance(run):
    html = html_page([read_any_results(run, name="first")], images=False)
    start = html.index(">test by sex: gap in specificity<")
    plot = html[start : html.index("</svg>", start)]
    assert plot.count('class="row"') == len(FINDINGS)
    assert plot.count("<circle") == 2 * len(FINDINGS)  # the gap, and that of chance
    start = html.index(">test by manufacturer: gap in specificity<")
    plot = html[start : html.index("</svg>", start)]
    assert plot.count("fewer than two groups have a value") == len(FINDINGS)
    kept = stored(run)["gaps"]
    wide = [
        gap["label"]
        for gap in kept
        if gap["value"] == "specificity" and gap["difference"]["value"] > gap["chance"]["high"]
    ]
    assert f"Larger than 19 of 20 gaps of chance: {', '.join(wide) or 'none'}." in html


def test_the_plots_of_each_finding_are_folded_and_need_no_script(run):
    html = html_page([read_any_results(run, name="first")], images=False)
    fold = html.index("<summary>Plots and tables of each finding</summary>")
    plot = html.index(">test, Mass by sex: ROC-AUC<")
    assert fold < plot < html.index("</details>", fold)
    assert html[plot : html.index("</svg>", plot)].count('class="mark"') == 3
    assert "<script" not in html


def test_a_group_of_few_patients_is_empty_and_says_why(page):
    caption = "Mass by manufacturer, over the images whose label for it is known"
    table = page.table(caption)
    assert table[SCRIPT]["ROC-AUC"] == "\N{EN DASH}"
    assert f"{SCRIPT}, ROC-AUC and sensitivity: " in page.text
    assert "patients of the class concerned, fewer than 10." in page.text
    assert "specificity of Mass: no gap, fewer than two groups have this value" in page.text


def test_markdown_has_the_same_tables_and_names_as_text(run):
    text = markdown_page([read_any_results(run, name="first")])
    assert "By sex" in text
    assert "Mass by sex, over the images whose label for it is known" in text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


def test_a_run_without_groups_has_no_section_on_them(tmp_path):
    run = write_finding_run(tmp_path / "plain")
    page = Read(html_page([read_any_results(run, name="plain")], images=False))
    assert [title for _, title in page.headings if title == "Subgroups"] == []
