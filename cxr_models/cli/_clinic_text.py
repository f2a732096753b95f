"""What a clinic would ask, as lines for the terminal: one column a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.evaluation.operating_points import NO_VALIDATION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxr_models.evaluation.clinic_results import ClinicValues, DecisionCurve
    from cxr_models.evaluation.measured import Measured


def clinic_rows(
    clinic: Mapping[str, ClinicValues], shown: Callable[[Measured], str]
) -> list[list[str]]:
    """Return the rows of a table, its heading first; empty without values."""
    if not clinic:
        return []
    columns = list(clinic.values())
    rows = [["for a clinic", *clinic]]
    for predictive in zip(*(values.predictive_values for values in columns), strict=True):
        if predictive[0].of == "set":
            rows.append(["prevalence in this set", *(f"{p.prevalence:.3f}" for p in predictive)])
            where = "there"
        else:
            where = f"at prevalence {predictive[0].prevalence:g}"
        rows.append([f"PPV {where}", *(shown(values.positive) for values in predictive)])
        rows.append([f"NPV {where}", *(shown(values.negative) for values in predictive)])
    for titled in zip(*(values.titled() for values in columns), strict=True):
        rows.append([titled[0][0], *(shown(measured) for _, measured in titled)])
    for points in zip(*(values.at_specificity for values in columns), strict=True):
        if points[0].sensitivity.reason == NO_VALIDATION:
            title = f"at specificity {points[0].stated:g}: {NO_VALIDATION}"
            rows.append([title, *(["-"] * len(points))])
            continue
        rows.append([f"at specificity {points[0].stated:g} on val", *([""] * len(points))])
        rows.append(["  sensitivity", *(shown(point.sensitivity) for point in points)])
        rows.append(["  specificity", *(shown(point.specificity) for point in points)])
    rows.append(["better than all or none", *(_useful(v.decision_curve) for v in columns)])
    return rows


def _useful(curve: DecisionCurve | None) -> str:
    """Return the threshold probabilities at which the model is better than both policies."""
    ranges = () if curve is None else curve.useful()
    return ", ".join(f"{low:.2f} to {high:.2f}" for low, high in ranges) or "-"
