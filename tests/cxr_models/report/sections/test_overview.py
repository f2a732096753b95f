import dataclasses

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.records.overlap import Overlap, Shared
from cxr_models.report import html_page, read_results
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import write_run


def sharing(results, overlap):
    """Give every external set of a run an overlap with what the run has seen."""
    sets = {
        name: dataclasses.replace(values, overlap=overlap) if values.kind == "external" else values
        for name, values in results.evaluation.sets.items()
    }
    return dataclasses.replace(
        results, evaluation=dataclasses.replace(results.evaluation, sets=sets)
    )


def test_what_is_true_of_several_of_many_runs_is_stated_once(tmp_path):
    runs = [
        read_results(write_run(tmp_path / name, seed=seed), name=name)
        for seed, name in enumerate("abcd")
    ]
    near = Overlap(near=(Shared("x.png", "y.png", "train", "near"),), patients=(), unread=0)
    runs[1:] = [sharing(run, near) for run in runs[1:]]
    page = Read(html_page(runs))
    (name, values), *_ = runs[0].externals.items()
    sentence = f"1 image of {values.images:,} is a near copy of an image that the run has seen"
    assert f"On the set {name}, {sentence}: b, c and d." in page.text
    assert page.text.count(f"On the set {name}, 1 image of") == 1
