"""`cxr-models evaluate`: runs to predictions, predictions to values with intervals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cxr_models._json import read_json
from cxr_models._outputs import Kind, check_output, replaces_output
from cxr_models._typed_json import converted, to_json
from cxr_models.cli import _console
from cxr_models.cli._evaluation_text import evaluation_lines, several_lines
from cxr_models.cli._framework import load_framework
from cxr_models.evaluation.aggregate import aggregated_sets
from cxr_models.evaluation.compare_runs import compare_or_pool, differing, have_equal_tests
from cxr_models.evaluation.comparisons import SeveralRuns
from cxr_models.evaluation.evaluate import evaluate_sets
from cxr_models.evaluation.externals import read_externals
from cxr_models.evaluation.seeds import groups_by_seed, spread_over_seeds
from cxr_models.evaluation.stored import kept_externals, stored_sets, write_evaluation
from cxr_models.inference.predict_sets import predict_sets
from cxr_models.runs.finished import read_run
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.externals import External
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.evaluation.results import Evaluation
    from cxr_models.evaluation.seeds_results import SeedSpread
    from cxr_models.runs.finished import FinishedRun


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
    split: Path | None,
    from_predictions: bool,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Evaluate every run, and several together."""
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
            finished = read_run(path, split=split)
            finished_runs[name] = finished, read_externals(finished, externals, say=_complain)
    evaluations: dict[str, Evaluation] = {}
    sets: dict[str, Sequence[Predictions]] = {}
    for name, path in zip(names, runs, strict=True):
        # A comparison leaves the evaluation of a run as it is, though it may be of other sets, by
        # another method or of former weights: it takes values of the predictions, which are the
        # same where nothing has changed. A run without an evaluation gets one, for predict, export
        # and report, and because nothing is lost by it.
        evaluation_file = RunFolder(path=path).evaluation_file
        write = len(runs) == 1 or not evaluation_file.is_file()
        if from_predictions:
            with _console.errors_exit_with(_console.FAILED):
                sets[name] = stored_sets(path)
        else:
            sets[name] = _predicted(*finished_runs[name], replace=write)
        with _console.errors_exit_with(_console.WRONG_USAGE):
            sets[name] = aggregated_sets(sets[name], method.aggregate)
        with _console.errors_exit_with(_console.FAILED):
            evaluations[name] = evaluate_sets(name, sets[name], method)
            if write:
                write_evaluation(path, evaluations[name])
        if not as_json:
            for line in evaluation_lines(evaluations[name]):
                _console.say(_console.printable(line))
            outcome = (
                f"wrote {evaluation_file}"
                if write
                else f"{evaluation_file} stays as it is: runs are compared"
            )
            _console.say(_console.printable(outcome) + "\n")
    result: Evaluation | SeveralRuns = evaluations[names[0]]
    if len(runs) > 1:
        with _console.errors_exit_with(_console.FAILED):
            settings = _settings_of(names, runs)
            result = several = converted(
                SeveralRuns,
                compare_or_pool(sets, method),
                runs=evaluations,
                differ=_differing(settings),
                seeds=_seeds(settings, sets, evaluations, method),
            )
            if out is not None:
                with replaces_output(
                    out, COMPARISON, overwrite=overwrite, inputs=externals
                ) as temporary:
                    temporary.write_text(json.dumps(to_json(several), allow_nan=False) + "\n")
        if not as_json:
            for line in several_lines(several):
                _console.say(_console.printable(line))
    if as_json:
        _console.say(json.dumps(to_json(result)))
    else:
        _console.say("Beside every accuracy belongs what shortcuts reach: cxr-models audit SPLIT.")
    return 0


def _predicted(
    run: FinishedRun, externals: Mapping[str, External], *, replace: bool
) -> list[Predictions]:
    """Return all sets of a run: its parts, `externals`, and other sources predicted before."""
    with _console.errors_exit_with(_console.FAILED):
        sets = predict_sets(
            run, externals, replace=replace, say=_complain, before_model=_load_framework
        )
        stored = kept_externals(run, externals)
    for predictions in stored.sets:
        _complain(f"{predictions.name}: predicted before, and evaluated with the other sets")
    for table in stored.outdated:
        _complain(
            f"{table} is left out: the run's weights or settings have changed since. Predict its "
            "set again with --external"
        )
    return [*sets, *stored.sets]


def _load_framework() -> None:
    load_framework()
    _console.note_on_terminal("building the network")


def _settings_of(names: Sequence[str], runs: Sequence[Path]) -> dict[str, RunConfig]:
    """Return the settings of each run; none if predictions of a run lie without settings."""
    folders = [RunFolder(path=path) for path in runs]
    if not all(folder.config_file.is_file() for folder in folders):
        return {}
    return {name: folder.read_config() for name, folder in zip(names, folders, strict=True)}


def _differing(settings: Mapping[str, RunConfig]) -> dict[str, dict[str, object]]:
    """Return in what settings runs differ."""
    return differing(settings) if settings else {}


def _seeds(
    settings: Mapping[str, RunConfig],
    sets: Mapping[str, Sequence[Predictions]],
    evaluations: Mapping[str, Evaluation],
    method: Method,
) -> tuple[SeedSpread, ...]:
    """Return the spread of every group of runs that differ in the seed alone."""
    spreads: list[SeedSpread] = []
    for group in groups_by_seed(settings):
        of_group = {name: sets[name] for name in group}
        if have_equal_tests(of_group):
            seeds = {name: settings[name].training.seed for name in group}
            spreads += spread_over_seeds(of_group, evaluations, seeds, method)
    return tuple(spreads)


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
