"""Checks that stored clinical values of a set equal the values computed from its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._typed_json import to_json
from cxr_models.evaluation.clinic import clinic_values
from cxr_models.evaluation.finding_clinic import finding_clinic_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cxr_models.evaluation.clinic_results import ClinicValues
    from cxr_models.evaluation.finding_statistics import FindingOutcomes
    from cxr_models.evaluation.metrics import Outcomes

    Clinic = Mapping[str, ClinicValues]

_DRAWS = 2  # bootstrap draws; few, because intervals are not checked
_UNCHECKED = ("interval", "intervals", "reason", "remark")


def clinic_agrees(outcomes: Outcomes, stored: Clinic, tolerance: float) -> bool:
    """Return whether stored values equal those computed from `outcomes`.

    Intervals, reasons and remarks are not checked. `tolerance` is the largest difference of two
    numbers that count as equal; for numbers above 1 it is relative.
    """
    if tuple(stored) != outcomes.class_names or not _has_equal_num_specificities(stored):
        return False
    computed = clinic_values(
        outcomes,
        prevalences=_prevalences(stored),
        at_specificity=[
            (stated, tuple(of.values())) for stated, of in _thresholds_at_specificities(stored)
        ],
        draws=_DRAWS,
    )
    return _equal_values(stored, computed, tolerance)


def finding_clinic_agrees(outcomes: FindingOutcomes, stored: Clinic, tolerance: float) -> bool:
    """Return whether stored values of findings equal those computed from `outcomes`.

    Only findings with a known label have values. The checks are those of `clinic_agrees`.
    """
    known = [name for k, name in enumerate(outcomes.findings) if len(outcomes.of(k).present)]
    if list(stored) != known or not _has_equal_num_specificities(stored):
        return False
    computed = finding_clinic_values(
        outcomes,
        prevalences=_prevalences(stored),
        at_specificity=_thresholds_at_specificities(stored),
        draws=_DRAWS,
    )
    return _equal_values(stored, computed, tolerance)


def _has_equal_num_specificities(stored: Clinic) -> bool:
    return len({len(values.at_specificity) for values in stored.values()}) <= 1


def _prevalences(stored: Clinic) -> list[float]:
    """Return the prevalences that the user stated."""
    first = next(iter(stored.values()), None)
    predictive = () if first is None else first.predictive_values
    return [values.prevalence for values in predictive if values.of == "stated"]


def _thresholds_at_specificities(stored: Clinic) -> list[tuple[float, dict[str, float | None]]]:
    """Return the specificities that the user stated, each with the threshold of each column."""
    points = zip(*(values.at_specificity for values in stored.values()), strict=True)
    return [
        (of[0].stated, dict(zip(stored, (point.threshold for point in of), strict=True)))
        for of in points
    ]


def _equal_values(stored: Clinic, computed: Clinic, tolerance: float) -> bool:
    pairs = (dict(_leaves(to_json(dict(values)), ())) for values in (stored, computed))
    here, there = pairs
    return here.keys() == there.keys() and all(
        _equal(value, there[place], tolerance) for place, value in here.items()
    )


def _leaves(value: object, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in _UNCHECKED:
                yield from _leaves(item, (*place, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, (*place, str(number)))
    else:
        yield place, value


def _equal(first: object, second: object, tolerance: float) -> bool:
    if isinstance(first, float | int) and isinstance(second, float | int):
        return abs(first - second) <= tolerance * max(abs(second), 1.0)
    return first == second
