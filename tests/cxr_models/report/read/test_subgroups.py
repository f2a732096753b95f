import json

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.records.manifest import Record, write_manifest
from cxr_models.report import read_any_results, read_results
from tests.helpers.report_runs import change_records, write_finding_run, write_run


def person(place, _):
    return {"sex": "FM"[place // 2 % 2], "kept": (("scanner", "ab"[place // 2 % 3 % 2]),)}


@pytest.fixture
def run(tmp_path):
    def change(predictions):
        return change_records(predictions, person)

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
        tmp_path / "new", externals=(), by="sex", change=lambda sets: change_records(sets, person)
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


@pytest.fixture
def finding_run(tmp_path):
    def change(predictions):
        return change_records(predictions, person)

    return write_finding_run(
        tmp_path / "findings", change=change, by="sex,finding:Mass,scanner", externals=()
    )


def test_groups_of_findings_are_read(finding_run):
    found = read_any_results(finding_run, name="findings").evaluation.sets["test"].subgroups
    assert [by.column for by in found] == ["sex", "finding:Mass", "scanner"]


def of_mass(kept, **values):
    kept["groups"]["F"]["findings"]["Mass"]["roc_auc"] |= values


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: of_mass(kept, value=0.99),
        lambda kept: of_mass(kept, value=None, interval=None, reason="hidden"),
        lambda kept: kept["groups"]["F"].update(images=45),
        lambda kept: kept["groups"]["F"].update(patients=22),
        lambda kept: kept["groups"]["F"]["findings"]["Mass"].update(images=1),
        lambda kept: kept["groups"]["F"]["findings"]["Mass"].update(present=1),
        lambda kept: kept["groups"]["F"]["means"].update(over=["Mass"]),
        lambda kept: kept["groups"].update(X=kept["groups"].pop("F")),
        lambda kept: kept["groups"]["F"]["findings"].pop("Mass"),
        lambda kept: kept["gaps"][0]["difference"].update(value=0.5),
        lambda kept: kept["gaps"][0].update(best="nobody"),
        lambda kept: kept["gaps"][0].update(label="nothing"),
        lambda kept: kept.update(column="manufacturer"),
        lambda kept: kept.update(column=""),
    ],
    ids=[
        "value", "hidden", "images", "patients", "known", "present", "means", "name", "finding",
        "gap", "best", "label", "column", "no-column",
    ],
)  # fmt: skip
def test_other_groups_of_findings_than_those_of_the_table_are_refused(finding_run, change):
    edited(finding_run, change)
    with pytest.raises(ValueError, match="must be computed from the tables beside it"):
        read_any_results(finding_run, name="findings")
