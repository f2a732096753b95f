"""Read and write predictions and evaluations in a run's folder, without images or TensorFlow."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cxr_models._typed_json import from_json, read_object, write_record
from cxr_models.evaluation.finding_predictions import (
    AnyPredictions,
    FindingPredictions,
    read_any_predictions,
    write_finding_predictions,
)
from cxr_models.evaluation.further_columns import completed, with_kept
from cxr_models.evaluation.prediction_tables import read_origin
from cxr_models.evaluation.predictions import write_predictions
from cxr_models.evaluation.results import OperatingPoints
from cxr_models.records.manifest import SPLITS, read_manifest
from cxr_models.runs.finished import file_sha256
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Container, Sequence

    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.group_columns import GroupColumn
    from cxr_models.evaluation.results import Evaluation
    from cxr_models.runs.finished import FinishedRun


class KeptExternals(NamedTuple):
    """Sets from other sources that earlier evaluations predicted."""

    sets: list[AnyPredictions]  # predicted with the run's present weights and settings
    outdated: list[Path]  # tables that were predicted with other weights or settings


def is_foreign(path: str | os.PathLike[str]) -> bool:
    """Return whether a folder holds the predictions of a model of others, and no run.

    Raises
    ------
    ValueError
        If a table's first line is damaged.
    OSError
        If a file cannot be read.
    """
    folder = RunFolder(path=Path(path))
    if folder.config_file.exists() or folder.facts_file.exists():
        return False
    origins = [read_origin(table) for table in _tables(folder)]
    return bool(origins) and all(origin is not None and origin.is_foreign for origin in origins)


def write_sets(path: str | os.PathLike[str], sets: Sequence[AnyPredictions]) -> None:
    """Write the predictions of a model of others into a new folder, as those of a run lie."""
    folder = RunFolder(path=Path(path))
    folder.evaluation_folder.mkdir(parents=True)
    for predictions in sets:
        table = folder.predictions_file(predictions.name, external=predictions.kind == "external")
        if isinstance(predictions, FindingPredictions):
            write_finding_predictions(table, predictions)
        else:
            write_predictions(table, predictions)


def stored_sets(path: str | os.PathLike[str]) -> list[AnyPredictions]:
    """Read all predictions in the folder of a run; its images are not needed.

    Raises
    ------
    ValueError
        If the folder holds no predictions, a table was changed, a table does not hold the set that
        the file name states, or the tables are not all of the run's weights and settings.
    OSError
        If a file cannot be read.
    """
    folder = RunFolder(path=Path(path))
    folder.check_confined()
    tables = _tables(folder)
    if not tables:
        raise ValueError(
            f"`RUN` must hold predictions; got {str(path)!r}, which holds none. Make them by "
            "leaving out --from-predictions."
        )
    sets = [_read_set(folder, table) for table in tables]
    first = sets[0]
    weights, config = first.origin.weights_sha256, first.origin.config_sha256
    if folder.best_weights.is_file():  # predictions can be evaluated without the weights
        weights = file_sha256(folder.best_weights)
    for table, predictions in zip(tables, sets, strict=True):
        origin = predictions.origin
        changed = "weights" if origin.weights_sha256 != weights else "settings"
        same = (origin.config_sha256, _outputs_of(predictions))
        if changed == "weights" or same != (config, _outputs_of(first)):
            raise ValueError(
                f"`RUN` must hold predictions of its own weights and settings; got {str(table)!r}, "
                f"whose {changed} have changed since. Predict {predictions.name} again by leaving "
                "out --from-predictions, or delete that file."
            )
    return sets


def with_split_columns(
    path: str | os.PathLike[str], sets: Sequence[AnyPredictions], columns: Sequence[GroupColumn]
) -> list[AnyPredictions]:
    """Return the sets of a run with columns that their tables lack and the run's split states.

    Parameters
    ----------
    path : str or PathLike
        Folder of the run; its copy of the split is read if a part lacks a column.
    sets : sequence of Predictions or FindingPredictions
        The sets of the run, as they are stored.
    columns : sequence of GroupColumn
        The columns that are needed.

    Raises
    ------
    ValueError
        If the copy of the split is not a manifest.
    OSError
        If it cannot be read.
    """
    split = RunFolder(path=Path(path)).split_file
    lacking = [
        predictions
        for predictions in sets
        if predictions.kind != "external"
        and not all(column.is_stated(predictions.manifest.records) for column in columns)
    ]
    if not lacking or not split.is_file():
        return list(sets)
    givers = with_kept(read_manifest(split).records, {column.name for column in columns})
    result: list[AnyPredictions] = []
    for predictions in sets:
        manifest = predictions.manifest
        if any(predictions is one for one in lacking):
            records = completed(manifest.records, givers)
            manifest = dataclasses.replace(manifest, records=records)
        result.append(dataclasses.replace(predictions, manifest=manifest))
    return result


def kept_externals(run: FinishedRun, named: Container[str]) -> KeptExternals:
    """Read the sets from other sources that earlier evaluations of a run predicted.

    Parameters
    ----------
    run : FinishedRun
        The run.
    named : container of str
        Names of sets that are not read, because they are predicted again.

    Raises
    ------
    ValueError
        If a table was changed, or does not hold the set that the file name states.
    OSError
        If a file cannot be read.
    """
    kept = KeptExternals([], [])
    own = run.weights_sha256, file_sha256(run.folder.config_file)
    for name, table in run.folder.external_predictions().items():
        if name in named:
            continue
        origin = read_origin(table)
        if origin is None or (origin.weights_sha256, origin.config_sha256) != own:
            kept.outdated.append(table)
        else:
            kept.sets.append(_read_set(run.folder, table))
    return kept


class Given(NamedTuple):
    """What was given with the table of a model of others, and lies in its evaluation."""

    threshold: float | None  # of all classes or findings; None if none was given
    remarks: tuple[str, ...]  # on what was assumed of the table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """The keys of an evaluation that a `Given` comes from."""

    operating_points: OperatingPoints
    remarks: tuple[str, ...] = ()


def given_before(
    path: str | os.PathLike[str], *, say: Callable[[str], object] | None = None
) -> Given:
    """Return what the evaluation of a model of others states that its tables do not.

    Parameters
    ----------
    path : str or PathLike
        Folder of the model.
    say : callable, optional
        Called with a sentence if the evaluation cannot be read, so that nothing is known.
    """
    file = RunFolder(path=Path(path)).evaluation_file
    if not file.is_file():
        return Given(None, ())
    try:
        stored = from_json(_Given, read_object(file))
    except ValueError:
        if say is not None:
            say(
                f"{file} cannot be read: a threshold that was given, and remarks on the table, are "
                "not known any more"
            )
        return Given(None, ())
    points = stored.operating_points
    thresholds = set() if points.chosen_on else set(points.thresholds.values()) - {None}
    return Given(thresholds.pop() if len(thresholds) == 1 else None, stored.remarks)


def write_evaluation(
    path: str | os.PathLike[str], evaluation: Evaluation | FindingsEvaluation
) -> Path:
    """Write an evaluation beside the predictions of the run in `path`; return the file's path."""
    target = RunFolder(path=Path(path)).evaluation_file
    write_record(target, evaluation)
    return target


def _tables(folder: RunFolder) -> list[Path]:
    """Return the tables of predictions in a folder: train, val, test, then other sources."""
    parts = [table for table in map(folder.predictions_file, SPLITS) if table.is_file()]
    return [*parts, *folder.external_predictions().values()]


def _outputs_of(predictions: AnyPredictions) -> tuple[tuple[str, ...], ...]:
    """Return the names of what was predicted."""
    if isinstance(predictions, FindingPredictions):
        return (predictions.findings,)
    return predictions.class_names, predictions.labels


def _read_set(folder: RunFolder, table: Path) -> AnyPredictions:
    predictions = read_any_predictions(table)
    external = predictions.kind == "external"
    if table != folder.predictions_file(predictions.name, external=external):
        raise ValueError(
            f"`{table.name}` must hold the set that its name states; got {str(table)!r}, which "
            f"holds {predictions.name}. Delete the file, and evaluate the run again."
        )
    return predictions
