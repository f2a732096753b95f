"""The options that join images to patients or studies."""

from __future__ import annotations

from typing import Any

from cxr_models.evaluation.results import Aggregation


def aggregation_of(unit: str | None, rule: str | None) -> Aggregation | None:
    """Return what `--aggregate` and `--aggregate-by` ask for.

    Raises
    ------
    ValueError
        If a word is not known, or a rule is given without a unit.
    """
    if unit is None:
        if rule is not None:
            raise ValueError(
                f"`--aggregate-by` is only allowed with --aggregate; got {rule!r}. Add --aggregate "
                "patient, or study."
            )
        return None
    of: Any = unit  # the record checks both words
    by: Any = rule or "mean"
    return Aggregation(of=of, by=by)
