"""Conversion of command-line options and function arguments to the settings of an evaluation."""

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
    """Return the `Method` for the given options.

    Parameters
    ----------
    draws : int
        Number of bootstrap draws; at least 100.
    seed : int
        Seed of the bootstrap draws; at least 0.
    sensitivity : float, optional
        Minimum sensitivity of the operating points; None uses Youden's index.
    prevalence : float or sequence of float, default ()
        Prevalences, between 0 and 1, at which predictive values are computed. If empty, the share
        of each class in its set is the prevalence.
    at_specificity : float or sequence of float, default ()
        Specificities, between 0 and 1, at which sensitivities are computed.
    aggregate : {"patient", "study"}, optional
        The unit whose images are joined to one row; None joins no images.
    aggregate_by : {"mean", "max"}, optional
        The rule that joins the images of a unit; None is ``mean``.

    Raises
    ------
    TypeError
        If an option that takes numbers is not a number.
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
    """Return the `Aggregation` for the options `--aggregate` and `--aggregate-by`.

    Parameters
    ----------
    unit : {"patient", "study"} or None
        The unit whose images are joined to one row; None joins no images.
    rule : {"mean", "max"} or None
        The rule that joins the images of a unit; None is ``mean``.

    Returns
    -------
    Aggregation or None
        None without a unit.

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
    """Return the columns that divide images into groups.

    Parameters
    ----------
    by : str or sequence of str or None
        Column names in the form of `parse_columns`, such as ``sex,age``; None gives no columns.

    Raises
    ------
    TypeError
        If `by` is not text or a sequence of texts.
    ValueError
        If `parse_columns` cannot read the text.
    """
    words = by if isinstance(by, list | tuple) else [by or ""]
    if not all(isinstance(word, str) for word in words):
        raise TypeError(f"`by` must name columns, such as 'sex,age'; got {by!r}.")
    return parse_columns(None if by is None else ",".join(map(str, words)))


def check_validation(
    name: str, sets: Iterable[AnyPredictions], method: Method, cures: Mapping[str, str]
) -> None:
    """Raise ValueError if a method needs a validation part that a third-party model lacks.

    Parameters
    ----------
    name : str
        Name of the model.
    sets : iterable of Predictions or FindingPredictions
        The sets of the model.
    method : Method
        The settings of the evaluation.
    cures : mapping of str to str
        For each option, a sentence that tells the user what to do.
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
