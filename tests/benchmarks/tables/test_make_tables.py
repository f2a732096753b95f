"""The tables in documents come from stored results, and a check notices when they do not."""

from __future__ import annotations

import re

import pytest

from benchmarks.tables import make_tables
from benchmarks.tables.formatting import significant
from benchmarks.tables.make_tables import fill, main, pages, print_targets, update
from benchmarks.tables.targets import (
    COMPUTED,
    KEPT,
    MIB,
    MODEL_TARGETS,
    NO_ENHANCEMENT,
    OURS,
    Adds,
    AtMost,
    Faster,
    Flat,
)
from tests.helpers.results_files import runs_of, write

GROUP = "clahe|uint8 1024x1024, 16x16 tiles"
LOST = "rgb_to_gray|uint8 1024x1024"
MEDIANS = {
    (GROUP, OURS): 0.001,
    (GROUP, "OpenCV"): 0.0042,
    (LOST, OURS): 0.002,
    (LOST, "OpenCV"): 0.001,
}
PAGE = "Before.\n<!-- bench:begin operations -->\nold\n<!-- bench:end operations -->\nAfter.\n"


@pytest.fixture
def runs(tmp_path):
    """Give one run."""
    return runs_of(tmp_path, MEDIANS)


def test_a_table_replaces_what_stands_between_its_markers_and_nothing_else(runs):
    text = fill(PAGE, runs)
    assert text.startswith("Before.\n<!-- bench:begin operations -->\n\n| operation |")
    assert text.endswith("|\n\n<!-- bench:end operations -->\nAfter.\n")
    assert "old" not in text


def test_filling_twice_changes_nothing(runs):
    assert fill(fill(PAGE, runs), runs) == fill(PAGE, runs)


def test_a_row_shows_both_times_and_the_ratio(runs):
    assert "| clahe | uint8 1024x1024, 16x16 tiles | 1.00 ms | OpenCV | 4.20 ms | 4.20x |" in fill(
        PAGE, runs
    )


def test_a_row_that_we_lose_stays_in(runs):
    assert "| rgb_to_gray | uint8 1024x1024 | 2.00 ms | OpenCV | 1.00 ms | 0.50x |" in fill(
        PAGE, runs
    )


def test_several_runs_give_the_median_and_the_range(tmp_path):
    slower = {**MEDIANS, (GROUP, "OpenCV"): 0.0045}
    slowest = {**MEDIANS, (GROUP, "OpenCV"): 0.0050}
    runs = runs_of(tmp_path, slowest, MEDIANS, slower)
    assert "| 1.00 ms | OpenCV | 4.50 ms | 4.50x (4.20x to 5.00x) |" in fill(PAGE, runs)


@pytest.mark.parametrize("marker", ["begin", "end"])
def test_rejects_a_marker_without_its_partner(runs, marker):
    with pytest.raises(ValueError, match=r"must have its `bench:end NAME`; got one without\."):
        fill(f"{PAGE}<!-- bench:{marker} peers -->\n", runs)


