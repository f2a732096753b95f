"""Stored results: what is kept, how runs are read, what is compared with what."""

from __future__ import annotations

import json

import pytest

from benchmarks.tables.results import Runs, load, trim
from tests.helpers.results_files import document, runs_of, write

GROUP = "clahe|an image"
OURS, THEIRS = (GROUP, "cxr_enhance"), (GROUP, "OpenCV")


def test_trimming_drops_what_names_the_machine_and_every_single_duration():
    trimmed = document({OURS: 1.0})
    trim(trimmed)
    text = json.dumps(trimmed)
    for word in ("a-host-name", "somebody", "a-branch", "a-path", "sse2", '"data"', "replay"):
        assert word not in text


def test_a_trimmed_document_reads_as_before(tmp_path):
    whole = document({OURS: 0.5, THEIRS: 2.0})
    (tmp_path / "run.json").write_text(json.dumps(whole))
    before = load(tmp_path / "run.json")
    trim(whole)
    (tmp_path / "run.json").write_text(json.dumps(whole))
    assert load(tmp_path / "run.json").entries == before.entries


def test_ratios_are_taken_within_each_run(tmp_path):
    runs = runs_of(tmp_path, {OURS: 1.0, THEIRS: 4.0}, {OURS: 2.0, THEIRS: 6.0})
    assert runs.ratios(GROUP, "cxr_enhance", "OpenCV") == [4.0, 3.0]


def test_a_run_that_lacks_a_contender_gives_no_ratio(tmp_path):
    runs = runs_of(tmp_path, {OURS: 1.0, THEIRS: 4.0}, {OURS: 2.0})
    assert runs.ratios(GROUP, "cxr_enhance", "OpenCV") == [4.0]
    assert runs.seconds(GROUP, "cxr_enhance") == 1.5


def test_the_spread_is_of_our_time_per_megapixel(tmp_path):
    small, large, theirs = (
        (GROUP, "cxr_enhance, 1 MP"),
        (GROUP, "cxr_enhance, 64 MP"),
        (GROUP, "OpenCV, 64 MP"),
    )
    sizes = {small: {"megapixels": 1}, large: {"megapixels": 64}, theirs: {"megapixels": 64}}
    medians = {small: 0.001, large: 0.096, theirs: 9.0}
    runs = runs_of(tmp_path, medians, figures=sizes)
    assert runs.spreads(GROUP, "cxr_enhance") == [pytest.approx(1.5)]


def test_rejects_results_of_two_machines(tmp_path):
    one = write(tmp_path / "one.json", {OURS: 1.0}, cpu="One")
    other = write(tmp_path / "other.json", {OURS: 1.0}, cpu="Other")
    with pytest.raises(ValueError, match=r"results must come from one machine; got One, Other\."):
        Runs.load([one, other])


def test_runs_are_in_the_order_of_their_names(tmp_path):
    runs = runs_of(tmp_path, *[{OURS: 1.0}] * 3)
    paths = sorted(tmp_path.glob("*.json"), reverse=True)
    assert [run.name for run in Runs.load(paths).runs] == [run.name for run in runs.runs]
    assert [run.name for run in runs.runs] == ["run-1.json", "run-2.json", "run-3.json"]


def test_rejects_no_results():
    with pytest.raises(ValueError, match=r"results must hold at least one file; got none\."):
        Runs.load([])


def test_entries_that_name_no_contender_are_left_out(tmp_path):
    whole = document({OURS: 0.5, THEIRS: 2.0})
    del whole["benchmarks"][1]["extra_info"]["contender"]
    (tmp_path / "run.json").write_text(json.dumps(whole))
    assert set(load(tmp_path / "run.json").entries) == {OURS}


@pytest.mark.parametrize("text", ["{", "[]", '{"benchmarks": [{}]}'])
def test_rejects_a_file_that_holds_no_results(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json must hold results of `pytest benchmarks`"):
        load(tmp_path / "run.json")
