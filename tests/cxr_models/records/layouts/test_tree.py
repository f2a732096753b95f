import pytest

from cxr_models.records.layouts.tree import Tree


def tree(tmp_path, *names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a,b\n1,2\n")
    return Tree(tmp_path)


def test_images_are_found_by_name_wherever_they_lie_the_topmost_first(tmp_path):
    made = tree(tmp_path, "b/c/1.png", "a/1.png", "x/IMG.2.840.dcm", "x/3.dcm.png")
    assert made.by_name("1.PNG") == "a/1.png"
    assert made.by_stem("img.2.840") == "x/IMG.2.840.dcm"
    assert made.by_stem("3") == "x/3.dcm.png"
    assert made.by_name("4.png") == made.by_stem("4") == ""


def test_images_are_found_from_a_table_though_their_first_folders_were_renamed(tmp_path):
    made = tree(tmp_path, "copy/train.csv", "copy/train/p1/view1.png", "train/p1/view1.png")
    table = made.table(r"train\.csv")
    assert (
        made.by_path_in_table(table, "Release-1.0/train/p1/view1.png") == "copy/train/p1/view1.png"
    )
    assert made.by_path_in_table(table, "Release-1.0/train/p2/view1.png") == ""


def test_the_topmost_table_is_taken_and_a_missing_one_named(tmp_path):
    made = tree(tmp_path, "deep/er/t.csv", "deep/t.csv", "1.png")
    assert made.table(r"t\.csv(\.gz)?").name == "deep/t.csv"
    assert made.columns == {"a", "b"}
    with pytest.raises(FileNotFoundError, match=r"`SOURCE` must hold Data_2017\.csv for this layo"):
        made.table(r"Data_2017(_v2)?\.csv(\.gz)?")


def test_a_tree_is_a_folder(tmp_path):
    with pytest.raises(NotADirectoryError, match="`SOURCE` must be a folder"):
        Tree(tmp_path / "none")
