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
    message = r"share at least one named column, .* got '.*b\.csv', which fills pid, dx\."
    with pytest.raises(ValueError, match=message):
        join_tables(tables)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("file,id,note 1.png,1, 2.png,2,", "id,dx,note 1,x,n 2,y,"),
        ("file,id,note 1.png,1,n 2.png,2,", "id,dx,note 1,x, 2,y,"),
        ("file,id,note 1.png,1, 2.png,2,", "id,dx,note 1,x, 2,y,"),
    ],
    ids=["first", "second", "both"],
)
def test_a_column_that_is_empty_in_one_table_is_no_key(tmp_path, a, b):
    joined = join_tables(write(tmp_path, a=a, b=b))
    assert cells(joined, "file", "dx") == [("1.png", "x"), ("2.png", "y")]
    assert {row.cells["note"] for row in joined.rows} == ({"n", ""} if "n " in a + b else {""})
    assert not joined.remarks


def test_a_column_that_is_empty_in_the_first_table_is_filled_from_a_later_one(tmp_path):
    tables = write(tmp_path, a="file,id,dx 1.png,1, 2.png,2,", b="id,note 2,n", c="id,dx 2,y")
    joined = join_tables(tables)
    assert cells(joined, "dx", "note") == [("", ""), ("y", "n")]
    assert joined.place(joined.rows[1], "dx") == f"line 2 of {str(tables[2])!r}"


def test_tables_that_share_an_empty_column_alone_are_refused(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,", b="id,dx 1,x")
    with pytest.raises(ValueError, match="share at least one named column, which both fill"):
        join_tables(tables)


@pytest.mark.parametrize(
    ("one", "other"),
    [("001", "1"), ("001", "1.0"), ("1", "01"), ("P001", "p001"), ("1.0", "0001.00")],
)
def test_ids_that_differ_in_their_spelling_are_refused_with_their_lines(tmp_path, one, other):
    tables = write(tmp_path, a=f"file,id 1.png,100 2.png,{one}", b=f"id,dx 100,x {other},y")
    message = rf"same id in the same way; got '{one}' in line 3 of '.*a\.csv', and '{other}' in "
    with pytest.raises(ValueError, match=message + r"line 3 of '.*b\.csv'\. Write it alike"):
        join_tables(tables)


def test_two_ids_of_one_table_are_not_joined_though_they_are_equal_numbers(tmp_path):
    tables = write(tmp_path, a="file,id 1.png,1 2.png,001", b="id,dx 1,x")
    joined = join_tables(tables)
    assert cells(joined, "dx") == [("x",), ("",)]
    assert len(joined.remarks) == 1


@pytest.mark.parametrize("other", ["1e2", "1.5", "-1", "P1", "1.0.0"])
def test_zeros_before_what_is_no_whole_number_make_another_id(tmp_path, other):
    tables = write(tmp_path, a=f"file,id 1.png,0{other} 2.png,2", b=f"id,dx {other},x 2,y")
    assert cells(join_tables(tables), "dx") == [("",), ("y",)]


def test_of_rows_with_one_key_those_that_are_asked_for_are_joined(tmp_path):
    b = "id,reader,dx 1,1,x 1,2,y 2,2,y 2,1,z 3,2,x 3,3,y"
    tables = write(tmp_path, a="file,id 1.png,1 2.png,2 3.png,3", b=b)
    joined = join_tables(tables, where={"reader": {"1"}, "elsewhere": {"1"}})
    assert cells(joined, "reader", "dx") == [("1", "x"), ("1", "z"), ("2", "x")]
    with pytest.raises(ValueError, match=r"lines 2 and 3 .* or choose lines with --where"):
        join_tables(tables, where={"reader": {"1", "2"}})


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


def test_a_remark_on_several_columns_names_the_cure_for_columns_shared_by_chance(tmp_path):
    tables = write(tmp_path, a="file,id,note 1.png,1,n 2.png,2,n", b="id,note,dx 1,m,x 2,n,y")
    (remark,) = join_tables(tables).remarks
    assert remark.endswith("the same id and note; its columns are empty for them. Rename columns "
                           "that both have by chance")  # fmt: skip


def test_tables_of_which_no_row_belongs_together_are_refused(tmp_path):
    tables = write(tmp_path, a="file,id,note 1.png,1,n", b="id,note,dx 1,m,x")
    with pytest.raises(
        ValueError, match=r"has the id and note of a row of '.*a\.csv', such as id '1' and note 'n'"
    ):
        join_tables(tables)
