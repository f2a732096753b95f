"""Charts of the curves of a run: training, ROC, precision-recall and reliability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from cxr_models._counts import counted
from cxr_models.report.blocks import Chart, Line
from cxr_models.report.formatting import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.evaluation.results import Curves, Measured, Reliability, SetEvaluation
    from cxr_models.runs.facts import EpochRow

_DIAGONAL = Line(name="", points=((0.0, 0.0), (1.0, 1.0)))


def training_charts(history: Sequence[EpochRow]) -> tuple[Chart, ...]:
    """Return charts of loss and accuracy over the epochs of all phases; empty without epochs."""
    if not history:
        return ()
    starts = [i for i in range(1, len(history)) if history[i].phase != history[i - 1].phase]
    charts = []
    losses = [(row.loss, row.val_loss) for row in history]
    accuracies = [(row.accuracy, row.val_accuracy) for row in history]
    for name, pairs in (("loss", losses), ("accuracy", accuracies)):
        finite = [value for pair in pairs for value in pair if math.isfinite(value)]
        top = max(finite, default=0) * 1.05 if name == "loss" else 1.0
        lines = [
            Line(
                name=title,
                points=tuple(
                    (float(i), value) for i, value in enumerate(values, 1) if math.isfinite(value)
                ),
                dots=True,
            )
            for title, values in zip(("train", "validation"), zip(*pairs, strict=True), strict=True)
        ]
        lines += [Line(name="", points=((s + 0.5, 0.0), (s + 0.5, top))) for s in starts]
        validation = [value for _, value in pairs if math.isfinite(value)]
        best = (min if name == "loss" else max)(validation, default=math.nan)
        phases = ", ".join(dict.fromkeys(row.phase for row in history))
        charts.append(
            Chart(
                title=f"Training: {name}",
                description=f"{counted(len(history), 'epoch')} ({phases}); best validation {name} "
                f"{number(best)}, at the end train {number(pairs[-1][0])}, validation "
                f"{number(pairs[-1][1])}.",
                x_label="epoch",
                y_label=name,
                lines=tuple(lines),
                x_range=(1.0, float(max(len(history), 2))),
                y_range=(0.0, top or 1.0),
            )
        )
    return tuple(charts)


def set_charts(name: str, values: SetEvaluation) -> tuple[Chart, ...]:
    """Return charts of the ROC curves, the precision-recall curves and the reliability of a set."""
    charts = [
        *curve_charts(
            name,
            [
                Drawn(label, both, values.classes[label].roc_auc, values.classes[label].pr_auc)
                for label, both in values.curves.items()
            ],
        )
    ]
    before, after = values.overall.ece.value, values.overall.ece_calibrated.value
    charts.append(
        Chart(
            title=f"{name}: reliability",
            description=f"Calibration error {number(before)} before temperature scaling, "
            f"{number(after)} after it. On the diagonal, accuracy equals confidence.",
            x_label="confidence",
            y_label="accuracy",
            lines=reliability_lines(values.reliability),
        )
    )
    return tuple(charts)


def reliability_lines(bins: Reliability) -> tuple[Line, ...]:
    """Return reliability lines before and after temperature scaling, and the diagonal."""
    return (
        *(
            Line(name=when, points=tuple((b.confidence, b.accuracy) for b in of_bins), dots=True)
            for when, of_bins in (("before", bins.raw), ("after", bins.calibrated))
        ),
        _DIAGONAL,
    )


class Drawn(NamedTuple):
    """The curves of a class or a finding, and the areas under them."""

    name: str
    curves: Curves
    roc_auc: Measured
    pr_auc: Measured


def curve_charts(name: str, drawn: Sequence[Drawn]) -> tuple[Chart, ...]:
    """Return a chart of ROC curves and a chart of precision-recall curves; empty without curves."""
    if not drawn:
        return ()
    roc = "; ".join(f"{one.name} {number(one.roc_auc.value)}" for one in drawn)
    pr = "; ".join(f"{one.name} {number(one.pr_auc.value)}" for one in drawn)
    return (
        Chart(
            title=f"{name}: ROC",
            description=f"Area under the curve: {roc}. The diagonal is guessing.",
            x_label="1 - specificity",
            y_label="sensitivity",
            lines=(
                *(
                    _line(one.name, one.curves.roc.false_positive_rate, one.curves.roc.sensitivity)
                    for one in drawn
                ),
                _DIAGONAL,
            ),
        ),
        Chart(
            title=f"{name}: precision and recall",
            description=f"Average precision: {pr}.",
            x_label="recall",
            y_label="precision",
            lines=tuple(
                _line(one.name, one.curves.pr.recall, one.curves.pr.precision) for one in drawn
            ),
        ),
    )


def _line(name: str, x: Sequence[float], y: Sequence[float]) -> Line:
    return Line(name=name, points=tuple(zip(x, y, strict=True)))
