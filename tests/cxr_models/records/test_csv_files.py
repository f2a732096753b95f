import pytest

from cxr_models.records.csv_files import delimiter_of, read_rows, write_rows

ROWS = [{"file": "a.png", "label": "covid, or not"}, {"file": "b.png", "label": ""}]


@pytest.mark.parametrize(
    "text",
    [
        'file,label\na.png,"covid, or not"\nb.png,\n',
        "file;label\na.png;covid, or not\nb.png;\n",
        "file\tlabel\r\na.png\tcovid, or not\r\nb.png\t\r\n",
        "\ufefffile;label\na.png;covid, or not\nb.png;\n",
        "# a comment, with a comma\nfile;label\na.png;covid, or not\nb.png;\n",
        "sep=;\nfile;label\na.png;covid, or not\nb.png;\n",
        '\ufeffsep=\t\r\n"file"\t"label"\r\n"a.png"\t"covid, or not"\r\nb.png\t\r\n',
    ],
    ids=["commas", "semicolons", "tabs", "mark", "comment", "sep", "all"],
)
def test_cells_are_separated_as_the_header_shows(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode())
    assert read_rows(path) == ROWS


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("file,label", ","),
        ("file", ","),
        ("", ","),
        ('file;label;"prob:a, b"', ";"),
        ("file,label;with,semicolons", ","),
        ("file\tlabel", "\t"),
    ],
)
def test_the_commonest_separator_outside_of_quotation_marks_is_taken(header, delimiter):
    assert delimiter_of(header) == delimiter


def test_what_is_written_is_read_again(tmp_path):
    rows = [{"a;b": "=1+1;2", "c": "x\ty"}]
    write_rows(tmp_path / "rows.csv", ["a;b", "c"], rows, comment="made; by a test")
    assert read_rows(tmp_path / "rows.csv") == rows


@pytest.mark.parametrize("cell", ["a\rb", "a\nb", "a\r\nb", "a\r", "a\r\n"])
def test_line_breaks_of_any_kind_stay_in_their_cell(tmp_path, cell):
    rows = [{"a": cell, "b": "1"}, {"a": "2", "b": cell}]
    write_rows(tmp_path / "rows.csv", ["a", "b"], rows)
    assert read_rows(tmp_path / "rows.csv") == rows
    assert (tmp_path / "rows.csv").read_bytes().startswith(b"a,b\n")
