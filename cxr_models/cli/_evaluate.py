"""`cxr-models evaluate`: predict the sets of runs, and evaluate and compare the predictions."""

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
from cxr_models.config import with_named_weights
from cxr_models.evaluation.findings_results import FindingsEvaluation, SeveralFindingRuns
from cxr_models.evaluation.several_runs import several_runs
from cxr_models.evaluation.stored import is_foreign, write_evaluation
from cxr_models.inference.evaluated_runs import (
    RunToEvaluate,
    check_from_predictions,
    evaluated,
    joined_sets,
    run_to_evaluate,
    sets_to_evaluate,
    stored_to_evaluate,
)
from cxr_models.runs.finished import read_run
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.comparisons import SeveralRuns
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.group_columns import GroupColumn
    from cxr_models.evaluation.results import Evaluation


def _is_comparison(path: Path) -> bool:
    content = read_json(path)
    return (
        isinstance(content, dict)
        and content.keys() > {"runs"}
        and bool(content.keys() & {"comparisons", "pooled"})
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
    """Evaluate every run, with the subgroups of `columns`, and compare or pool several runs."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        names = names_of(runs)
        _check_options(runs, externals, split=split, from_predictions=from_predictions, out=out)
        if out is not None:
            check_output(out, COMPARISON, overwrite=overwrite, inputs=externals)
        jobs = [
            _job_of(
                name, path, externals, method, columns, split=split, predict=not from_predictions
            )
            for name, path in zip(names, runs, strict=True)
        ]
    evaluations: dict[str, Evaluation | FindingsEvaluation] = {}
    sets: dict[str, Sequence[AnyPredictions]] = {}
    for job in jobs:
        # A comparison of several runs does not replace the stored evaluation of a run, even if that
        # evaluation has other sets, another method or former weights: the comparison is computed
        # from the predictions. A run without a stored evaluation gets one, because predict, export
        # and report need it and nothing is replaced.
        name, evaluation_file = job.name, RunFolder(path=job.path).evaluation_file
        write = len(runs) == 1 or not evaluation_file.is_file()
        with _console.errors_exit_with(_console.FAILED):
            sets[name] = sets_to_evaluate(
                job, replace=write, say=_complain, before_model=_load_framework
            )
        with _console.errors_exit_with(_console.WRONG_USAGE):
            sets[name] = joined_sets(job, sets[name], say=_complain)
        with _console.errors_exit_with(_console.FAILED):
            evaluations[name] = evaluated(job, sets[name])
            if write:
                write_evaluation(job.path, evaluations[name])
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


def _check_options(
    runs: Sequence[Path],
    externals: Sequence[Path],
    *,
    split: Path | None,
    from_predictions: bool,
    out: Path | None,
) -> None:
    """Raise ValueError if options contradict each other or a run's folder does not exist."""
    check_from_predictions(from_predictions, externals, split)
    if out is not None and len(runs) < 2:
        raise ValueError(
            "`--out` is only allowed with several runs; got one, whose evaluation is written "
            "to its own folder."
        )
    if split is not None and len(runs) > 1:
        raise ValueError(f"`--split` is only allowed with one run; got {len(runs)}.")
    for path in runs:
        if not path.is_dir():
            raise ValueError(f"`RUN` must be the folder of a run; got {str(path)!r}.")


def _job_of(
    name: str,
    path: Path,
    externals: Sequence[Path],
    method: Method,
    columns: Sequence[GroupColumn],
    *,
    split: Path | None,
    predict: bool,
) -> RunToEvaluate:
    """Return a run to evaluate, with its options.

    Without `predict`, and for a third-party model, the stored predictions are evaluated.
    """
    foreign = predict and is_foreign(path)
    if foreign:
        _check_foreign(path, externals, split)
    if foreign or not predict:
        return stored_to_evaluate(path, method, name=name, columns=columns, say=_complain)
    return run_to_evaluate(
        read_run(path, split=split),
        method,
        name=name,
        externals=externals,
        columns=columns,
        say=_complain,
    )


def _check_foreign(path: Path, externals: Sequence[Path], split: Path | None) -> None:
    """Raise ValueError if options ask a third-party model for new predictions.

    Only its stored predictions exist, so it cannot predict another set or split.
    """
    if externals or split:
        raise ValueError(
            f"`{'--external' if externals else '--split'}` is only allowed with runs of cxr-models "
            f"train; got {str(path)!r}, predictions of a third-party model."
        )


def say_several(several: SeveralRuns | SeveralFindingRuns) -> None:
    """Print the comparisons, the spread over seeds and the pooled values of several runs."""
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
    """Return the settings of each run; an empty dictionary if any run has no settings file.

    A weights file is given by its name and hash, because its path differs between machines.
    """
    folders = [RunFolder(path=path) for path in runs]
    if not all(folder.config_file.is_file() for folder in folders):
        return {}
    settings = {}
    for name, folder in zip(names, folders, strict=True):
        sha256 = folder.read_facts().weights_sha256 if folder.facts_file.is_file() else None
        settings[name] = with_named_weights(folder.read_config(), sha256)
    return settings


def _complain(text: str) -> None:
    _console.complain(_console.printable(text))


def names_of(runs: Sequence[Path]) -> list[str]:
    """Return a different name for each run: the last parts of its path, as few as are needed.

    Raises
    ------
    ValueError
        If two paths are the same folder.
    """
    paths = [run.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise ValueError("`RUN` must name different runs; got one twice.")
    deepest = max(len(path.parts) for path in paths)
    for depth in range(1, deepest + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