def test_rejects_a_marker_of_a_table_that_nothing_was_measured_for(runs):
    with pytest.raises(ValueError, match=r"a table must be of something measured; got 'colours'\."):
        fill(PAGE.replace("operations", "colours"), runs)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.0, "1.00"),
        (0.0999, "0.0999"),
        (123.4, "123"),
        (1234.5, "1230"),
        (9.999, "10.0"),
    ],
)
def test_numbers_have_three_significant_digits_and_no_exponent(value, text):
    assert significant(value) == text


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make a project with one run and one document, and let the command work on it."""
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    write(results / "run-1.json", MEDIANS)
    (tmp_path / "README.md").write_text(PAGE)
    monkeypatch.setattr(make_tables, "ROOT", tmp_path)
    monkeypatch.setattr(make_tables, "RESULTS", results)
    monkeypatch.setattr(make_tables, "DOCUMENTS", (tmp_path / "README.md",))
    return tmp_path


def test_check_names_stale_pages_and_changes_none(project, capsys):
    assert main(["--check"]) == 1
    assert (project / "README.md").read_text() == PAGE
    assert "README.md: disagrees with the results" in capsys.readouterr().out


def test_check_passes_once_the_tables_are_written(project):
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_check_fails_when_the_results_change_afterwards(project):
    main([])
    faster = {**MEDIANS, (GROUP, OURS): 0.0005}
    write(project / "benchmarks" / "results" / "run-1.json", faster)
    assert main(["--check"]) == 1


def test_check_fails_when_a_number_is_typed_by_hand(project):
    main([])
    page = project / "README.md"
    page.write_text(page.read_text().replace("4.20x", "9.90x"))
    assert main(["--check"]) == 1


def test_the_page_beside_the_results_says_machine_date_and_command(project):
    main([])
    page = (project / "benchmarks" / "results" / "README.md").read_text()
    for words in ("A CPU", "2026-11-23", "--benchmark-json=benchmarks/results/DATE-SUBJECT.json"):
        assert words in page
    assert "| `run-1.json` | operations |" in page


def test_without_results_the_command_says_so_and_fails(project, capsys):
    (project / "benchmarks" / "results" / "run-1.json").unlink()
    assert main(["--check"]) == 1
    assert capsys.readouterr().err == "results must hold at least one file; got none.\n"


def test_update_writes_stale_pages_only(runs, tmp_path):
    document = tmp_path / "page.md"
    document.write_text(PAGE)
    wanted = pages(runs, tmp_path, [document])
    assert set(update(wanted, check=False)) == {document, tmp_path / "README.md"}
    assert update(wanted, check=False) == []


def judge(monkeypatch, runs, target):
    """Judge one target; give the verdict."""
    monkeypatch.setattr(make_tables, "TARGETS", (target,))
    return print_targets(runs)


@pytest.mark.parametrize(("at_least", "held"), [(4.1, True), (4.3, False)])
def test_a_ratio_below_its_target_misses(monkeypatch, capsys, runs, at_least, held):
    target = Faster(GROUP, "OpenCV", at_least, 5.0)
    assert judge(monkeypatch, runs, target) is held
    assert re.match("held|MISSED", capsys.readouterr().out)


def test_one_run_of_three_that_misses_is_a_miss(monkeypatch, tmp_path):
    slow = {**MEDIANS, (GROUP, OURS): 0.003}
    runs = runs_of(tmp_path, MEDIANS, slow, MEDIANS)
    assert not judge(monkeypatch, runs, Faster(GROUP, "OpenCV", 3.3, 3.7))


def test_a_target_that_was_not_measured_is_a_miss(monkeypatch, capsys, runs):
    assert not judge(monkeypatch, runs, Faster("another|image", "OpenCV", 1.0, 1.0))
    assert "not measured" in capsys.readouterr().out


def test_limits_hold_up_to_and_including_their_value(monkeypatch, tmp_path):
    sizes = {
        (GROUP, OURS): {"bytes_beside_output": 16 * MIB, "megapixels": 1},
        (GROUP, "OpenCV"): {"bytes_beside_output": 0, "megapixels": 1},
    }
    runs = runs_of(tmp_path, {key: 1.0 for key in sizes}, figures=sizes)
    assert judge(monkeypatch, runs, AtMost(GROUP, "bytes_beside_output", 16 * MIB))
    assert not judge(monkeypatch, runs, AtMost(GROUP, "bytes_beside_output", 16 * MIB - 1))
    assert judge(monkeypatch, runs, AtMost(GROUP, "seconds", 1.0))
    assert judge(monkeypatch, runs, Flat(GROUP, 1.0))


@pytest.mark.parametrize(("at_most", "held"), [(0.05, True), (0.04, False)])
def test_what_a_step_adds_is_judged_as_a_share(monkeypatch, capsys, tmp_path, at_most, held):
    runs = runs_of(tmp_path, {(GROUP, OURS): 1.046, (GROUP, NO_ENHANCEMENT): 1.0})
    assert judge(monkeypatch, runs, Adds(GROUP, NO_ENHANCEMENT, at_most)) is held
    said = capsys.readouterr().out
    assert "more than with no enhancement: 4.6 %" in said
    assert f"(at most {100 * at_most:.1f} %)" in said


def test_a_share_is_written_in_percent(monkeypatch, capsys, tmp_path):
    shares = {(GROUP, OURS): {"waiting_share": 0.0162}}
    runs = runs_of(tmp_path, {(GROUP, OURS): 0.051}, figures=shares)
    assert judge(monkeypatch, runs, AtMost(GROUP, "waiting_share", 0.02))
    assert "waiting share: 1.6 % (at most 2.0 %)" in capsys.readouterr().out


MODELS = "<!-- bench:begin models -->\n<!-- bench:end models -->\n"
ADDED, DECODED, _, WAITING, PHASE, HASHES = (target.group for target in MODEL_TARGETS)


def test_what_was_not_measured_of_the_models_is_said_beside_its_target(runs):
    rows = fill(MODELS, runs).splitlines()
    assert len([row for row in rows if "| not measured |" in row]) == len(MODEL_TARGETS)
    assert "| near duplicates | 50,000 hashes | not measured |  |  |  | at most 60.0 s |" in rows


def test_the_models_table_holds_ours_what_it_is_compared_with_and_its_target(tmp_path):
    files = DECODED.replace("decoded originals", "files of originals")
    medians = {
        (ADDED, OURS): 1.04,
        (ADDED, NO_ENHANCEMENT): 1.0,
        (files, OURS): 1.0,
        (files, "notebook"): 8.2,
        (WAITING, OURS): 0.0508,
        (WAITING, "a repeated constant"): 0.0507,
        (PHASE, KEPT): 60.0,
        (PHASE, COMPUTED): 1350.0,
        (HASHES, OURS): 12.0,
    }
    shares = {
        (WAITING, OURS): {"waiting_share": 0.016},
        (WAITING, "a repeated constant"): {"waiting_share": 0.014},
    }
    page = fill(MODELS, runs_of(tmp_path, medians, figures=shares, table="models_pipeline"))
    for cells in (
        "1.04 s | no enhancement | 1.00 s | 4.0 % more | at most 10.0 % |",
        "files of originals to 224x224 | 1.00 s | notebook | 8.20 s | 8.20x as fast |  |",
        "1.6 % | a repeated constant | 1.4 % |  | at most 2.0 % |",
        f"60.0 s | {COMPUTED} | 1350 s | 22.5x as fast | at least 20.0x |",
        "50,000 hashes | 12.0 s |  |  |  | at most 60.0 s |",
    ):
        assert cells in page
    assert page.count("not measured") == 2
