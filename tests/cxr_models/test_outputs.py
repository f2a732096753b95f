"""What a user named is written to only if nothing of anybody's is lost by it."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from cxr_enhance import read_image, write_image
from cxr_models._outputs import check_output, check_separate, replaces_output
from cxr_models.explain.overlay_files import EXPLANATIONS, write_picture
from cxr_models.inference.predict_files import TABLE, Row, write_finding_rows, write_rows
from cxr_models.records.index import SKIPPED
from cxr_models.records.manifest import MANIFEST, Record, write_manifest
from cxr_models.records.splits import SPLIT, write_split
from tests.helpers.permissions import needs_permissions
from tests.helpers.radiographs import draw

RECORD = Record(file="a.png", label="covid", split="train", pixels="d1:0")


def only(folder):
    return sorted(os.listdir(folder))


def test_what_is_new_is_written_and_its_folders_are_made(tmp_path):
    path = tmp_path / "new/m.csv"
    with replaces_output(path, MANIFEST, overwrite=False) as temporary:
        write_manifest(temporary, [RECORD])
    assert only(path.parent) == ["m.csv"]
    with pytest.raises(FileExistsError, match="Replace it with --overwrite"):
        check_output(path, MANIFEST, overwrite=False)
    check_output(path, MANIFEST, overwrite=True)


def test_a_name_that_goes_up_from_no_folder_is_refused_and_makes_none(tmp_path):
    path = tmp_path / "new/../m.csv"
    with (
        pytest.raises(ValueError, match=r"`--out` must go through folders that exist .*new'\.$"),
        replaces_output(path, MANIFEST, overwrite=False),
    ):
        raise AssertionError
    assert only(tmp_path) == []
    (tmp_path / "new").mkdir()
    check_output(path, MANIFEST, overwrite=False)


@pytest.mark.parametrize(
    "name", ["A, b", 'a "b"', "a\nb", "a\r\nb", "\N{GREEK SMALL LETTER ALPHA}"]
)
def test_tables_are_recognised_whatever_their_findings_are_called(tmp_path, name):
    findings = ((name, "1"), ("Mass", "0"))
    write_manifest(tmp_path / "m.csv", [dataclasses.replace(RECORD, findings=findings)])
    check_output(tmp_path / "m.csv", MANIFEST, overwrite=True)
    rows = [Row(file="a\udcff.png", probabilities=(0.25, 0.75), error="")]
    for number, write in enumerate((write_rows, write_finding_rows)):
        path = tmp_path / f"{number}.csv"
        write(path, rows, (name, "Mass"), calibrated=False)
        write(path, rows, (name, "Mass"), calibrated=False, overwrite=True)


@pytest.mark.parametrize("content", [b"a" * 200_000 + b"\n", b'"' + b"a\n" * 200_000, b"a\rb\n"])
def test_a_file_that_is_no_table_is_kept(tmp_path, content):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    for kind in (MANIFEST, TABLE):
        with pytest.raises(ValueError, match="which is neither"):
            check_output(path, kind, overwrite=True)


@pytest.mark.parametrize("name", ["mine.txt/m.csv", "mine.txt/new/m.csv", "gone/new/m.csv"])
def test_a_place_without_a_folder_is_refused_before_the_work(tmp_path, name):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"`--out` must be in a folder, or where.*is no folder"):
        check_output(tmp_path / name, MANIFEST, overwrite=False)
    with pytest.raises(ValueError, match="is no folder"):
        check_output(tmp_path / name, EXPLANATIONS, overwrite=True)


@needs_permissions
@pytest.mark.parametrize("name", ["closed/m.csv", "closed/new/m.csv"])
def test_a_folder_that_nobody_may_write_to_is_refused_before_the_work(tmp_path, name):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(ValueError, match=r"you may not write to .*closed'\. Choose another folder"):
        check_output(tmp_path / name, MANIFEST, overwrite=False)


@pytest.mark.parametrize("text", ["", "file,label\na.png,covid\n", "file,label", "\xff\xd8", "{}"])
@pytest.mark.parametrize("kind", [MANIFEST, SPLIT, SKIPPED])
def test_what_is_of_another_kind_is_kept_whatever_was_asked_for(tmp_path, kind, text):
    path = tmp_path / "mine.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FileExistsError, match="Choose another name"):
        check_output(path, kind, overwrite=False)
    with pytest.raises(ValueError, match=r"must be new, or a .* that cxr-models"):
        check_output(path, kind, overwrite=True)


def test_a_split_is_no_manifest_and_a_manifest_no_split(tmp_path):
    write_manifest(tmp_path / "m.csv", [RECORD])
    write_split(tmp_path / "s.csv", [RECORD], {"seed": 0})
    check_output(tmp_path / "s.csv", SPLIT, overwrite=True)
    for name, kind in (("s.csv", MANIFEST), ("m.csv", SPLIT)):
        with pytest.raises(ValueError, match="which is neither"):
            check_output(tmp_path / name, kind, overwrite=True)


@pytest.mark.parametrize("link", ["same", "symbolic", "hard", "roundabout"])
def test_an_input_is_not_replaced_under_any_of_its_names(tmp_path, link):
    (tmp_path / "in").mkdir()
    source = tmp_path / "in/m.csv"
    write_manifest(source, [RECORD])
    out = tmp_path / "out.csv"
    if link == "same":
        out = source
    elif link == "symbolic":
        out.symlink_to(source)
    elif link == "hard":
        out.hardlink_to(source)
    else:
        out = tmp_path / "in/../in/m.csv"
    with pytest.raises(ValueError, match="must not replace what this command reads"):
        check_output(out, MANIFEST, overwrite=True, inputs=[tmp_path / "none", source])


def test_nothing_is_replaced_unasked_even_if_it_comes_while_we_write(tmp_path):
    path = tmp_path / "new/m.csv"

    def overtaken(overwrite):
        path.unlink(missing_ok=True)
        with replaces_output(path, MANIFEST, overwrite=overwrite) as temporary:
            temporary.write_text("ours")
            path.write_text("theirs")

    with pytest.raises(FileExistsError):
        overtaken(overwrite=False)
    with pytest.raises(ValueError, match="which is neither"):
        overtaken(overwrite=True)
    assert path.read_text() == "theirs"
    assert only(path.parent) == ["m.csv"]


def test_a_broken_link_and_a_pipe_are_kept_and_not_waited_for(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    names = ["link"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        names.append("pipe")
    for name in names:
        with pytest.raises(ValueError, match="which is neither"):
            check_output(tmp_path / name, MANIFEST, overwrite=True)


def explained(folder):
    """Write what a folder of explanations looks like."""
    (folder / "images/covid").mkdir(parents=True)
    overlay = draw(0)[..., None].repeat(3, axis=-1)
    write_image(folder / "images/covid/a.png.png", overlay)
    write_image(folder / "mean-covid.png", overlay)
    return folder


def test_a_folder_of_explanations_is_told_by_all_that_it_holds(tmp_path):
    (tmp_path / "empty").mkdir()
    check_output(tmp_path / "empty", EXPLANATIONS, overwrite=False)
    check_output(explained(tmp_path / "shown"), EXPLANATIONS, overwrite=True)
    with pytest.raises(FileExistsError, match="Replace it with --overwrite"):
        check_output(tmp_path / "shown", EXPLANATIONS, overwrite=False)

    large_panel = np.zeros((800, 1600, 3), np.uint8)
    write_picture(tmp_path / "shown/images/x.png", large_panel)
    check_output(tmp_path / "shown", EXPLANATIONS, overwrite=True)
    assert not read_image(tmp_path / "shown/images/x.png").any()

    def note(folder):
        (folder / "images/note.txt").write_text("mine")

    def radiograph(folder):
        write_image(folder / "images/gray.png", draw(1))

    def large(folder):
        write_image(folder / "images/large.png", draw(1, 800)[..., None].repeat(3, axis=-1))

    def other(folder):
        write_image(folder / "figure.png", draw(0)[..., None].repeat(3, axis=-1))

    def unfinished(folder):
        (folder / "mean-covid.png").unlink()

    def linked(folder):
        (folder / "images/elsewhere").symlink_to(tmp_path / "empty")

    for change in (note, radiograph, large, other, unfinished, linked):
        folder = explained(tmp_path / change.__name__)
        change(folder)
        for overwrite in (False, True):
            with pytest.raises(ValueError, match=r"must not name a folder of other files.*Name a"):
                check_output(folder, EXPLANATIONS, overwrite=overwrite)


def test_a_folder_that_holds_an_input_is_not_written_into(tmp_path):
    folder = explained(tmp_path / "shown")
    (tmp_path / "scan.png").hardlink_to(folder / "images/covid/a.png.png")
    for source in (folder / "mean-covid.png", tmp_path / "scan.png"):
        with pytest.raises(ValueError, match="which is or holds the input"):
            check_output(folder, EXPLANATIONS, overwrite=True, inputs=[source])


@pytest.mark.parametrize(
    ("file", "folder"),
    [("r/p.csv", "r"), ("r/a/p.csv", "link"), ("r", "r"), ("r", "r/shown"), ("r/p.csv", "r/a/..")],
)
def test_a_file_in_or_around_a_folder_of_the_same_command_is_refused_with_another_name(
    tmp_path, monkeypatch, file, folder
):
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("r")
    with pytest.raises(ValueError, match="`--explain` must be separate from `--out`") as caught:
        check_separate(Path(file), Path(folder), folder_option="--explain")
    _, cure, _ = str(caught.value).rsplit("'", 2)
    check_separate(Path(file), Path(cure), folder_option="--explain")
    check_separate(Path("r/p.csv"), Path("r/shown"), folder_option="--explain")
    check_separate(Path("r-p.csv"), Path("r"), folder_option="--explain")
