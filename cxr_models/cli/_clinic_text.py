"""Tables of clinical values for the terminal: a column for each class, or a row for each finding.

Clinical values are predictive values, likelihood ratios, Matthews correlation, Brier score,
calibration slope and intercept, sensitivity at stated specificities, and decision curves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.evaluation.operating_points import NO_VALIDATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cxr_models.evaluation.clinic_results import ClinicValues, DecisionCurve
    from cxr_models.evaluation.measured import Measured


def clinic_rows(
    clinic: Mapping[str, ClinicValues], shown: Callable[[Measured], str]
) -> list[list[str]]:
    """Return the rows of one table, the heading first; an empty list if `clinic` is empty."""
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


def finding_clinic_tables(
    clinic: Mapping[str, ClinicValues], shown: Callable[[Measured], str]
) -> Iterator[list[list[str]]]:
    """Yield tables with a row for each finding, the heading first; nothing if `clinic` is empty."""
    if not clinic:
        return
    columns = list(clinic.values())
    for predictive in zip(*(values.predictive_values for values in columns), strict=True):
        own = predictive[0].of == "set"
        where = "in this set" if own else f"at prevalence {predictive[0].prevalence:g}"
        rows = [[f"for a clinic, {where}", *(["prevalence"] if own else []), "PPV", "NPV"]]
        for name, values in zip(clinic, predictive, strict=True):
            share = [f"{values.prevalence:.3f}"] if own else []
            rows.append([name, *share, shown(values.positive), shown(values.negative)])
        yield rows
    titles = [title for title, _ in columns[0].titled()]
    # titles[3] is the Brier score, which another table shows with the temperature.
    ratios, recalibration = titles[:3], titles[4:]
    for chosen, more in ((ratios, False), (recalibration, True)):
        rows = [["for a clinic", *chosen, *(["better than all or none"] if more else [])]]
        for name, values in clinic.items():
            cells = [shown(of) for title, of in values.titled() if title in chosen]
            rows.append([name, *cells, *([_useful(values.decision_curve)] if more else [])])
        yield rows
    for points in zip(*(values.at_specificity for values in columns), strict=True):
        title = f"at specificity {points[0].stated:g}"
        if any(point.sensitivity.reason == NO_VALIDATION for point in points):
            yield [[f"{title}: {NO_VALIDATION}"]]
            continue
        rows = [[f"{title} on val", "sensitivity", "specificity"]]
        for name, point in zip(clinic, points, strict=True):
            rows.append([name, shown(point.sensitivity), shown(point.specificity)])
        yield rows


def _useful(curve: DecisionCurve | None) -> str:
    """Return the threshold probabilities at which the model is better than both policies."""
    ranges = () if curve is None else curve.useful()
    return ", ".join(f"{low:.2f} to {high:.2f}" for low, high in ranges) or "-"
