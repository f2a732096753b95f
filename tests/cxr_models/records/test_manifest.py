import pytest

from cxr_models import Record, read_manifest, write_manifest
from cxr_models.records.manifest import MANIFEST


def test_a_written_manifest_is_read_as_it_was(tmp_path):
    records = [
        Record(file="a, b.png", label="covid", patient='p"1"', view="AP Supine", source="é"),
        Record(file="sub/c.png", label="normal"),
    ]
    write_manifest(tmp_path / "m.csv", records, comment="made by hand")
    manifest = read_manifest(tmp_path / "m.csv")
    assert list(manifest.records) == records
    assert manifest.paths()[1] == str(tmp_path / "sub/c.png")
    assert manifest.class_names() == ("covid", "normal")
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


def test_further_columns_are_written_where_a_record_fills_them(tmp_path):
    records = [Record(file="a", label="x", age="034Y", sex="F"), Record(file="b", label="x")]
    path = tmp_path / "m.csv"
    write_manifest(path, records)
    assert path.read_text().splitlines()[0] == "file,label,patient,group,source,view,split,sex,age"
    assert list(read_manifest(path).records) == records
    write_manifest(path, records[1:])
    assert path.read_text().splitlines()[0] == "file,label,patient,group,source,view,split"


def test_findings_and_other_columns_are_kept(tmp_path):
    found = (("Edema", "1"), ("Nodule/Mass", "u"), ("No Finding", ""))
    records = [
        Record(file="a", label="x", findings=found, kept=(("=ward", "=A"), ("bed", " 7"))),
        Record(file="b", label="x", findings=found[:1], date="2019-03-01"),
    ]
    path = tmp_path / "m.csv"
    write_manifest(path, records, always=("pixels",), files=["sub/a", "sub/b"])
    assert path.read_text().splitlines() == [
        "file,label,patient,group,source,view,split,date,pixels,finding:Edema,finding:Nodule/Mass,"
        "finding:No Finding,'=ward,bed",
        "sub/a,x,,,,,,,,1,u,,'=A, 7",
        "sub/b,x,,,,,,2019-03-01,,1,,,,",
    ]
    assert MANIFEST.recognises(path)
    first, second = read_manifest(path).records
    assert (first.findings, first.kept) == (found, records[0].kept)
    assert (second.finding("Edema"), second.finding("Nodule/Mass")) == ("1", "")
    assert second.kept == (("=ward", ""), ("bed", ""))


def test_a_manifest_is_known_for_one_of_index_by_the_digests_in_it(tmp_path):
    path = tmp_path / "m.csv"
    write_manifest(path, [Record(file="a", label="x", pixels="d1:0")])
    assert MANIFEST.recognises(path)
    for header in ("file,label,patient,group,source,view,split", "file,label,pixels"):
        path.write_text(f"{header}\n")
        assert not MANIFEST.recognises(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "`m.csv` must hold at least one record"),
        ("path,label\na,b\n", "must have the columns file and label; got path, label"),
        ("file,label\na,\n", "`label` must not be empty.*Record 1"),
        ("file,label\na,x\na,y\n", "`file` must differ from record to record; got twice: 'a'"),
        (
            "file,label\nb/a,x\n./b//a,y\n",
            "`file` must differ from record to record; got twice: 'b/a'",
        ),
        ("file,label,view\na,x\n", "as many fields in a row as columns, 3; got 2: 'a,x'"),
        ("file,label\na,x,PA\n", "as many fields in a row as columns, 2; got 3: 'a,x,PA'"),
        ("file,label,label\na,x,y\n", "`m.csv` must name each column once"),
        ("file,label,finding:A\na,x,7\n", "a finding must be 1, 0, -1, u or empty; got '7'"),
        ('file,label\n"a,x\n', "`m.csv` must be a CSV; got unexpected end of data"),
        (f"file,label\n{'a' * 200_000},x\n", "`m.csv` must be a CSV; got field larger"),
        ("file,label\n\xe9,x\n", "`m.csv` must be UTF-8.* Save it as UTF-8"),
    ],
)
def test_says_what_is_wrong_with_a_manifest(tmp_path, text, sentence):
    (tmp_path / "m.csv").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=sentence):
        read_manifest(tmp_path / "m.csv")


def test_blanks_around_texts_are_removed_where_a_record_is_made_and_kept_in_names_of_files(
    tmp_path,
):
    record = Record(
        file=" a/b.png ", label=" x", patient="p 1 ", manufacturer="Philips ", hash="\r"
    )
    assert record == Record(
        file=" a/b.png ", label="x", patient="p 1", manufacturer="Philips", hash=""
    )
    write_manifest(tmp_path / "m.csv", [record])
    assert read_manifest(tmp_path / "m.csv").records == (record,)
    for blank in ("file", "label"):
        with pytest.raises(ValueError, match=f"`{blank}` must not be empty"):
            Record(**{"file": "a", "label": "b", blank: " "})


def test_a_record_is_made_of_text():
    with pytest.raises(TypeError, match="`patient` must be a str; got 7"):
        Record(file="a", label="b", patient=7)


def test_blanks_that_somebody_typed_around_a_file_name_are_no_part_of_it(tmp_path):
    for name in ("a.png", " b.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "m.csv").write_text("file,label\n a.png , covid\n b.png,covid\n c.png,covid\n")
    files = [record.file for record in read_manifest(tmp_path / "m.csv").records]
    assert files == ["a.png", " b.png", " c.png"]


@pytest.mark.parametrize("name", ["always", "files"])
def test_one_str_is_not_several_columns_or_files(tmp_path, name):
    with pytest.raises(TypeError, match=f"`{name}` must be several names; got 'hash'"):
        write_manifest(tmp_path / "m.csv", [Record(file="a.png", label="a")], **{name: "hash"})
    assert not list(tmp_path.iterdir())
