import pytest

from cxr_models.records.joined_tables import join_tables


def write(folder, **tables):
    """Write tables, given as lines of cells, and return their paths in the same order."""
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(text.split()) + "\n")
    return [folder / f"{name}.csv" for name in tables]


def cells(joined, *columns):
    return [tuple(row.cells[column] for column in columns) for row in joined.rows]


def test_rows_of_other_tables_are_joined_by_their_keys(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,1 2.png,2", b="id,case 2,x 1,y", c="dx,case s,y t,x")
    joined = join_tables(tables)
    assert cells(joined, "file", "case", "dx") == [("1.png", "y", "s"), ("2.png", "x", "t")]
    assert [row.lines for row in joined.rows] == [(2, 3, 2), (3, 2, 3)]
    assert joined.columns() == ["file", "id", "case", "dx"]
    assert joined.place(joined.rows[0], "case") == f"line 3 of {str(tables[1])!r}"
    assert not joined.remarks


def test_blanks_around_keys_make_no_difference(tmp_path):
    (tmp_path / "a.csv").write_text("file,id\n1.png,1 \n2.png, 2\n")
    (tmp_path / "b.csv").write_text("id,dx\n 1,x\n2,y\n")
    joined = join_tables([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert cells(joined, "id", "dx") == [("1 ", "x"), (" 2", "y")]


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_row_numbers_of_pandas_are_no_keys(tmp_path, name):
    tables = write(tmp_path, a="file,id 0,1.png,1 1,2.png,2", b="id,dx 0,2,x 1,1,y")
    for path in tables:
        path.write_text(f"{name},{path.read_text()}")
    assert cells(join_tables(tables), "file", "dx") == [("1.png", "y"), ("2.png", "x")]


def test_rows_with_one_key_may_differ_in_row_numbers_of_pandas(tmp_path):
    tables = write(tmp_path, a="file,id 0,1.png,1", b="id,case 0,1,c 1,1,c", c="case,dx 0,c,x")
    for path in tables:
        path.write_text(f",{path.read_text()}")
    assert cells(join_tables(tables), "file", "dx") == [("1.png", "x")]


def test_a_table_with_nothing_but_row_numbers_in_common_is_refused(tmp_path):
    tables = write(tmp_path, a="file,id 0,1.png,1", b="pid,dx 0,1,x")
    for path in tables:
        path.write_text(f",{path.read_text()}")
    with pytest.raises(ValueError, match=r"share at least one named column .* got '.*b\.csv'"):
        join_tables(tables)


def test_rows_with_one_key_that_differ_are_named_with_their_lines(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,1 2.png,2", b="id,dx,note 2,x,n 1,x,n 2,y,n")
    message = r"for each id, .* lines 2 and 4 have id '2', and dx 'x' and 'y'\. Leave one"
    with pytest.raises(ValueError, match=message):
        join_tables(tables)


def test_rows_with_one_key_may_differ_in_what_is_not_used(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,1 2.png,2", b="id,dx,note 2,x,n 1,x,n 2,x,m")
    assert cells(join_tables(tables, {"dx"}), "file", "dx") == [("1.png", "x"), ("2.png", "x")]


def test_rows_with_one_key_may_differ_if_no_row_of_the_first_table_has_it(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,1 2.png,2", b="id,dx 3,x 1,x 3,y 2,y")
    assert cells(join_tables(tables), "dx") == [("x",), ("y",)]


def test_rows_with_one_key_must_agree_in_the_keys_of_later_tables(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,1", b="id,case 1,c 1,d", c="case,dx c,x d,y")
    with pytest.raises(ValueError, match="lines 2 and 3 have id '1', and case 'c' and 'd'"):
        join_tables(tables, {"dx"})


def test_rows_without_a_row_in_another_table_are_counted(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,1 2.png,2 3.png,", b="id,dx 2,x ,y ,z")
    joined = join_tables(tables)
    assert cells(joined, "dx") == [("",), ("x",), ("",)]
    assert [row.lines for row in joined.rows] == [(2, 0), (3, 2), (4, 0)]
    assert joined.remarks == [
        "2 of 3 rows of a.csv have no row in b.csv with the same id; its columns are empty for them"
    ]


def test_tables_of_which_no_row_belongs_together_are_refused(tmp_path):
    tables = write(tmp_path, a="file,id,note 1.png,1,n", b="id,note,dx 1,m,x")
    with pytest.raises(
        ValueError, match=r"where no row has the id and note of a row of '.*a\.csv'"
    ):
        join_tables(tables)
