"""What docs/datasets.md says of the sets is what the code knows of them."""

import re
from pathlib import Path

from cxr_models.records.layouts.harmony import NAMES
from cxr_models.records.layouts.known import SETS
from cxr_models.records.layouts.overlaps import ORIGINS

PAGE = (Path(__file__).parents[4] / "docs/datasets.md").read_text(encoding="utf-8")


def rows_under(heading):
    section = PAGE.split(heading, 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| (.+) \|$", section, re.MULTILINE)[1:]
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


def test_each_set_has_a_row():
    assert [row[1].strip("`") for row in rows_under("## Sets")] == [
        "kermany", "covid19-radiography", "covidx", "ieee8023", "nih", "rsna", "siim-acr",
        "chexpert", "mimic-cxr-jpg", "mimic-cxr", "brax", "padchest", "vindr-cxr", "jsrt",
        "montgomery", "shenzhen", "tbx11k", "open-i", "medmnist", "split-folders", "dicom",
    ]  # fmt: skip
    assert sorted(row[1].strip("`") for row in rows_under("## Sets")) == sorted(SETS)


def test_common_names_are_those_of_the_page():
    rows = {row[0]: tuple(row[1].split(", ")) for row in rows_under("## Findings and labels")}
    assert {name: rows[name] for name in NAMES} == dict(NAMES)


def test_shared_images_are_those_of_the_page():
    rows = {row[0]: tuple(row[1].split(", ")) for row in rows_under("## Which sets share images")}
    assert rows == dict(ORIGINS)


def test_facts_are_told_of_each_set():
    cited = {row[1].strip("`"): row[-1] for row in rows_under("## Sets")}
    for known in SETS.values():
        assert cited[known.name] == (known.citation or "-")
        assert known.title
        assert known.licence
        assert known.citation or known.licence == "yours"
