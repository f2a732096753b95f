"""Evaluate one run, or what lies of a model of others, step by step.

Each step is a function, because a command exits otherwise where a caller asked for what is not
allowed than where the work failed. Imports no framework until there is something to predict.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models.evaluation.any_task import (
    evaluate_any,
    joined,
    lines_on_joining,
    with_any_subgroups,
)
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.externals import External, read_externals
from cxr_models.evaluation.group_columns import GroupColumn, check_columns
from cxr_models.evaluation.options import check_validation
from cxr_models.evaluation.stored import (
    given_before,
    is_foreign,
    kept_externals,
    stored_sets,
    with_split_columns,
)
from cxr_models.evaluation.subgroups import check_columns_of_sets, lines_on_unstated
from cxr_models.inference.all_sets import predict_all_sets
from cxr_models.runs.finished import FinishedRun

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.results import Evaluation

_MORE_COLUMNS = (
    "Tables keep other columns of a manifest once they were asked for: leave out "
    "--from-predictions, and name the manifests of other sources with --external."
)
_CURES = dict.fromkeys(
    ("--sensitivity", "--at-specificity"),
    "Evaluate its table again, with the table of that part: cxr-models evaluate-predictions TABLE "
    "--validation FILE --out DIR.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunToEvaluate:
    """A run, and how it is evaluated."""

    name: str
    path: Path
    run: FinishedRun | None  # None: the predictions that lie there are evaluated
    externals: dict[str, External]
    method: Method
    columns: tuple[GroupColumn, ...]  # that make groups of images
    remarks: tuple[str, ...] = ()  # on the table of a model of others


def check_from_predictions(
    from_predictions: bool, externals: Sequence[str | os.PathLike[str]], split: object
) -> None:
    """Raise ValueError if sets are named where those that were predicted before are asked for."""
    if from_predictions and (externals or split):
        raise ValueError(
            "`--from-predictions` is only allowed without --external and --split; got "
            f"{'--external' if externals else '--split'}. It takes the sets that were "
            "predicted before."
        )


def run_to_evaluate(
    run: FinishedRun,
    method: Method,
    *,
    name: str | None = None,
    externals: Sequence[str | os.PathLike[str]] = (),
    columns: Sequence[GroupColumn] = (),
    say: Callable[[str], object] | None = None,
) -> RunToEvaluate:
    """Read sets from other sources, and check before the work that a run can be evaluated.

    Raises
    ------
    ValueError
        If a set holds images of the run's training, or no tested image states a column.
    OSError
        If a file cannot be read.
    """
    name = run.name if name is None else name
    read = read_externals(run, externals, say=say)
    if columns:
        manifests = [run.split.select("test"), *(external.manifest for external in read.values())]
        manifests += [predictions.manifest for predictions in kept_externals(run, read).sets]
        check_columns(columns, [manifest.records for manifest in manifests])
    return RunToEvaluate(
        name=name,
        path=run.folder.path,
        run=run,
        externals=read,
        method=method,
        columns=tuple(columns),
    )


def stored_to_evaluate(
    path: str | os.PathLike[str],
    method: Method,
    *,
    name: str,
    columns: Sequence[GroupColumn] = (),
    say: Callable[[str], object] | None = None,
) -> RunToEvaluate:
    """Return a run whose stored predictions are evaluated, or a model of others.

    Of a model of others, the threshold and the remarks are those of its evaluation.

    Raises
    ------
    ValueError
        If a table's first line is damaged.
    OSError
        If a file cannot be read.
    """
    remarks: tuple[str, ...] = ()
    if is_foreign(path):
        threshold, remarks = given_before(path, say=say)
        if threshold is not None:
            rule = dataclasses.replace(method.rule, threshold=threshold)
            method = dataclasses.replace(method, rule=rule)
    if say is not None:
        for remark in remarks:
            say(f"{name}: {remark}")
    return RunToEvaluate(
        name=name,
        path=Path(path),
        run=None,
        externals={},
        method=method,
        columns=tuple(columns),
        remarks=remarks,
    )


def sets_to_evaluate(
    asked: RunToEvaluate,
    *,
    replace: bool = True,
    say: Callable[[str], object] | None = None,
    before_model: Callable[[], object] | None = None,
) -> Sequence[AnyPredictions]:
    """Predict the sets of a run, or read what was predicted.

    Parameters
    ----------
    asked : RunToEvaluate
        The run.
    replace, say, before_model
        As of `cxr_models.inference.predict_sets.predict_sets`.

    Raises
    ------
    ValueError
        If predictions that lie there were changed, or the model gives no numbers.
    OSError
        If a file cannot be read.
    """
    if asked.run is None:
        return with_split_columns(asked.path, stored_sets(asked.path), asked.columns)
    return predict_all_sets(
        asked.run,
        asked.externals,
        columns={column.name for column in asked.columns},
        replace=replace,
        say=say,
        before_model=before_model,
    )


def joined_sets(
    asked: RunToEvaluate,
    sets: Sequence[AnyPredictions],
    *,
    say: Callable[[str], object] | None = None,
) -> Sequence[AnyPredictions]:
    """Check that stored sets can be evaluated as asked; join images to patients or studies.

    Raises
    ------
    ValueError
        If an option is not allowed with the sets, no image of them states a column, or images
        cannot be joined.
    """
    if asked.run is None:
        if all(predictions.origin.is_foreign for predictions in sets):
            check_validation(asked.name, sets, asked.method, _CURES)
        check_columns_of_sets(asked.columns, sets, cure=_MORE_COLUMNS)
    of_units = joined(sets, asked.method.aggregate)
    if say is not None:
        for line in lines_on_joining(sets, asked.method.aggregate):
            say(line)
        for line in lines_on_unstated(of_units, asked.columns):
            say(line)
    return of_units


def evaluated(
    asked: RunToEvaluate, sets: Sequence[AnyPredictions]
) -> Evaluation | FindingsEvaluation:
    """Return the values of the sets that `joined_sets` returned, and of groups in them.

    Raises
    ------
    ValueError
        If there is no set ``val``, or a column makes too many groups.
    """
    evaluation = evaluate_any(asked.name, sets, asked.method)
    evaluation = with_any_subgroups(evaluation, sets, asked.columns, asked.method)
    return dataclasses.replace(evaluation, remarks=asked.remarks)
