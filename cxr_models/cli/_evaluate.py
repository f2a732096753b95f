"""`cxr-models evaluate`: runs to predictions, predictions to values with intervals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cxr_models import evaluation
from cxr_models.cli import _console
from cxr_models.cli._evaluation_text import evaluation_lines, together_lines
from cxr_models.finished_run import read_run
from cxr_models.several_runs import together
from cxr_models.whole_files import appears_whole, check_free

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxr_models.judging import Method
    from cxr_models.predictions import Predictions


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
                "`--from-predictions` must not be given with --external or --split: it takes the "
                "sets that were predicted."
            )
        if out is not None and len(runs) < 2:
            raise ValueError("`--out` must be given with several runs; one has its own folder.")
        if out is not None:
            check_free(out, overwrite=overwrite)
        if split is not None and len(runs) > 1:
            raise ValueError("`--split` must be given with one run.")
    told: dict[str, Any] = {"runs": {}}
    sets: dict[str, Sequence[Predictions]] = {}
    for name, path in zip(names, runs, strict=True):
        with _console.errors_exit_with(
            _console.FAILED if from_predictions else _console.WRONG_USAGE
        ):
            if from_predictions:
                sets[name] = evaluation.stored_sets(path)
            else:
                run = read_run(path, split=split)
                manifests = evaluation.read_externals(run, externals)
        with _console.errors_exit_with(_console.FAILED):
            if not from_predictions:
                sets[name] = evaluation.predict_sets(run, manifests, say=_console.complain)
            told["runs"][name] = evaluation.evaluate(name, sets[name], method)
            written = evaluation.write_evaluation(path, told["runs"][name])
        if not as_json:
            for line in evaluation_lines(told["runs"][name]):
                _console.say(_console.printable(line))
            _console.say(_console.printable(f"wrote {written}") + "\n")
    if len(runs) > 1:
        with _console.errors_exit_with(_console.FAILED):
            told |= together(sets, method)
            if out is not None:
                with appears_whole(out, overwrite=overwrite) as temporary:
                    temporary.write_text(json.dumps(told, allow_nan=False) + "\n")
        if not as_json:
            for line in together_lines(told):
                _console.say(_console.printable(line))
    if as_json:
        _console.say(json.dumps(told if len(runs) > 1 else told["runs"][names[0]]))
    else:
        _console.say("Beside every accuracy belongs what shortcuts reach: cxr-models audit SPLIT.")
    return 0


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
