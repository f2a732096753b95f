"""Section on the predictions of a run with several findings for changed test images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.report.blocks import Block, Charts, Dot, DotPlot, Section, Table, Text
from cxr_models.report.formatting import NONE, number, signed, value
from cxr_models.report.sections.robustness import tested_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cxr_models.audit.findings_results import FindingsRobustness, PerturbedFindings
    from cxr_models.evaluation.results import Measured
    from cxr_models.report.read.finding_results import FindingResults


def finding_robustness_sections(run: FindingResults) -> list[Section]:
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


def _summary(robustness: FindingsRobustness) -> str:
    tested = tested_sentence(robustness)
    rows = [row for row in robustness.perturbed if row.differences.mean_roc_auc.value is not None]
    if not rows:
        return f"{tested} {_no_mean(robustness)}"
    worst = min(rows, key=lambda row: row.differences.mean_roc_auc.value or 0.0)
    difference = worst.differences.mean_roc_auc
    if (difference.value or 0.0) >= 0.0:
        return f"{tested} No change lowers its mean ROC-AUC."
    return (
        f"{tested} Its mean ROC-AUC falls most with the change \u201c{worst.title}\u201d: "
        f"{number(worst.mean_roc_auc.value)} instead of "
        f"{number(robustness.unperturbed.mean_roc_auc.value)}, a difference of "
        f"{signed(difference.value, difference.interval)}."
    )


def _no_mean(robustness: FindingsRobustness) -> str:
    return f"It has no mean ROC-AUC: {robustness.unperturbed.mean_roc_auc.reason}."


def _table(robustness: FindingsRobustness) -> Table:
    findings, whole = robustness.findings, robustness.unperturbed
    return Table(
        caption="Changed test images: mean ROC-AUC, and differences of it and of each finding",
        head=("change", "mean ROC-AUC", "difference of the mean", *findings),
        rows=(
            ("none", value(whole.mean_roc_auc), *(NONE,) * (1 + len(findings))),
            *(_row(row, findings) for row in robustness.perturbed),
        ),
        notes=(
            "A column of a finding holds the difference of its ROC-AUC. A difference is the value "
            "on changed images minus the value on the same images as they are; intervals are "
            "those of pairs, from the bootstrap over patients.",
            f"The mean is over {len(robustness.over)} of {counted(len(findings), 'finding')}.",
            *(f"Left out of the mean: {n}, {why}." for n, why in robustness.left_out.items()),
            f"{len(robustness.perturbed)} changes of {counted(len(findings), 'finding')} are "
            "shown: of so many differences some are large by chance.",
            *_undefined(whole.roc_auc.items()),
        ),
    )


def _row(row: PerturbedFindings, findings: Sequence[str]) -> tuple[str, ...]:
    mean = row.differences.mean_roc_auc
    return (
        row.title,
        value(row.mean_roc_auc),
        signed(mean.value, mean.interval),
        *(signed(row.differences.roc_auc[finding].value) for finding in findings),
    )


def _undefined(areas: Iterable[tuple[str, Measured]]) -> list[str]:
    """Return a sentence for each finding without a ROC-AUC, with the reason."""
    return [f"No ROC-AUC of {name}: {area.reason}." for name, area in areas if area.value is None]


def _plot(robustness: FindingsRobustness) -> DotPlot:
    rows = [_dots(row) for row in robustness.perturbed]
    ends = [
        end for _, dots in rows for dot in dots for end in (dot.value or 0.0, *(dot.interval or ()))
    ]
    return DotPlot(
        title="Changed images: difference in ROC-AUC",
        description="Each dot is the ROC-AUC on changed images minus that on the images as they "
        "are, each line its interval; the short stroke is no difference. The finding that falls "
        "most is picked after its value is known.",
        x_label="difference in ROC-AUC",
        x_range=(min(*ends, -0.05), max(*ends, 0.05)),
        series=("mean over findings", "the finding that falls most"),
        rows=tuple(rows),
        marks=(0.0, 0.0),
    )


def _dots(row: PerturbedFindings) -> tuple[str, tuple[Dot, Dot]]:
    """Return the title of a change, and the dots of the mean and of the finding that falls most."""
    mean, most = row.differences.mean_roc_auc, row.falls_most()
    dot = Dot(value=mean.value, interval=mean.interval, text=mean.reason)
    if most is None:
        known = any(of.value is not None for of in row.differences.roc_auc.values())
        text = "no finding falls" if known else "no difference is known"
        return row.title, (dot, Dot(value=None, interval=None, text=text))
    name, fallen = most
    other = Dot(value=fallen.value, interval=fallen.interval)
    return f"{row.title}; most: {name}", (dot, other)
