import re

import numpy as np
import pytest

from cxr_models.evaluation.group_columns import GroupColumn, check_columns, parse_columns
from cxr_models.records.manifest import Record


def records_of(column, values):
    """Make a record of each value of a column; unknown columns are kept ones."""
    known = column in Record.__dataclass_fields__
    return [
        Record(
            file=f"{number}.png",
            label="covid",
            **({column: value} if known else {"kept": ((column, value),)}),
        )
        for number, value in enumerate(values)
    ]


def groups_of(text, values):
    (column,) = parse_columns(text)
    names, places = column.groups(records_of(column.name, values))
    return names, [names[place] for place in places]


def test_ages_of_every_spelling_fall_into_bands_of_years():
    ages = ["034Y", "34", "6M", "010D", "017Y", "18", "39.9", "040Y", "59", "60yrs", "85 or more"]
    names, groups = groups_of("age", [*ages, "", "adult", "412"])
    young = ["18-39", "18-39", "0-17", "0-17", "0-17", "18-39", "18-39"]
    assert groups == [*young, "40-59", "40-59", "60-79", "80+", *["not stated"] * 3]
    assert names == ("0-17", "18-39", "40-59", "60-79", "80+", "not stated")


def test_months_weeks_and_days_are_parts_of_years():
    ages = ["24M", "216M", "104W", "936W", "999D", "500W"]
    assert groups_of("age:2:18", ages)[1] == ["2-17", "18+", "2-17", "18+", "2-17", "2-17"]


def test_other_columns_have_a_group_for_each_value_and_the_unstated_come_last():
    assert groups_of("scanner", ["b", "", " a ", "b"]) == (
        ("a", "b", "not stated"),
        ["b", "not stated", "a", "b"],
    )
    assert groups_of("manufacturer", ["x", "x"]) == (("x",), ["x", "x"])
    assert groups_of("sex", ["female", "F", "m", "?"])[1] == ["F", "F", "M", "?"]


def test_numbers_fall_into_bands_whose_lower_edge_is_their_own():
    names, groups = groups_of("dose:10:50.5", ["9.99", "10", "50", "50.5", "1e3", "-1", "", "nan"])
    assert names == ("below 10", "10 to below 50.5", "50.5 and above", "not stated")
    assert groups == [names[0], names[1], names[1], names[2], names[2], names[0], *names[3:] * 2]


def test_bands_of_close_edges_have_different_names():
    names, groups = groups_of("id:1000001:1000002:1000003", ["1000000", "1000001.5", "1000002"])
    assert list(names) == groups
    assert names == ("below 1000001", "1000001 to below 1000002", "1000002 to below 1000003")
    assert groups_of("dose:0.12345678:0.12345679", ["0", "0.123456785", "1"])[0] == (
        "below 0.12345678",
        "0.12345678 to below 0.12345679",
        "0.12345679 and above",
    )


def test_the_cure_for_too_many_large_numbers_names_an_edge_between_them():
    values = [str(1_000_001 + number) for number in range(100)]
    with pytest.raises(ValueError, match="--by id:1000051") as refused:
        check_columns(parse_columns("id"), [records_of("id", values)])
    (cure,) = re.findall(r"--by (id:\d+)", str(refused.value))
    assert len(groups_of(cure, values)[0]) == 2


def test_a_column_of_too_many_numbers_is_refused_and_the_cure_bands_it():
    doses = [f"{number / 7:.3f}" for number in range(100)]
    (column,) = parse_columns("dose")
    with pytest.raises(ValueError, match=r"at most 20 values; got dose, which has 100") as told:
        check_columns([column], [records_of("dose", doses)])
    (cure,) = re.findall(r"--by (dose:[\d.]+[\d])", str(told.value))
    assert {groups_of(cure, doses)[1].count(name) for name in groups_of(cure, doses)[0]} == {50}
    with pytest.raises(
        ValueError, match=r"got room, which has 21, .*Name a column of fewer values"
    ):
        check_columns(parse_columns("room"), [records_of("room", map("room {}".format, range(21)))])
    check_columns(parse_columns("room"), [records_of("room", map("room {}".format, range(20)))])


def test_a_column_that_no_image_states_is_refused_with_those_there_are():
    records = [
        Record(file="a.png", label="covid", sex="F", findings=(("Edema", "1"),), patient="p"),
        Record(file="b.png", label="covid", kept=(("scanner", "x"), ("empty", " "))),
    ]
    with pytest.raises(ValueError, match=r"got age\. There are finding:Edema, label, scanner, sex"):
        check_columns(parse_columns("sex,age"), [records])
    with pytest.raises(ValueError, match=r"got empty\. There are .*sex\. Try that\."):
        check_columns(parse_columns("empty"), [records], cure="Try that.")
    check_columns(parse_columns("finding:Edema,scanner,sex"), [records, []])


@pytest.mark.parametrize(
    ("text", "values", "sentence"),
    [
        ("sex:1", ["F", "M"], "a column of numbers, to have edges; got sex:1, whose values are non"
                              "e, such as 'F'. Leave its edges out: every value is a group then."),
        ("age", ["adult", "n/a"], "a column of ages, such as 34, 034Y or 6M; got age, whose values"
                                  " are none, such as 'adult'."),
    ],
)  # fmt: skip
def test_bands_of_what_is_no_number_are_refused(text, values, sentence):
    column = parse_columns(text)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        check_columns(column, [records_of(column[0].name, values)])
    check_columns(column, [records_of(column[0].name, [*values, "7"])])


def test_columns_are_read_from_a_list():
    assert parse_columns(None) == ()
    assert parse_columns("sex, dose:1:2.5,finding:Edema") == (
        GroupColumn(name="sex"),
        GroupColumn(name="dose", edges=(1.0, 2.5)),
        GroupColumn(name="finding:Edema"),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "`--by` must name columns; got ''"),
        (" , ", "`--by` must name columns; got"),
        (":3", "`--by` must name columns; got an empty name"),
        ("age:40:18", "edges of bands as rising numbers; got age:40:18"),
        ("age:18:18", "edges of bands as rising numbers; got age:18:18"),
        ("sex,age,sex:1", "must name different columns; got sex twice"),
    ],
)
def test_wrong_lists_of_columns_are_refused(text, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_columns(text)


def test_every_image_has_the_place_of_its_group():
    names, places = GroupColumn(name="sex").groups(records_of("sex", ["M", "", "F", "F"]))
    assert names == ("F", "M", "not stated")
    np.testing.assert_array_equal(places, [1, 2, 0, 0])
