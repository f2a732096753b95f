"""`cxr-models evaluate`: runs to predictions, predictions to values with intervals."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from cxr_models._json import read_json
from cxr_models._outputs import Kind, check_output, replaces_output
from cxr_models._typed_json import to_json
from cxr_models.cli import _console
from cxr_models.cli._evaluation_text import evaluation_lines, several_lines
from cxr_models.cli._findings_text import findings_lines, several_findings_lines
from cxr_models.cli._framework import load_framework
from cxr_models.cli._subgroups_text import finding_subgroup_lines, subgroup_lines
from cxr_models.evaluation.any_task import (
    by_kind,
    check_options,
    evaluate_any,
    joined,
    with_any_subgroups,
)
from cxr_models.evaluation.externals import read_externals
from cxr_models.evaluation.findings_results import FindingsEvaluation, SeveralFindingRuns
from cxr_models.evaluation.group_columns import check_columns
from cxr_models.evaluation.several_runs import several_runs
from cxr_models.evaluation.stored import (
    is_foreign,
    kept_externals,
    stored_sets,
    with_split_columns,
    write_evaluation,
)
from cxr_models.evaluation.subgroups import records_of, tested, unstated_columns
from cxr_models.inference.all_sets import predict_all_sets
from cxr_models.runs.finished import read_run
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.comparisons import SeveralRuns
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.externals import External
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.group_columns import GroupColumn
    from cxr_models.evaluation.results import Evaluation
    from cxr_models.runs.finished import FinishedRun


def _is_comparison(path: Path) -> bool:
    content = read_json(path)
    return (
        isinstance(content, dict)
        and content.keys() > {"runs"}
        and bool(content.keys() & {"comparisons", "pooled"})
    )


_MORE_COLUMNS = (
    "Tables keep other columns of a manifest once they were asked for: leave out "
    "--from-predictions, and name the manifests of other sources with --external."
)
COMPARISON = Kind("what cxr-models evaluate wrote of several runs", _is_comparison)


def evaluate(
    runs: Sequence[Path],
    externals: Sequence[Path],
    method: Method,
    *,
    columns: Sequence[GroupColumn] = (),
    split: Path | None,
    from_predictions: bool,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Evaluate every run, the groups that `columns` make in its sets, and several together."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        names = names_of(runs)
        if from_predictions and (externals or split):
            raise ValueError(
                "`--from-predictions` is only allowed without --external and --split; got "
                f"{'--external' if externals else '--split'}. It takes the sets that were "
                "predicted before."
            )
        if out is not None and len(runs) < 2:
            raise ValueError(
                "`--out` is only allowed with several runs; got one, whose evaluation is written "
                "to its own folder."
            )
        if out is not None:
            check_output(out, COMPARISON, overwrite=overwrite, inputs=externals)
        if split is not None and len(runs) > 1:
            raise ValueError(f"`--split` is only allowed with one run; got {len(runs)}.")
        for path in runs:
            if not path.is_dir():
                raise ValueError(f"`RUN` must be the folder of a run; got {str(path)!r}.")
        finished_runs = {}
        for name, path in zip(names, runs, strict=True) if not from_predictions else ():
            if is_foreign(path):
                _check_foreign(path, externals, split)
                continue
            finished = read_run(path, split=split)
            read = read_externals(finished, externals, say=_complain)
            finished_runs[name] = finished, read
            if finished.config.model.task == "multilabel":
                check_options(name, method)
            if columns:
                _check_columns_of(finished, read, columns)
    evaluations: dict[str, Evaluation | FindingsEvaluation] = {}
    sets: dict[str, Sequence[AnyPredictions]] = {}
    for name, path in zip(names, runs, strict=True):
        # A comparison leaves the evaluation of a run as it is, though it may be of other sets, by
        # another method or of former weights: it takes values of the predictions, which are the
        # same where nothing has changed. A run without an evaluation gets one, for predict, export
        # and report, and because nothing is lost by it.
        evaluation_file = RunFolder(path=path).evaluation_file
        write = len(runs) == 1 or not evaluation_file.is_file()
        if name not in finished_runs:
            with _console.errors_exit_with(_console.FAILED):
                sets[name] = with_split_columns(path, stored_sets(path), columns)
            with _console.errors_exit_with(_console.WRONG_USAGE):
                if by_kind(sets[name])[0]:
                    check_options(name, method)
                check_stored_columns(sets[name], columns)
        else:
            sets[name] = _predicted(*finished_runs[name], columns, replace=write)
        with _console.errors_exit_with(_console.WRONG_USAGE):
            sets[name] = joined(sets[name], method.aggregate)
        say_unstated(sets[name], columns)
        with _console.errors_exit_with(_console.FAILED):
            evaluation = evaluate_any(name, sets[name], method)
            evaluations[name] = with_any_subgroups(evaluation, sets[name], columns, method)
            if write:
                write_evaluation(path, evaluations[name])
        if not as_json:
            say_evaluation(evaluations[name])
            outcome = (
                f"wrote {evaluation_file}"
                if write
                else f"{evaluation_file} stays as it is: runs are compared"
            )
            _console.say(_console.printable(outcome) + "\n")
    result: Evaluation | FindingsEvaluation | SeveralRuns | SeveralFindingRuns
    result = evaluations[names[0]]
    if len(runs) > 1:
        with _console.errors_exit_with(_console.FAILED):
            result = several = several_runs(evaluations, sets, method, _settings_of(names, runs))
            if out is not None:
                with replaces_output(
                    out, COMPARISON, overwrite=overwrite, inputs=externals
                ) as temporary:
                    temporary.write_text(json.dumps(to_json(several), allow_nan=False) + "\n")
        if not as_json:
            say_several(several)
    if as_json:
        _console.say(json.dumps(to_json(result)))
    else:
        is_of_findings = isinstance(result, FindingsEvaluation | SeveralFindingRuns)
        value = "area" if is_of_findings else "accuracy"
        _console.say(f"Beside every {value} belongs what shortcuts reach: cxr-models audit SPLIT.")
    return 0


def _check_columns_of(
    run: FinishedRun, externals: Mapping[str, External], columns: Sequence[GroupColumn]
) -> None:
    """Check columns before anything is predicted."""
    manifests = [run.split.select("test"), *(external.manifest for external in externals.values())]
    manifests += [predictions.manifest for predictions in kept_externals(run, externals).sets]
    check_columns(columns, [manifest.records for manifest in manifests])


def check_stored_columns(
    sets: Sequence[AnyPredictions], columns: Sequence[GroupColumn], cure: str = _MORE_COLUMNS
) -> None:
    """Check columns that tables must state."""
    check_columns(columns, [records_of(predictions) for predictions in tested(sets)], cure=cure)


def say_unstated(sets: Sequence[AnyPredictions], columns: Sequence[GroupColumn]) -> None:
    """Say which sets have no groups by a column that was asked for."""
    for name, column in unstated_columns(sets, columns):
        _complain(f"{name}: no image states {column}, so the set has no groups by it")


def _predicted(
    run: FinishedRun,
    externals: Mapping[str, External],
    columns: Sequence[GroupColumn],
    *,
    replace: bool,
) -> list[AnyPredictions]:
    """Return all sets of a run: its parts, `externals`, and other sources predicted before."""
    with _console.errors_exit_with(_console.FAILED):
        return predict_all_sets(
            run,
            externals,
            columns={column.name for column in columns},
            replace=replace,
            say=_complain,
            before_model=_load_framework,
        )


def _check_foreign(path: Path, externals: Sequence[Path], split: Path | None) -> None:
    """Raise if a model of others, which cannot predict anything here, is asked to."""
    if externals or split:
        raise ValueError(
            f"`{'--external' if externals else '--split'}` is only allowed with runs of cxr-models "
            f"train; got {str(path)!r}, predictions of a model of others."
        )


def say_several(several: SeveralRuns | SeveralFindingRuns) -> None:
    """Print what several runs are together."""
    lines = (
        several_findings_lines(several)
        if isinstance(several, SeveralFindingRuns)
        else several_lines(several)
    )
    for line in lines:
        _console.say(_console.printable(line))


def say_evaluation(evaluation: Evaluation | FindingsEvaluation) -> None:
    """Print the evaluation of a run."""
    lines = (
        itertools.chain(findings_lines(evaluation), finding_subgroup_lines(evaluation))
        if isinstance(evaluation, FindingsEvaluation)
        else itertools.chain(evaluation_lines(evaluation), subgroup_lines(evaluation))
    )
    for line in lines:
        _console.say(_console.printable(line))


def _load_framework() -> None:
    load_framework()
    _console.note_on_terminal("building the network")


def _settings_of(names: Sequence[str], runs: Sequence[Path]) -> dict[str, RunConfig]:
    """Return the settings of each run; none if predictions of a run lie without settings."""
    folders = [RunFolder(path=path) for path in runs]
    if not all(folder.config_file.is_file() for folder in folders):
        return {}
    return {name: folder.read_config() for name, folder in zip(names, folders, strict=True)}


def _complain(text: str) -> None:
    _console.complain(_console.printable(text))


def names_of(runs: Sequence[Path]) -> list[str]:
    """Name runs by their folders, with as much of the path as it takes to tell them apart."""
    paths = [run.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise ValueError("`RUN` must name different runs; got one twice.")
    deepest = max(len(path.parts) for path in paths)
    for depth in range(1, deepest + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
