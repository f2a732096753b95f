import pytest

from cxr_models.records.choices import Choices
from cxr_models.records.csv_rows import rows_of_csvs
from cxr_models.records.layouts import Layout


def rows(folder, tables, columns, **choices):
    for name, text in tables.items():
        (folder / name).write_text(text)
    csvs = [folder / name for name in tables]
    return rows_of_csvs(csvs[0].parent, csvs, Layout(columns=columns), Choices(**choices))


@pytest.mark.parametrize(
    ("rule", "column"),
    [("dx", "dx"), ("{dx:.1}/{id}", "dx"), ("{dx[0]}", "dx"), ("covid|virus", "virus")],
)
def test_rows_that_are_joined_must_agree_in_the_columns_that_a_rule_names(tmp_path, rule, column):
    tables = {
        "a.csv": "file,id\n1.png,1\n",
        "b.csv": "id,dx,covid,virus,note\n1,x,0,1,n\n1,x,0,1,m\n",
    }
    assert len(rows(tmp_path, tables, {"file": "file", "label": rule}).rows) == 1
    tables["b.csv"] = "id,dx,covid,virus,note\n1,x,0,1,n\n1,y,0,0,n\n"
    with pytest.raises(ValueError, match=f"lines 2 and 3 have id '1', and {column} "):
        rows(tmp_path, tables, {"file": "file", "label": rule})


@pytest.mark.parametrize("choice", ["keep", "where"])
def test_rows_that_are_joined_must_agree_in_columns_that_are_asked_for(tmp_path, choice):
    tables = {"a.csv": "file,id\n1.png,1\n", "b.csv": "id,dx,ward\n1,x,n\n1,x,m\n"}
    choices = {"keep": ("ward",)} if choice == "keep" else {"where": {"ward": frozenset("nm")}}
    columns = {"file": "file", "label": "dx"}
    assert len(rows(tmp_path, tables, columns).rows) == 1
    with pytest.raises(ValueError, match="and ward 'n' and 'm'"):
        rows(tmp_path, tables, columns, **choices)


@pytest.mark.parametrize("name", ["sex", "group", "finding:Mass"])
def test_a_condition_about_a_column_that_is_not_read_is_refused_with_the_cure(tmp_path, name):
    tables = {"a.csv": f"path,dx,{name}\n1.png,x,1\n2.png,y,0\n"}
    columns, where = {"file": "path", "label": "dx"}, {name: frozenset("1")}
    message = f"`--where {name}` is only allowed .* Add {name}={name} to --columns"
    with pytest.raises(ValueError, match=message):
        rows(tmp_path, tables, columns, where=where)
    assert len(rows(tmp_path, tables, {**columns, name: name}, where=where).rows) == 2


@pytest.mark.parametrize("name", ["A|B", "{A}", "=A", "{", "A"])
def test_a_column_is_read_by_its_name_whatever_the_name_would_mean_otherwise(tmp_path, name):
    tables = {"a.csv": f"file,label,{name}\n1.png,x,1\n"}
    columns = {"file": "file", "label": "label", "finding:F": name}
    assert rows(tmp_path, tables, columns).rows[0].findings == (("F", "1"),)


def test_a_wrong_cell_of_a_finding_is_named_with_its_column_line_and_file(tmp_path):
    tables = {
        "a.csv": "file,id,mass\n1.png,1,1\n2.png,2,1\n",
        "b.csv": "id,effusion\n2,perhaps\n1,0\n",
    }
    columns = {"file": "file", "label": "=x", "finding:Mass": "mass", "finding:E": "effusion"}
    message = r"got 'perhaps'\. Column 'effusion', line 2 of '.*b\.csv'"
    with pytest.raises(ValueError, match=message):
        rows(tmp_path, tables, columns)
    tables["a.csv"] = tables["a.csv"].replace("1.png,1,1", "1.png,1,?")
    with pytest.raises(ValueError, match=r"got '\?'\. Column 'mass', line 2 of '.*a\.csv'"):
        rows(tmp_path, tables, columns)
    empty = {"a.csv": "file,one,two\n1.png,,?\n2.png,,1\n"}
    of_both = {"file": "file", "label": "=x", "finding:Mass": "{one}{two}"}
    with pytest.raises(ValueError, match=r"got '\?'\. Column 'one', line 2 of '.*a\.csv'"):
        rows(tmp_path, empty, of_both)
    with pytest.raises(ValueError, match=r"got 'yess'\.$"):
        rows(tmp_path, tables, {**columns, "finding:Mass": "=yess"})
