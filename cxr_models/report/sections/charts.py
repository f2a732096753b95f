"""The curves of a run as charts: training, ROC, precision-recall, reliability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cxr_models.report.blocks import Chart, Line
from cxr_models.report.formatting import counted, number

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIAGONAL = Line(name="", points=((0.0, 0.0), (1.0, 1.0)))


def training_charts(history: Sequence[dict[str, Any]]) -> tuple[Chart, ...]:
    """Draw loss and accuracy over the epochs of all phases; nothing without epochs."""
    if not history:
        return ()
    starts = [i for i in range(1, len(history)) if history[i]["phase"] != history[i - 1]["phase"]]
    charts = []
    for name in ("loss", "accuracy"):
        values = [row[key] for row in history for key in (name, f"val_{name}")]
        top = max(filter(math.isfinite, values), default=0) * 1.05 if name == "loss" else 1.0
        lines = [
            Line(
                name=title,
                points=tuple(
                    (float(i), row[key])
                    for i, row in enumerate(history, start=1)
                    if math.isfinite(row[key])
                ),
                dots=True,
            )
            for title, key in (("train", name), ("validation", f"val_{name}"))
        ]
        lines += [Line(name="", points=((s + 0.5, 0.0), (s + 0.5, top))) for s in starts]
        judged = [row[f"val_{name}"] for row in history if math.isfinite(row[f"val_{name}"])]
        best = (min if name == "loss" else max)(judged, default=math.nan)
        phases = ", ".join(dict.fromkeys(row["phase"] for row in history))
        charts.append(
            Chart(
                title=f"Training: {name}",
                description=f"{counted(len(history), 'epoch')} ({phases}); best validation {name} "
                f"{number(best)}, at the end train {number(history[-1][name])}, validation "
                f"{number(history[-1][f'val_{name}'])}.",
                x_label="epoch",
                y_label=name,
                lines=tuple(lines),
                x_range=(1.0, float(max(len(history), 2))),
                y_range=(0.0, top or 1.0),
            )
        )
    return tuple(charts)


def set_charts(name: str, told: dict[str, Any]) -> tuple[Chart, ...]:
    """Draw ROC and precision-recall curves and the reliability of a set."""
    curves, classes = told["curves"], told["classes"]
    lines_of = {
        "roc": [_line(one, curve["roc"], "false_positive_rate", "sensitivity")
                for one, curve in curves.items()],
        "pr": [_line(one, curve["pr"], "recall", "precision") for one, curve in curves.items()],
    }  # fmt: skip
    areas = {
        key: "; ".join(f"{one} {number(classes[one][f'{key}_auc']['value'])}" for one in curves)
        for key in lines_of
    }
    charts = []
    if curves:
        charts += [
            Chart(
                title=f"{name}: ROC",
                description=f"Area under the curve: {areas['roc']}. The diagonal is guessing.",
                x_label="1 - specificity",
                y_label="sensitivity",
                lines=(*lines_of["roc"], _DIAGONAL),
            ),
            Chart(
                title=f"{name}: precision and recall",
                description=f"Average precision: {areas['pr']}.",
                x_label="recall",
                y_label="precision",
                lines=tuple(lines_of["pr"]),
            ),
        ]
    reliability = told["reliability"]
    overall = told["overall"]
    charts.append(
        Chart(
            title=f"{name}: reliability",
            description=f"Calibration error {number(overall['ece']['value'])} before temperature "
            f"scaling, {number(overall['ece_calibrated']['value'])} after it. The diagonal is as "
            "often right as sure.",
            x_label="how sure",
            y_label="how often right",
            lines=(
                *(
                    Line(
                        name=title,
                        points=tuple((b["confidence"], b["accuracy"]) for b in reliability[key]),
                        dots=True,
                    )
                    for title, key in (("before", "raw"), ("after", "calibrated"))
                ),
                _DIAGONAL,
            ),
        )
    )
    return tuple(charts)


def _line(name: str, curve: dict[str, list[float]], x: str, y: str) -> Line:
    return Line(name=name, points=tuple(zip(curve[x], curve[y], strict=True)))
