"""Section on the predictions of a run with classes for changed test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.report.blocks import Block, Charts, Dot, DotPlot, Section, Table, Text
from cxr_models.report.formatting import NONE, number, signed, value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.audit.findings_results import FindingsRobustness
    from cxr_models.audit.results import PerturbedScores, Robustness, Scores
    from cxr_models.evaluation.results import Measured
    from cxr_models.report.read.results import Results


def robustness_sections(run: Results) -> list[Section]:
    """Return a list of the section; an empty list if the run was not tested on changed images."""
    robustness = run.robustness
    if robustness is None:
        return []
    blocks: list[Block] = [
        Text(text=_summary(robustness)),
        _table(robustness),
        Charts(charts=(_plot(robustness),)),
    ]
    return [Section(title="Changed images", blocks=tuple(blocks))]


def tested_sentence(robustness: Robustness | FindingsRobustness) -> str:
    """Return a sentence on the number of changed test images and patients."""
    tested = f"The run was tested on {counted(robustness.images, 'test image')}"
    if robustness.images < robustness.test_images:
        tested += f" of {robustness.test_images:,}"
    return f"{tested}, of {counted(robustness.patients, 'patient')}, changed before its own steps."


def _summary(robustness: Robustness) -> str:
    rows = [row for row in robustness.perturbed if row.differences.accuracy.value is not None]
    tested = tested_sentence(robustness)
    if not rows:
        return tested
    worst = min(rows, key=lambda row: row.differences.accuracy.value or 0.0)
    difference = worst.differences.accuracy
    if (difference.value or 0.0) >= 0.0:
        return f"{tested} No change lowers its accuracy."
    return (
        f"{tested} Its accuracy falls most with the change \u201c{worst.title}\u201d: "
        f"{number(worst.accuracy.value)} instead of "
        f"{number(robustness.unperturbed.accuracy.value)}, a difference of "
        f"{signed(difference.value, difference.interval)}."
    )


def _table(robustness: Robustness) -> Table:
    whole = robustness.unperturbed
    return Table(
        caption="Changed test images: values, share predicted otherwise, and differences",
        head=(
            "change",
            "accuracy",
            "balanced accuracy",
            "macro ROC-AUC",
            "predicted otherwise",
            "difference in accuracy",
            "difference in macro ROC-AUC",
        ),
        rows=(
            ("none", *map(value, _main_scores(whole)), *([NONE] * 3)),
            *(_row(row) for row in robustness.perturbed),
        ),
        notes=(
            "A difference is the value on changed images minus the value on the same images as "
            "they are; its interval is that of pairs, from the bootstrap over patients.",
            f"{len(robustness.perturbed)} changes are shown: of so many intervals of 95 % some "
            "may leave 0 out by chance.",
            *([f"{robustness.remark}."] if robustness.remark else []),
            *_reasons(robustness.perturbed),
        ),
    )


def _row(row: PerturbedScores) -> tuple[str, ...]:
    shown = (row.differences.accuracy, row.differences.macro_roc_auc)
    differences = (signed(one.value, one.interval) for one in shown)
    return row.title, *map(value, _main_scores(row)), value(row.changed), *differences


def _reasons(rows: Sequence[PerturbedScores]) -> list[str]:
    """Return a sentence for each reason of missing intervals, with the changes that it affects."""
    titles: dict[str, list[str]] = {}
    for row in rows:
        accuracy = row.differences.accuracy
        if accuracy.interval is None:
            titles.setdefault(accuracy.reason, []).append(row.title)
    return [
        f"No interval of the difference in accuracy for {'; '.join(names)}: {reason}."
        for reason, names in titles.items()
    ]


def _plot(robustness: Robustness) -> DotPlot:
    rows = [(row.title, row.differences.accuracy) for row in robustness.perturbed]
    ends = [end for _, one in rows for end in (one.value or 0.0, *(one.interval or ()))]
    return DotPlot(
        title="Changed images: difference in accuracy",
        description="Each dot is the accuracy on changed images minus that on the images as they "
        "are, each line its interval; the short stroke is no difference.",
        x_label="difference in accuracy",
        x_range=(min(*ends, -0.05), max(*ends, 0.05)),
        series=("",),
        rows=tuple(
            (title, (Dot(value=one.value, interval=one.interval, text=one.reason),))
            for title, one in rows
        ),
        marks=(0.0,),
    )


def _main_scores(scores: Scores) -> tuple[Measured, ...]:
    return scores.accuracy, scores.balanced_accuracy, scores.macro_roc_auc
