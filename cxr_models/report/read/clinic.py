"""Check that the clinic's values of a set are those of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._typed_json import to_json
from cxr_models.evaluation.clinic import clinic_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cxr_models.evaluation.clinic_results import ClinicValues
    from cxr_models.evaluation.metrics import Outcomes

_DRAWS = 2  # intervals are not checked
_UNCHECKED = ("interval", "intervals", "reason", "remark")


def clinic_agrees(outcomes: Outcomes, stored: Mapping[str, ClinicValues], tolerance: float) -> bool:
    """Return whether stored values equal those of the outcomes; intervals are not checked."""
    if tuple(stored) != outcomes.class_names:
        return False
    columns = [stored[name] for name in outcomes.class_names]
    first = columns[0]
    if any(len(values.at_specificity) != len(first.at_specificity) for values in columns):
        return False
    computed = clinic_values(
        outcomes,
        prevalences=[p.prevalence for p in first.predictive_values if p.of == "stated"],
        at_specificity=[
            (point.stated, [values.at_specificity[number].threshold for values in columns])
            for number, point in enumerate(first.at_specificity)
        ],
        draws=_DRAWS,
    )
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
