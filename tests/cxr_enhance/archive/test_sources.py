"""Lists of files as people's tools write them: marks, quotes, line ends, encodings."""

from __future__ import annotations

import io
import os
import sys

import pytest

from cxr_enhance.archive.sources import read_list

NAMES = ["a/ä 1.png", "b/2.png"]


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """Give a function that reads a list of such content, from a file or from standard input."""

    def call(content, name="list.txt", column=None):
        if name == "-":
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
            found = read_list("-", column)
            assert sys.stdin.read() == ""  # it is still open
            return found
        (tmp_path / name).write_bytes(content)
        return read_list(str(tmp_path / name), column)

    return call


@pytest.mark.parametrize("name", ["list.txt", "-"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_and_line_ends_are_no_part_of_names(listed, name, end, encoding):
    content = end.join([*NAMES, ""]).encode(encoding)
    assert listed(content, name) == NAMES
    assert listed(content.removesuffix(end.encode()), name) == NAMES


@pytest.mark.parametrize("name", ["list.csv", "-"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csvs_quotes_and_marks_are_no_part_of_names(listed, name, end, encoding):
    rows = ['"path","report"', '"a/ä 1.png","two', 'lines, ""one"" cell"', "b/2.png,", ",none", ""]
    assert listed(end.join(rows).encode(encoding), name, "path") == NAMES


def test_lists_put_one_after_another_keep_no_mark(listed):
    one = "a.png\n".encode("utf-8-sig")
    assert listed(one + one, "-") == ["a.png", "a.png"]


def test_a_list_that_is_no_utf8_keeps_its_bytes(listed):
    for name in ("list.txt", "-"):
        assert [os.fsencode(path) for path in listed(b"\xe4.png\n", name)] == [b"\xe4.png"]


def test_closed_standard_input_is_an_empty_list(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match=r"list of at least one file; got '-', empty"):
        read_list("-")


@pytest.mark.parametrize("count", [1, 10, 5000])  # the last one is beyond csv's longest value
def test_a_stray_quotation_mark_is_refused_with_its_line(listed, count):
    rows = [f"files/p10/s50414267/{index:08d}.dcm" for index in range(count)]
    content = "\n".join(["path", "files/0.dcm", f'"{rows[0]}', *rows[1:], ""]).encode()
    with pytest.raises(ValueError, match=r"the row from line 3 of .* on cannot be read: .* stray"):
        listed(content, "list.csv")


@pytest.mark.parametrize(
    "rows",
    [
        ['"a.dcm', 'b.dcm"'],
        ['"a.dcm', '"b.dcm', "c.dcm"],
        ['"a".dcm', "b.dcm"],
        ['"a.dcm', "b.dcm", '"c.dcm"'],
    ],
)
def test_quotation_marks_that_swallow_rows_are_refused(listed, rows):
    with pytest.raises(ValueError, match=r"row from line 2 of .*Look for a stray quotation mark"):
        listed("\n".join(["path", *rows, ""]).encode(), "list.csv")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_name_of_two_lines_is_read_where_there_is_such_a_file(listed, tmp_path):
    path = tmp_path / "two\nlines.png"
    path.touch()
    assert listed(f'path\n"{path}"\n'.encode(), "list.csv") == [str(path)]


def test_a_separator_within_a_name_is_refused_rather_than_cut(listed):
    with pytest.raises(ValueError, match=r"no more columns than its header, 1; got 2 in line 3"):
        listed(b"path\na.png\nb,c.png\n", "list.csv")
    assert listed(b'path\n"b,c.png"\na.png,,\n', "list.csv") == ["b,c.png", "a.png"]


def test_utf16_cut_short_is_a_sentence(listed):
    with pytest.raises(ValueError, match=r"in UTF-8; got .* begins as UTF-16 and is cut short"):
        listed("a.png\n".encode("utf-16")[:-1])


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "-"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_separated_as_the_header_is(listed, name, separator):
    rows = ["id{}path", '1{}"a{}1.png"', "2{}b/2.png"]
    content = "\n".join(rows).replace("{}", separator).encode()
    assert listed(content, name, "path") == [f"a{separator}1.png", "b/2.png"]
    if name != "-":  # which without a column is a name a line
        with pytest.raises(ValueError, match=r"must name the column of .* it has id, path"):
            listed(content, name)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_names_the_separator_is_no_header(listed, separator, end):
    rows = [f"sep={separator}", f"id{separator}path", f"1{separator}a.png"]
    assert listed(end.join(rows).encode("utf-8-sig"), "list.csv", "path") == ["a.png"]
    rows.append(f'2{separator}"b.png')
    with pytest.raises(ValueError, match="the row from line 4 of"):
        listed(end.join(rows).encode(), "list.csv", "path")


def test_a_separator_in_names_alone_separates_no_columns(listed):
    assert listed(b"path\na;1.png\nb\t2.png\n", "list.csv") == ["a;1.png", "b\t2.png"]
    assert listed(b"path;1\na;1.png\n", "list.csv", "path;1") == ["a;1.png"]
    with pytest.raises(ValueError, match=r"its header, 2; got 3 in line 2 .*hold ';'\."):
        listed(b"id;path\n1;a;1.png\n", "list.csv", "path")


def test_a_file_where_the_header_should_be_is_not_lost(listed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match=r"`--from` must .* it is the file 'a.png'. Write a row "):
        listed(b"a.png\nb.png\n", "list.csv")
    assert listed(b"file\na.png\nb.png\n", "list.csv") == ["a.png", "b.png"]


def test_no_name_is_no_list():
    with pytest.raises(ValueError, match=r"^`--from` must name a file; got ''\.$"):
        read_list("")
