"""The curves of a run as charts: training, ROC, precision-recall, reliability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cxr_models.report.blocks import Chart, Line
from cxr_models.report.formatting import counted, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.evaluation.results import SetEvaluation
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
    """Return charts of a set's ROC and precision-recall curves and of its reliability."""
    charts = []
    if values.curves:
        classes = [(label, values.classes[label], values.curves[label]) for label in values.curves]
        areas = {
            "roc": "; ".join(f"{label} {number(v.roc_auc.value)}" for label, v, _ in classes),
            "pr": "; ".join(f"{label} {number(v.pr_auc.value)}" for label, v, _ in classes),
        }
        charts += [
            Chart(
                title=f"{name}: ROC",
                description=f"Area under the curve: {areas['roc']}. The diagonal is guessing.",
                x_label="1 - specificity",
                y_label="sensitivity",
                lines=(
                    *(
                        _line(label, curve.roc.false_positive_rate, curve.roc.sensitivity)
                        for label, _, curve in classes
                    ),
                    _DIAGONAL,
                ),
            ),
            Chart(
                title=f"{name}: precision and recall",
                description=f"Average precision: {areas['pr']}.",
                x_label="recall",
                y_label="precision",
                lines=tuple(
                    _line(label, curve.pr.recall, curve.pr.precision) for label, _, curve in classes
                ),
            ),
        ]
    before, after = values.overall.ece.value, values.overall.ece_calibrated.value
    charts.append(
        Chart(
            title=f"{name}: reliability",
            description=f"Calibration error {number(before)} before temperature scaling, "
            f"{number(after)} after it. On the diagonal, accuracy equals confidence.",
            x_label="confidence",
            y_label="accuracy",
            lines=(
                *(
                    Line(
                        name=title,
                        points=tuple((b.confidence, b.accuracy) for b in bins),
                        dots=True,
                    )
                    for title, bins in (
                        ("before", values.reliability.raw),
                        ("after", values.reliability.calibrated),
                    )
                ),
                _DIAGONAL,
            ),
        )
    )
    return tuple(charts)


def _line(name: str, x: Sequence[float], y: Sequence[float]) -> Line:
    return Line(name=name, points=tuple(zip(x, y, strict=True)))
