import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.layouts.facts import ImageRow
from cxr_models.records.manifest import COLUMNS, FURTHER_COLUMNS
from cxr_models.records.recording import record_rows


def recorded(rows, columns=(), **choices):
    return record_rows(rows, Choices(**choices), columns=columns)


@pytest.mark.parametrize("name", [*COLUMNS, *FURTHER_COLUMNS, "finding:Mass", ""])
def test_columns_that_mean_something_in_a_manifest_cannot_be_kept(name):
    row = ImageRow(file="a.png", label="a", kept=((name, "x"),))
    with pytest.raises(ValueError, match=f"`--keep` must name columns that mean .* got '{name}'"):
        recorded([row], {name}, keep=(name,))


@pytest.mark.parametrize("name", ["ward", "Hash", "finding:"])
def test_columns_that_mean_nothing_in_a_manifest_are_kept(name):
    row = ImageRow(file="a.png", label="a", kept=((name, "x"),))
    assert recorded([row], {name}, keep=(name,)).records[0].kept == ((name, "x"),)


FINDINGS = ((("Edema", "1"), ("Mass", "0")), (("Edema", "0"), ("Mass", "1")))
TWO = [
    ImageRow(file="a.png", findings=FINDINGS[0], group="g1", sex="F", kept=(("ward", "n"),)),
    ImageRow(file="b.png", findings=FINDINGS[1], group="g2", kept=(("ward", "m"),)),
]


@pytest.mark.parametrize(
    ("column", "value"),
    [("label", "Edema"), ("group", "g1"), ("sex", "F"), ("finding:Edema", "1"), ("ward", "n")],
)
def test_images_are_chosen_by_any_column_that_has_values(column, value):
    chosen = recorded(TWO, {"ward"}, where={column: {value}})
    assert [(r.file, r.label, r.group) for r in chosen.records] == [("a.png", "Edema", "g1")]
    assert [file for file, _ in chosen.left_out] == ["b.png"]


@pytest.mark.parametrize("column", ["view", "patient", "finding:Hernia", "room", "hash"])
def test_a_condition_about_a_column_without_values_is_refused_with_the_others(column):
    message = (
        f"`--where` must name columns of the set that have values; got '{column}'. Columns with "
        "values: file, finding:Edema, finding:Mass, group, label, sex, ward."
    )
    with pytest.raises(ValueError, match=message):
        recorded(TWO, {"ward"}, where={column: {"x"}})


@pytest.mark.parametrize("column", ["view", "patient"])
def test_images_without_a_value_can_be_asked_for(column):
    assert len(recorded(TWO, where={column: {""}}).records) == 2


def test_values_that_headers_may_have_can_be_asked_for():
    row = ImageRow(file="a.dcm", label="a")
    assert len(recorded([row], where={"sex": {"F"}}).records) == 1
    with pytest.raises(
        ValueError, match=r"got 'group'\. Columns with values: age, date, file, label, man"
    ):
        recorded([row], where={"group": {"g1"}})


def test_a_rule_for_uncertain_findings_is_refused_where_every_label_is_stated():
    row = ImageRow(file="a.png", label="a", findings=(("Edema", "u"),))
    message = "`--uncertain` is only allowed if labels .* got 'one' for a set that states each"
    with pytest.raises(ValueError, match=message):
        recorded([row], uncertain="one")
    assert recorded([row], uncertain="one", priority=("Edema",)).records[0].label == "Edema"
    unlabelled = row._replace(label="")
    assert recorded([row, unlabelled], uncertain="one").records[1].label == "Edema"
    assert not recorded([unlabelled._replace(view="L")], uncertain="one").records


def test_no_choice_is_refused_if_no_image_is_there():
    rows = [ImageRow(file="", label="a")]
    assert recorded(rows, {"ward"}, where={"ward": {"n"}}, keep=("ward",)).absent == 1
