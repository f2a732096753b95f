"""What commands and functions of the library let a caller choose, as a `Method`."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.operating_points import Rule
from cxr_models.evaluation.results import Aggregation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.group_columns import GroupColumn


def method_of(
    *,
    draws: int,
    seed: int,
    sensitivity: float | None = None,
    prevalence: float | Sequence[float] = (),
    at_specificity: float | Sequence[float] = (),
    aggregate: str | None = None,
    aggregate_by: str | None = None,
) -> Method:
    """Return the method that options ask for.

    Raises
    ------
    TypeError
        If an option that takes numbers is none.
    ValueError
        If a number is out of range, a word is not known, or options do not go together.
    """
    return Method(
        draws=draws,
        seed=seed,
        rule=Rule(sensitivity=sensitivity),
        prevalences=_shares(prevalence, "prevalence"),
        specificities=_shares(at_specificity, "at_specificity"),
        aggregate=aggregation_of(aggregate, aggregate_by),
    )


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


def columns_of(by: str | Sequence[str] | None) -> tuple[GroupColumn, ...]:
    """Return the columns that make groups of images, as `parse_columns` reads them.

    Raises
    ------
    TypeError
        If they are not text.
    ValueError
        As `parse_columns`.
    """
    words = by if isinstance(by, list | tuple) else [by or ""]
    if not all(isinstance(word, str) for word in words):
        raise TypeError(f"`by` must name columns, such as 'sex,age'; got {by!r}.")
    return parse_columns(None if by is None else ",".join(map(str, words)))


def check_validation(
    name: str, sets: Iterable[AnyPredictions], method: Method, cures: Mapping[str, str]
) -> None:
    """Raise ValueError if a method chooses thresholds on a part val that a model of others lacks.

    Parameters
    ----------
    name : str
        Name of the model.
    sets : iterable of Predictions or FindingPredictions
        The sets of the model.
    method : Method
        How thresholds are chosen.
    cures : mapping of str to str
        What to do, by option.
    """
    if any(predictions.kind == "val" for predictions in sets):
        return
    for option, given in (
        ("--sensitivity", method.rule.sensitivity is not None),
        ("--at-specificity", bool(method.specificities)),
    ):
        if given:
            raise ValueError(
                f"`{option}` is only allowed with a validation part, on which thresholds are "
                f"chosen; got none in {name}. {cures[option]}"
            )


def _shares(given: object, name: str) -> tuple[float, ...]:
    values = given if isinstance(given, list | tuple) else (given,)
    if not all(isinstance(value, numbers.Real) for value in values):
        raise TypeError(f"`{name}` must be a number, or a list of numbers; got {given!r}.")
    return tuple(map(float, values))
