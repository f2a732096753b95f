"""Names are decided from the set of inputs alone: distinct, predictable, never an input's."""

from __future__ import annotations

import itertools
import os
import sys

import pytest

from cxr_enhance.archive.plan import plan_files
from tests.helpers.permissions import needs_permissions

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX links and pipes")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Give a function that makes empty files below the working folder."""
    monkeypatch.chdir(tmp_path)

    def make(*names):
        for name in names:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "wb"):
                pass

    return make


def targets(inputs, out="out", extension=".png"):
    """Map each planned source to its target below `out`."""
    plan = plan_files(inputs, out, extension)
    return {item.source: os.path.relpath(item.target, out) for item in plan.files}


def test_a_file_goes_to_its_own_name_and_a_folder_keeps_its_tree(tree):
    tree("one.jpg", "in/two.tif", "in/deep/er/three.jpeg")
    assert targets(["one.jpg", "in"]) == {
        "one.jpg": "one.png",
        "in/two.tif": "two.png",
        "in/deep/er/three.jpeg": "deep/er/three.png",
    }


def test_the_output_folder_is_skipped_where_entries_of_folders_have_no_file_number(
    tree, monkeypatch
):
    tree("in/a.jpg", "in/out/b.png")
    monkeypatch.setattr(os, "scandir", EntriesOfWindows)
    assert targets(["in"], "in/out") == {"in/a.jpg": "a.png"}


