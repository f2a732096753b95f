"""Parsing of the options that `evaluate` and `evaluate-predictions` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.cli import _console
from cxr_models.cli._numbers import numbers_of
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.options import method_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.group_columns import GroupColumn


def evaluation_options(
    draws: int,
    seed: int,
    sensitivity: float | None,
    prevalence: Sequence[str] | None,
    at_specificity: Sequence[str] | None,
    aggregate: str | None,
    aggregate_by: str | None,
    by: Sequence[str] | None,
) -> tuple[Method, tuple[GroupColumn, ...]]:
    """Return the method of evaluation and the columns of subgroups from the options.

    If an option is invalid, print a sentence about it and exit.
    """
    with _console.errors_exit_with(_console.WRONG_USAGE):
        method = method_of(
            draws=draws,
            seed=seed,
            sensitivity=sensitivity,
            prevalence=numbers_of(_comma_separated(prevalence), "--prevalence"),
            at_specificity=numbers_of(_comma_separated(at_specificity), "--at-specificity"),
            aggregate=aggregate,
            aggregate_by=aggregate_by,
        )
        return method, parse_columns(_comma_separated(by))


def _comma_separated(words: Sequence[str] | None) -> str | None:
    """Join the values of a repeated option with commas; return None if there are no values."""
    return ",".join(words) if words else None
