import json

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.records.manifest import Record, write_manifest
from cxr_models.report import read_results
from tests.helpers.report_runs import each, write_run


def person(place, _):
    return {"sex": "FM"[place // 2 % 2], "kept": (("scanner", "ab"[place // 2 % 3 % 2]),)}


@pytest.fixture
def run(tmp_path):
    def change(predictions):
        return each(predictions, person)

    return write_run(tmp_path / "first", change=change, by="sex,scanner", externals=())


def edited(run, change):
    path = run / "evaluation/evaluation.json"
    told = json.loads(path.read_text())
    change(told["sets"]["test"]["subgroups"][0])
    path.write_text(json.dumps(told))


def test_groups_of_the_tables_are_read(run):
    found = read_results(run, name="first").evaluation.sets["test"].subgroups
    assert [by.column for by in found] == ["sex", "scanner"]


def of_accuracy(told, **values):
    told["groups"]["F"]["overall"]["accuracy"] |= values


@pytest.mark.parametrize(
    "change",
    [
        lambda told: of_accuracy(told, value=0.99),
        lambda told: of_accuracy(told, value=None, interval=None, reason="hidden"),
        lambda told: told["groups"]["F"].update(images=45),
        lambda told: told["groups"]["F"].update(patients=22),
        lambda told: told["groups"]["F"]["labels"].update(covid=1),
        lambda told: told["groups"].update(X=told["groups"].pop("F")),
        lambda told: told["groups"]["F"]["classes"].pop("covid"),
        lambda told: told["gaps"][0]["difference"].update(value=0.5),
        lambda told: told["gaps"][0].update(best="nobody"),
        lambda told: told.update(column="manufacturer"),
        lambda told: told.update(column=""),
        lambda told: told.update(edges=[3.0, 1.0]),
    ],
    ids=[
        "value", "hidden", "images", "patients", "labels", "name", "class", "gap", "best", "column",
        "no-column", "edges",
    ],
)  # fmt: skip
def test_other_groups_than_those_of_the_table_are_refused(run, change):
    edited(run, change)
    with pytest.raises(ValueError, match="must be computed from the tables beside it"):
        read_results(run, name="first")


def test_columns_that_older_tables_lack_come_from_the_split_of_the_run(tmp_path):
    run = write_run(tmp_path / "old", externals=())
    path = run / "evaluation/evaluation.json"
    plain = json.loads(path.read_text())
    made = write_run(
        tmp_path / "new", externals=(), by="sex", change=lambda sets: each(sets, person)
    )
    told = json.loads((made / "evaluation/evaluation.json").read_text())
    plain["sets"]["test"]["subgroups"] = told["sets"]["test"]["subgroups"]
    path.write_text(json.dumps(plain))
    with pytest.raises(ValueError, match="must be computed from the tables beside it"):
        read_results(run, name="old")
    records = [
        Record(file=f"test/{place}.png", label="covid", split="test", **person(place, None))
        for place in range(90)
    ]
    write_manifest(run / "split.csv", records)
    (found,) = read_results(run, name="old").evaluation.sets["test"].subgroups
    assert found.column == "sex"
