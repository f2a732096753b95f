"""Predictions and evaluations in the folder of a run; neither images nor TensorFlow are needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cxr_enhance
from cxr_enhance.io.atomic import write_whole
from cxr_models.evaluation.evaluate import judge
from cxr_models.evaluation.predictions import (
    Predictions,
    read_origin,
    read_predictions,
)
from cxr_models.records.manifest import SPLITS
from cxr_models.runs.finished import file_sha256
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Container, Mapping, Sequence

    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.predictions import Kind
    from cxr_models.runs.finished import FinishedRun

FOLDER = "evaluation"


class KeptExternals(NamedTuple):
    """Sets from other sources that were predicted before.

    Parameters
    ----------
    sets : list of Predictions
        Those of the run as it is.
    outdated : list of Path
        Tables of other weights or settings, whose values are not the run's any more.
    """

    sets: list[Predictions]
    outdated: list[Path]


def evaluation_folder(run: FinishedRun) -> Path:
    """Return where the predictions of a run and their evaluation lie."""
    return run.folder.path / FOLDER


def evaluation_file(path: str | os.PathLike[str]) -> Path:
    """Return where the evaluation of the run in `path` lies, if it has one."""
    return Path(path) / FOLDER / "evaluation.json"


def table_name(name: str, kind: Kind) -> str:
    """Return the name of the file that holds the predictions of a set."""
    return f"external-{name}.csv" if kind == "external" else f"{name}.csv"


def stored_sets(path: str | os.PathLike[str]) -> list[Predictions]:
    """Read all predictions in the folder of a run; its images are not needed.

    Raises
    ------
    ValueError
        If there are none, some were changed, one is not the set its name says, or they are not all
        of the run's weights and settings.
    OSError
        If a file cannot be read.
    """
    folder = RunFolder(path=Path(path))
    folder.check_confined()
    tables = [folder.path / FOLDER / f"{part}.csv" for part in SPLITS]
    tables = [table for table in tables if table.is_file()]
    tables += _external_tables(folder.path / FOLDER)
    if not tables:
        raise ValueError(
            f"`RUN` must hold predictions; got {str(path)!r}, which holds none. Make them by "
            "leaving out --from-predictions."
        )
    sets = [_read_set(table) for table in tables]
    first = sets[0]
    weights, config = first.origin.weights_sha256, first.origin.config_sha256
    if folder.best_weights.is_file():  # which need not be where predictions are judged
        weights = file_sha256(folder.best_weights)
    for table, one in zip(tables, sets, strict=True):
        changed = "weights" if one.origin.weights_sha256 != weights else "settings"
        same = (one.origin.config_sha256, one.class_names, one.labels)
        if changed == "weights" or same != (config, first.class_names, first.labels):
            raise ValueError(
                f"`RUN` must hold predictions of its own weights and settings; got {str(table)!r}, "
                f"whose {changed} have changed since. Predict {one.name} again by leaving out "
                "--from-predictions, or delete that file."
            )
    return sets


def kept_externals(run: FinishedRun, named: Container[str]) -> KeptExternals:
    """Read the sets from other sources that earlier evaluations of a run predicted.

    Parameters
    ----------
    run : FinishedRun
        The run.
    named : container of str
        Sets that are predicted anew, and not read.

    Raises
    ------
    ValueError
        If a table was changed or is not the set its name says.
    OSError
        If a file cannot be read.
    """
    kept = KeptExternals([], [])
    own = run.weights_sha256, file_sha256(run.folder.path / "config.json")
    for table in _external_tables(run.folder.path / FOLDER):
        if table.stem.removeprefix("external-") in named:
            continue
        origin = read_origin(table)
        if origin is None or (origin.weights_sha256, origin.config_sha256) != own:
            kept.outdated.append(table)
        else:
            kept.sets.append(_read_set(table))
    return kept


def evaluate(name: str, sets: Sequence[Predictions], method: Method) -> dict[str, Any]:
    """Judge the sets of a run; see `cxr_models.evaluation.evaluate.judge`.

    Parameters
    ----------
    name : str
        The run's.
    sets : sequence of Predictions
        Its sets.
    method : Method
        How.
    """
    return {
        "run": name,
        "version": cxr_enhance.__version__,
        "weights_sha256": sets[0].origin.weights_sha256,
        **judge(sets, method),
    }


def write_evaluation(path: str | os.PathLike[str], evaluation: Mapping[str, Any]) -> Path:
    """Write an evaluation beside the predictions of the run in `path`, and return its name."""
    target = evaluation_file(path)
    write_json(target, evaluation)
    return target


def write_json(path: Path, told: Mapping[str, Any]) -> None:
    """Write one JSON object, whole or not at all."""
    write_whole(path, json.dumps(told, allow_nan=False) + "\n")


def _external_tables(folder: Path) -> list[Path]:
    return sorted(folder.glob("external-*.csv"))


def _read_set(table: Path) -> Predictions:
    read = read_predictions(table)
    if table.name != table_name(read.name, read.kind):
        raise ValueError(
            f"`{table.name}` must hold the set its name says; got {str(table)!r}, which holds "
            f"{read.name}. Delete it, and evaluate the run again."
        )
    return read
