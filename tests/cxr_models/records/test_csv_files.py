import csv
import gzip

import pytest

from cxr_models.records.csv_files import (
    cells_of,
    delimiter_of,
    header_of,
    numbered_cells_of,
    write_rows,
)
from cxr_models.records.manifest import Record
from cxr_models.records.splits import read_split, write_split

ROWS = [{"file": "a.png", "label": "covid, or not"}, {"file": "b.png", "label": ""}]


def read_rows(path):
    """Return the rows of a CSV, each as the cells by the name of their column."""
    header, *rows = list(cells_of(path)) or [[]]
    return [dict(zip(header, row, strict=True)) for row in rows]


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


@pytest.mark.parametrize(
    "text",
    [
        "\nfile,label\na.png,\n",
        "\r\n \r\nfile,label\r\na.png,\r\n",
        ",\nfile,label\na.png,\n",
        "# a comment\n\n# another\nfile,label\na.png,\n",
        "\ufeff\nsep=;\n\nfile;label\na.png;\n",
        '"",""\nfile,label\na.png,\n',
    ],
    ids=["empty", "blanks", "delimiters", "comments", "sep", "quotation marks"],
)
def test_lines_without_a_name_before_the_header_are_skipped(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode())
    assert read_rows(path) == [{"file": "a.png", "label": ""}]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            b"PK\x03\x04\x14\x00\xff",
            "a CSV; got a workbook of Excel .* as CSV in UTF-8",
        ),
        (gzip.compress(b"file,label\n"), "a CSV; got a file that is packed with gzip. Unpack it"),
        ("file,label\na.png,é\n".encode("latin-1"), "UTF-8; got .* Save it as UTF-8"),
        ("file,label\n".encode("utf-16"), "UTF-8; got .* Save it as UTF-8"),
    ],
    ids=["workbook", "gzip", "latin-1", "utf-16"],
)
def test_what_is_no_csv_in_utf_8_is_named_with_its_cure(tmp_path, data, sentence):
    (tmp_path / "rows.csv").write_bytes(data)
    with pytest.raises(ValueError, match=rf"`rows\.csv` must be {sentence}\.$"):
        list(cells_of(tmp_path / "rows.csv"))


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n"])
def test_a_file_without_a_header_has_no_columns_and_no_rows(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    assert header_of(path) == []
    assert read_rows(path) == []


def test_rows_are_numbered_by_the_lines_on_which_they_begin(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('# a comment\n\nfile,"of\ntwo lines"\na,"1\n2\n3"\n\nb,4\n')
    assert list(numbered_cells_of(path)) == [
        (3, ["file", "of\ntwo lines"]),
        (5, ["a", "1\n2\n3"]),
        (9, ["b", "4"]),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_split_that_a_spreadsheet_saved_again_is_refused_until_its_first_line_is_deleted(
    tmp_path, delimiter
):
    path, saved = tmp_path / "split.csv", tmp_path / "saved.csv"
    records = [Record(file=f"{n}.png", label="a", split="train") for n in range(3)]
    write_split(path, records, {"seed": 0, "fractions": [0.7, 0.15, 0.15]})
    with path.open(newline="") as old, saved.open("w", newline="") as new:
        csv.writer(new, delimiter=delimiter).writerows(csv.reader(old))
    with pytest.raises(ValueError, match=r"`saved\.csv` must begin .* or delete that line"):
        read_split(saved)
    _, _, rest = saved.read_text().partition("\n")
    saved.write_text(rest)
    assert [(r.file, r.split) for r in read_split(saved).manifest.records] == [
        ("0.png", "train"), ("1.png", "train"), ("2.png", "train"),
    ]  # fmt: skip
