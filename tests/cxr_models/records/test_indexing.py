import pytest

from cxr_models.records.indexing import list_images


def table(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_columns_of_a_manifest_are_read_from_every_csv(tmp_path):
    csvs = [
        table(tmp_path / "a.csv", "file,id", "1.png,i1", "2.png,i2"),
        table(
            tmp_path / "b.csv", "id,label,patient,group,split", "i2,b,p2,g,test", "i1,a,p1,g,train"
        ),
        table(tmp_path / "c.csv", "id,sex,finding:Mass", "i1,F,1", "i2,M,0"),
    ]
    records = list_images(tmp_path, csvs=csvs).image_index.records
    assert [(r.file, r.label, r.patient, r.group, r.split, r.sex) for r in records] == [
        ("1.png", "a", "p1", "g", "train", "F"),
        ("2.png", "b", "p2", "g", "test", "M"),
    ]
    assert [record.finding("Mass") for record in records] == ["1", "0"]


def test_csvs_without_a_label_are_named_with_their_columns(tmp_path):
    csvs = [
        table(tmp_path / "a.csv", "file,id", "1.png,i1"),
        table(tmp_path / "b.csv", "id,dx", "i1,a"),
    ]
    with pytest.raises(ValueError, match=r"got '.*a\.csv', which has file, id; '.*b\.csv', which"):
        list_images(tmp_path, csvs=csvs)
