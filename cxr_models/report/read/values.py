"""Conversion of the stored values of a group to dictionaries with the names of computed values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.evaluation.finding_statistics import AREAS, CALIBRATION_ERRORS, LOSSES, MEANS
from cxr_models.evaluation.metrics import CLASS_METRICS, OVERALL_METRICS, POINT_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxr_models.evaluation.findings_results import FindingsGroup
    from cxr_models.evaluation.results import Group, Measured


def values_by_name(stored: Group, class_names: Iterable[str]) -> dict[str, Measured]:
    """Return the overall values of a group and the values of `class_names`.

    The keys are the names of the values in `ImageStatistics`. A class without a threshold has no
    values of its operating point.
    """
    values: dict[str, Measured] = {name: getattr(stored.overall, name) for name in OVERALL_METRICS}
    for name in class_names:
        of_class = stored.classes[name]
        values |= {f"{metric}/{name}": getattr(of_class, metric) for metric in CLASS_METRICS}
        point = of_class.operating_point
        if point.threshold is not None:
            at_point = {metric: getattr(point, metric) for metric in POINT_METRICS}
            values |= {f"point_{metric}/{name}": value for metric, value in at_point.items()}
    return values


def finding_values_by_name(stored: FindingsGroup, findings: Iterable[str]) -> dict[str, Measured]:
    """Return the mean values of a group and the values of `findings`.

    The keys are the names of the values in `FindingStatistics`. A finding without a threshold has
    no values of its operating point.
    """
    values: dict[str, Measured] = {
        mean: getattr(stored.means, part) for mean, part in MEANS.items()
    }
    for name in findings:
        of_finding = stored.findings[name]
        metrics = (*AREAS, *LOSSES, *CALIBRATION_ERRORS)
        values |= {f"{metric}/{name}": getattr(of_finding, metric) for metric in metrics}
        point = of_finding.operating_point
        if point.threshold is not None:
            values |= {f"{metric}/{name}": getattr(point, metric) for metric in POINT_METRICS}
    return values
