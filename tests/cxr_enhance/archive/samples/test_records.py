"""The table of a run's samples: each file once, with all columns as they stand."""

from __future__ import annotations

import os

import pytest

from cxr_enhance.archive.samples.records import read_records


def read(tmp_path, text, *arguments, name="records.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_records(str(path), *arguments)


def test_files_start_from_the_tables_folder_and_columns_stay_as_they_stand(tmp_path):
    records = read(tmp_path, "label,file,note\ncovid,p1/a.png, 'x' \nnormal,/abs/b.png,\n")
    assert records.files == [os.path.join(tmp_path, "p1/a.png"), "/abs/b.png"]
    assert records.columns == ("label", "file", "note")
    assert records.of(f"{tmp_path}/p2/../p1/a.png") == {
        "label": "covid", "file": "p1/a.png", "note": " 'x' ",
    }  # fmt: skip
    with pytest.raises(KeyError):
        records.of("other.png")


def test_another_folder_and_another_column_may_be_named(tmp_path):
    records = read(tmp_path, "Image Index,file\na.png,1\n", "Image Index", "images")
    assert records.files == ["images/a.png"]
    assert records.file_column == "Image Index"


def test_an_only_column_names_the_files(tmp_path):
    assert read(tmp_path, "Image\na.png\n").files == [os.path.join(tmp_path, "a.png")]


def test_the_manifests_and_splits_of_cxr_models_are_read(tmp_path):
    records = read(tmp_path, "# cxr-models split {}\nfile,label\n'@eaDir/a.png,'=x\n\n")
    assert records.files == [os.path.join(tmp_path, "@eaDir/a.png")]
    assert records.of(records.files[0]) == {"file": "'@eaDir/a.png", "label": "'=x"}


def test_semicolons_tabs_and_byte_order_marks_are_read(tmp_path):
    assert read(tmp_path, "\ufefffile;label\na.png;1,5\n").of(f"{tmp_path}/a.png")["label"] == "1,5"
    assert read(tmp_path, "file\tlabel\nb.png\tx\n", name="t.tsv").files[0].endswith("b.png")


@pytest.mark.parametrize(
    ("text", "arguments", "sentence"),
    [
        ("a,b\n1,2\n", (), r"`--column` must name the column of .* that holds the files; it has a"),
        ("a,b\n1,2\n", ("c",), r"`--column` must be one of a, b; got 'c'\. Table: "),
        ("", (), r"a table whose first row names its columns; got .*, where it is empty\."),
        ("\nfile,a\nx.png,1\n", (), r"whose first row names its columns.* where it is empty\."),
        ("records.csv\nx.png\n", (), r"got .*, where it is the file 'records.csv'\. Write a row "),
        ("file,a\nx.png\n", (), r"have a cell for each column, 2, without NUL; got 1 in line 2"),
        ("file,a\nx.png,1,2\n", (), r"`--records` must name a list whose rows have no more"),
        ("file,a\nx.png,\0\n", (), r"without NUL; got 2 in line 2"),
        ("file,a\n,1\n", (), r"must name a file in each row; got none in line 2"),
        ("file\na.png\n./a.png\n", (), r"name each file once; got './a.png' again in line 3"),
        ("file,file\na,b\n", (), r"whose columns have a name each; got 'file', 'file'"),
        ("file,\na,b\n", (), r"whose columns have a name each; got 'file', ''"),
        ("file,image,key\na,b,c\n", (), r"without columns called format, image, key.* got image"),
        ("file,a\n", (), r"a table of at least one file"),
        ('file,a\n"x.png,1\n', (), r"quotation marks come in pairs"),
    ],
)
def test_what_is_no_table_of_files_is_refused_in_a_sentence(tmp_path, text, arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path, text, *arguments)
