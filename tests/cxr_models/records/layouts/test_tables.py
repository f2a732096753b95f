import gzip
import zipfile

import pytest

from cxr_models.records.layouts.tables import Table
from cxr_models.records.layouts.xlsx import read_xlsx
from tests.cxr_models.records.trees.files import xlsx


def table(tmp_path, data, **options):
    path = tmp_path / options.pop("name", "t.csv")
    path.write_bytes(data)
    return Table(path, path.name, **options)


def test_columns_are_taken_by_name_whatever_is_around_them(tmp_path):
    made = table(tmp_path, b'\xef\xbb\xbfa, b ,,a,\r\n1,2,3,4,5\r\n\r\n6,"x\ny",8,9,0\r\n')
    assert made.header == ["a", "b", "", "a", ""]
    assert list(made.rows("b", "a")) == [("2", "1"), ("x\ny", "6")]


def test_columns_have_other_names_or_are_not_there(tmp_path):
    made = table(tmp_path, b"id,Patient Sex\n1,M\n")
    assert list(made.rows("id", "Patient Gender|Patient Sex", "Age?")) == [("1", "M", "")]
    with pytest.raises(ValueError, match=r"`t\.csv` must have the column Age or Years; got id, P"):
        list(made.rows("Age|Years"))


def test_extra_columns_come_beside_where_they_are_there(tmp_path):
    made = table(tmp_path, b"id,ward,bed\n1,A ,7\n", extra=("ward", "floor"))
    assert list(made.rows_and_extra("id")) == [(("1",), (("ward", "A"),))]
    assert list(table(tmp_path, b"id\n1\n").rows_and_extra("id")) == [(("1",), ())]


def test_a_row_that_ends_early_is_shown(tmp_path):
    with pytest.raises(ValueError, match="must have the cells of a, c in each row; got '4,5'"):
        list(table(tmp_path, b"a,b,c\n1,2,3\n4,5\n").rows("a", "c"))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_tables_are_packed_or_not_with_any_line_ends(tmp_path, name, end):
    data = end.join((b"place;id", b"Malm\xf6;1", "Århus;2".encode(), b""))
    data = gzip.compress(data) if name.endswith("gz") else data
    made = table(tmp_path, data, name=name, delimiter=";")
    assert list(made.rows("id", "place")) == [("1", "Malmö"), ("2", "Århus")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_cells_are_separated_as_the_first_line_shows(tmp_path, delimiter):
    data = f'a{delimiter}"b; c, d"\n1{delimiter}"2; 3, 4"\n'
    assert list(table(tmp_path, data.encode()).rows("a", "b; c, d")) == [("1", "2; 3, 4")]


def test_blanks_around_cells_and_rows_without_a_value_are_left_out(tmp_path):
    made = table(tmp_path, b"a,b\n 1 ,x y\n,\n\n2,\n")
    assert list(made.rows("a", "b")) == [("1", "x y"), ("2", "")]


def test_a_table_without_header_and_one_with_lines_before_it(tmp_path):
    assert list(table(tmp_path, b"x\ny\n", header=["file"]).rows("file")) == [("x",), ("y",)]
    assert list(table(tmp_path, b"made by\na\n1\n", skip=1).rows("a")) == [("1",)]


def test_a_packed_table_that_is_cut_is_none(tmp_path):
    data = gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:-20]
    with pytest.raises(ValueError, match=r"`t\.csv\.gz` must be a table; got "):
        list(table(tmp_path, data, name="t.csv.gz").rows("a"))


def test_workbooks_are_read_by_their_first_sheet(tmp_path):
    path = tmp_path / "t.xlsx"
    xlsx(path, ("FILE NAME", "", "URL"), ("COVID-1", "PNG", "https://a.b/?c&d"), ("", "", "x"))
    assert read_xlsx(path) == [
        ["FILE NAME", "", "URL"],
        ["COVID-1", "PNG", "https://a.b/?c&d"],
        ["", "", "x"],
    ]
    made = Table(path, "t.xlsx")
    assert next(made.rows("URL", "FILE NAME")) == ("https://a.b/?c&d", "COVID-1")
    xlsx(path, ("FILE NAME", "URL"), ("COVID-1", ""), ("COVID-2", "https://a.b"))
    assert next(Table(path, "t.xlsx").rows("URL", "FILE NAME")) == ("", "COVID-1")
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(ValueError, match=r"`t\.xlsx` must be a workbook of Excel"):
        read_xlsx(path)


def test_a_workbook_that_unpacks_to_far_more_than_a_table_is_refused_unread(tmp_path):
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", b" " * ((1 << 25) + 1))
    assert path.stat().st_size < 1 << 16
    with pytest.raises(ValueError, match=r"`t\.xlsx` must be .*; got .* of more than 33554432"):
        read_xlsx(path)
