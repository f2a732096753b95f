"""Evaluation, step by step, of one run or of the stored predictions of a third-party model.

Each step is a function, because the exit status of a command depends on the step: wrong options and
failed work have different ones. This module imports a deep-learning framework only to predict.
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
    is_foreign,
    kept_externals,
    read_threshold_and_remarks,
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
_MORE_COLUMNS_OF_TABLE = (
    "Add the column to its table, and evaluate the table again: cxr-models evaluate-predictions "
    "TABLE --out DIR."
)
_CURES = {
    option: f"Leave out {option}, or evaluate its table again, with the table of that part: "
    "cxr-models evaluate-predictions TABLE --validation FILE --out DIR."
    for option in ("--sensitivity", "--at-specificity")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunToEvaluate:
    """A run with the settings of its evaluation."""

    name: str
    path: Path  # folder of the run
    run: FinishedRun | None  # None evaluates the predictions that are stored in the folder
    externals: dict[str, External]  # sets from other sources to predict
    method: Method
    columns: tuple[GroupColumn, ...]  # columns that divide images into groups
    remarks: tuple[str, ...] = ()  # assumptions about the table of a third-party model


def check_from_predictions(
    from_predictions: bool, externals: Sequence[str | os.PathLike[str]], split: object
) -> None:
    """Raise ValueError if stored predictions are requested together with other sets.

    Parameters
    ----------
    from_predictions : bool
        Whether stored predictions are evaluated.
    externals : sequence of str or PathLike
        Manifests of sets from other sources.
    split : object
        The split of the run; not empty if the option ``--split`` is given.
    """
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
    """Read sets from other sources and check, before any prediction, that a run can be evaluated.

    Parameters
    ----------
    run : FinishedRun
        The run.
    method : Method
        The settings of the evaluation.
    name : str, optional
        Name of the run in results; None uses the name of the run.
    externals : sequence of str or PathLike, default ()
        Manifests of sets from other sources; see `read_externals`.
    columns : sequence of GroupColumn, default ()
        Columns that divide images into groups.
    say : callable, optional
        Function that is called with each sentence for the user.

    Raises
    ------
    ValueError
        If `read_externals` rejects a set, or a column cannot divide the tested images into groups.
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
    """Return a run, or a third-party model, whose stored predictions are evaluated.

    The threshold and the remarks of a third-party model come from its earlier evaluation.

    Parameters
    ----------
    path : str or PathLike
        Folder of the run.
    method : Method
        The settings of the evaluation.
    name : str
        Name of the run in results.
    columns : sequence of GroupColumn, default ()
        Columns that divide images into groups.
    say : callable, optional
        Function that is called with each sentence for the user.

    Raises
    ------
    ValueError
        If a table's first line is damaged.
    OSError
        If a file cannot be read.
    """
    remarks: tuple[str, ...] = ()
    if is_foreign(path):
        threshold, remarks = read_threshold_and_remarks(path, say=say)
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
    job: RunToEvaluate,
    *,
    replace: bool = True,
    say: Callable[[str], object] | None = None,
    before_model: Callable[[], object] | None = None,
) -> Sequence[AnyPredictions]:
    """Predict the sets of a run, or read its stored predictions.

    Parameters
    ----------
    job : RunToEvaluate
        The run. Its stored predictions are read if ``job.run`` is None.
    replace, say, before_model
        See `cxr_models.inference.predict_sets.predict_sets`.

    Raises
    ------
    ValueError
        If stored predictions were changed, or the logits of the model are not finite.
    OSError
        If a file cannot be read.
    """
    if job.run is None:
        return with_split_columns(job.path, stored_sets(job.path), job.columns)
    return predict_all_sets(
        job.run,
        job.externals,
        columns={column.name for column in job.columns},
        replace=replace,
        say=say,
        before_model=before_model,
    )


def joined_sets(
    job: RunToEvaluate,
    sets: Sequence[AnyPredictions],
    *,
    say: Callable[[str], object] | None = None,
) -> Sequence[AnyPredictions]:
    """Check that stored sets can be evaluated, and join images to patients or studies.

    Parameters
    ----------
    job : RunToEvaluate
        The run.
    sets : sequence of Predictions or FindingPredictions
        The result of `sets_to_evaluate`.
    say : callable, optional
        Function that is called with each sentence for the user.

    Raises
    ------
    ValueError
        If an option is not allowed with the sets, a column cannot divide the tested images into
        groups, or images cannot be joined.
    """
    if job.run is None:
        cure = _MORE_COLUMNS
        if all(predictions.origin.is_foreign for predictions in sets):
            check_validation(job.name, sets, job.method, _CURES)
            cure = _MORE_COLUMNS_OF_TABLE
        check_columns_of_sets(job.columns, sets, cure=cure)
    of_units = joined(sets, job.method.aggregate)
    if say is not None:
        for line in lines_on_joining(sets, job.method.aggregate):
            say(line)
        for line in lines_on_unstated(of_units, job.columns):
            say(line)
    return of_units


def evaluated(
    job: RunToEvaluate, sets: Sequence[AnyPredictions]
) -> Evaluation | FindingsEvaluation:
    """Return the evaluation of sets, with the values of groups in them.

    Parameters
    ----------
    job : RunToEvaluate
        The run.
    sets : sequence of Predictions or FindingPredictions
        The result of `joined_sets`.

    Raises
    ------
    ValueError
        If a run of this package has no set ``val``, or a column makes too many groups.
    """
    evaluation = evaluate_any(job.name, sets, job.method)
    evaluation = with_any_subgroups(evaluation, sets, job.columns, job.method)
    return dataclasses.replace(evaluation, remarks=job.remarks)