class EntriesOfWindows:
    """As `os.scandir` of Windows, whose entries have 0 for the numbers of device and file."""

    def __init__(self, path, scandir=os.scandir):
        self._entries = scandir(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._entries.close()

    def __iter__(self):
        return map(EntryOfWindows, self._entries)


class EntryOfWindows:
    def __init__(self, entry):
        self._entry = entry

    def __getattr__(self, name):
        return getattr(self._entry, name)

    def __fspath__(self):
        return self._entry.path

    def stat(self, **options):
        status = list(self._entry.stat(**options))
        status[1:3] = 0, 0
        return os.stat_result(status)


def test_files_that_would_meet_all_get_their_extension(tree):
    tree("in/a.jpg", "in/a.png", "in/a", "in/b.png")
    assert targets(["in"]) == {
        "in/a": "a.png",  # it has none
        "in/a.jpg": "a_jpg.png",
        "in/a.png": "a_png.png",
        "in/b.png": "b.png",
    }


def test_a_lengthened_name_that_is_taken_is_lengthened_again(tree):
    tree("in/a.jpg", "in/a.png", "in/a_jpg.png")
    assert targets(["in"]) == {
        "in/a.jpg": "a_jpg_in.png",
        "in/a.png": "a_png.png",
        "in/a_jpg.png": "a_jpg_png.png",
    }


def test_names_that_differ_in_case_only_count_as_the_same(tree):
    tree("in/Scan.jpg", "in/sub/x.png")
    tree("in/scan.tif")
    assert targets(["in"]) == {
        "in/Scan.jpg": "Scan_jpg.png",
        "in/scan.tif": "scan_tif.png",
        "in/sub/x.png": "sub/x.png",
    }


def test_equal_names_of_two_folders_get_the_folders_names(tree):
    tree("first/a.png", "second/a.png", "second/b.png")
    assert targets(["first", "second"]) == {
        "first/a.png": "a_png_first.png",
        "second/a.png": "a_png_second.png",
        "second/b.png": "b.png",
    }


def test_equal_names_of_equally_named_folders_stay_distinct(tree):
    tree("x/scans/a.png", "y/scans/a.png")
    names = list(targets(["x/scans", "y/scans"]).values())
    assert len(set(names)) == 2
    assert all(name.startswith("a_png_scans_") for name in names)


def test_names_do_not_depend_on_where_the_source_lies(tree):
    names = []
    for place in ("one", "another/deeper"):
        for name in ("Scan.jpg", "scan.jpg", "SCAN.JPG", "sub/scan.jpg"):
            tree(f"{place}/x/scans/{name}", f"{place}/y/scans/{name}")
        sources = targets([f"{place}/x/scans", f"{place}/y/scans"])
        names.append({source.removeprefix(place): name for source, name in sources.items()})
    assert names[0] == names[1]
    assert len(set(map(str.lower, names[0].values()))) == 8


def test_a_file_and_a_folder_do_not_meet(tree):
    tree("in/a.png/inner.jpg", "in/a.jpg")
    assert targets(["in"]) == {"in/a.jpg": "a_jpg.png", "in/a.png/inner.jpg": "a.png/inner.png"}


def test_names_do_not_depend_on_the_order_of_the_inputs(tree):
    tree("first/a.png", "second/a.png", "second/a.jpg", "third/a_png.jpg", "b.jpg", "first/b.png")
    inputs = ["first", "second", "third", "b.jpg"]
    expected = targets(inputs)
    assert len(set(expected.values())) == len(expected) == 6
    for order in itertools.permutations(inputs):
        assert targets(list(order)) == expected


def test_a_file_reached_twice_is_planned_once(tree):
    tree("in/sub/a.png")
    for inputs in itertools.permutations(["in", "in/sub", "in/sub/a.png", "./in/../in"]):
        plan = plan_files(inputs, "out", ".png")
        assert [os.path.relpath(item.target, "out") for item in plan.files] == ["sub/a.png"]
        assert plan.files[0].is_named_by_user


def test_an_output_folder_inside_an_input_is_not_read(tree):
    tree("in/a.jpg", "in/out/a.png", "in/out/deep/b.png")
    assert targets(["in"], out="in/out") == {"in/a.jpg": "a.png"}


def test_an_output_that_would_replace_an_input_is_a_problem(tree):
    tree("in/a.png", "in/in/b.png", "in/b.png")
    plan = plan_files(["in/a.png", "in/in"], "in", ".png")
    assert [problem.source for problem in plan.problems] == ["in/a.png"]
    assert "would replace an input" in plan.problems[0].reason
    assert [item.source for item in plan.files] == ["in/in/b.png"]


@posix_only
def test_an_output_that_would_replace_an_input_through_a_link_is_a_problem(tree):
    tree("in/a.png")
    os.symlink("in", "link")
    (problem,) = plan_files(["in/a.png"], "link", ".png").problems
    assert problem.source == "in/a.png"
    assert "would replace an input" in problem.reason


@posix_only
def test_links_to_folders_are_reported_and_not_entered(tree):
    tree("in/sub/a.png", "elsewhere/b.png")
    os.symlink("..", "in/sub/loop")
    os.symlink("../elsewhere", "in/other")
    plan = plan_files(["in"], "out", ".png")
    assert [item.source for item in plan.files] == ["in/sub/a.png"]
    assert plan.linked_folders == ["in/other", "in/sub/loop"]


@posix_only
def test_a_folder_given_through_a_link_is_read(tree):
    tree("elsewhere/b.png")
    os.symlink("elsewhere", "in")
    assert targets(["in"]) == {"in/b.png": "b.png"}


@posix_only
def test_links_to_files_are_read_and_broken_ones_kept_to_fail(tree):
    tree("elsewhere/b.png", "in/a.png")
    os.symlink("../elsewhere/b.png", "in/b.png")
    os.symlink("nowhere.png", "in/c.png")
    os.symlink("d.png", "in/d.png")  # a link to itself
    assert list(targets(["in"])) == ["in/a.png", "in/b.png", "in/c.png", "in/d.png"]


@posix_only
def test_pipes_are_skipped_in_folders_and_problems_when_named(tree):
    tree("in/a.png")
    os.mkfifo("in/pipe.png")
    plan = plan_files(["in", "in/pipe.png"], "out", ".png")
    assert [outcome.source for outcome in plan.skipped] == ["in/pipe.png"]
    assert [(problem.source, problem.reason) for problem in plan.problems] == [
        ("in/pipe.png", "is neither a file nor a folder.")
    ]
    assert [item.source for item in plan.files] == ["in/a.png"]


def test_a_missing_input_is_a_problem(tree):
    tree("a.png")
    plan = plan_files(["a.png", "b.png"], "out", ".png")
    assert [(problem.source, problem.reason) for problem in plan.problems] == [
        ("b.png", "does not exist.")
    ]


@needs_permissions
def test_a_folder_that_may_not_be_listed_is_a_problem(tree):
    tree("in/a.png", "in/closed/b.png")
    os.chmod("in/closed", 0)
    try:
        plan = plan_files(["in"], "out", ".png")
    finally:
        os.chmod("in/closed", 0o700)
    assert [(problem.source, problem.reason) for problem in plan.problems] == [
        ("in/closed", "cannot be listed: Permission denied.")
    ]


def test_files_still_being_written_are_left_out(tree):
    tree("in/a.png", "in/.cxr-enhance-0123456789abcdef.tmp")
    assert list(targets(["in"])) == ["in/a.png"]
