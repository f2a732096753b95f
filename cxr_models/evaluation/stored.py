"""Reading and writing of predictions and evaluations in a run's folder.

This module needs neither images nor TensorFlow.
"""

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

    sets: list[AnyPredictions]  # predictions with the current weights and settings of the run
    outdated: list[Path]  # tables that were predicted with other weights or settings


def is_foreign(path: str | os.PathLike[str]) -> bool:
    """Return whether a folder has the predictions of a third-party model instead of a run.

    Parameters
    ----------
    path : str or PathLike
        The folder.

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
    """Write the predictions of a third-party model into a folder, with the file names of a run.

    Parameters
    ----------
    path : str or PathLike
        The folder. Its subfolder ``evaluation``, which must not exist, is created.
    sets : sequence of Predictions or FindingPredictions
        The predictions.

    Raises
    ------
    OSError
        If the subfolder exists, or a file cannot be written.
    """
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

    Parameters
    ----------
    path : str or PathLike
        Folder of the run or of a third-party model.

    Raises
    ------
    ValueError
        If the folder has no predictions, a table was changed, a table has another set than its
        file name, or a table was predicted with other weights or settings than those of the run.
        If the folder lacks its weights or settings, those of the first table count.
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
    if folder.config_file.is_file():
        config = file_sha256(folder.config_file)
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
    """Return the sets of a run with missing columns filled in from the run's copy of the split.

    Parameters
    ----------
    path : str or PathLike
        Folder of the run. Its copy of the split is read only if a part lacks a column.
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
    split_records = with_kept(read_manifest(split).records, {column.name for column in columns})
    result: list[AnyPredictions] = []
    for predictions in sets:
        manifest = predictions.manifest
        if any(predictions is one for one in lacking):
            records = completed(manifest.records, split_records)
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
        Names of the sets to leave out, because they are predicted again.

    Raises
    ------
    ValueError
        If a table was changed, or has another set than its file name.
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


class ThresholdAndRemarks(NamedTuple):
    """The threshold and remarks of a third-party model, which only its evaluation contains."""

    threshold: float | None  # threshold of all classes or findings; None if the user gave none
    remarks: tuple[str, ...]  # assumptions about the table


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredEvaluation:
    """The keys of an evaluation that are needed for a `ThresholdAndRemarks`."""

    operating_points: OperatingPoints
    remarks: tuple[str, ...] = ()


def read_threshold_and_remarks(
    path: str | os.PathLike[str], *, say: Callable[[str], object] | None = None
) -> ThresholdAndRemarks:
    """Return the threshold and remarks that are stored in the evaluation of a third-party model.

    Parameters
    ----------
    path : str or PathLike
        Folder of the model.
    say : callable, optional
        Function that is called with a sentence if the evaluation is not valid.

    Returns
    -------
    ThresholdAndRemarks
        No threshold and no remarks if there is no evaluation, or it is not valid.
    """
    file = RunFolder(path=Path(path)).evaluation_file
    if not file.is_file():
        return ThresholdAndRemarks(None, ())
    try:
        stored = from_json(_StoredEvaluation, read_object(file))
    except ValueError:
        if say is not None:
            say(
                f"{file} cannot be read: a threshold that was given, and remarks on the table, are "
                "not known any more"
            )
        return ThresholdAndRemarks(None, ())
    points = stored.operating_points
    thresholds = set() if points.chosen_on else set(points.thresholds.values()) - {None}
    return ThresholdAndRemarks(thresholds.pop() if len(thresholds) == 1 else None, stored.remarks)


def write_evaluation(
    path: str | os.PathLike[str], evaluation: Evaluation | FindingsEvaluation
) -> Path:
    """Write an evaluation into the folder of a run, next to its predictions.

    Parameters
    ----------
    path : str or PathLike
        Folder of the run.
    evaluation : Evaluation or FindingsEvaluation
        The evaluation.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target = RunFolder(path=Path(path)).evaluation_file
    write_record(target, evaluation)
    return target


def _tables(folder: RunFolder) -> list[Path]:
    """Return the tables of predictions in a folder: train, val, test, then other sources."""
    parts = [table for table in map(folder.predictions_file, SPLITS) if table.is_file()]
    return [*parts, *folder.external_predictions().values()]


def _outputs_of(predictions: AnyPredictions) -> tuple[tuple[str, ...], ...]:
    """Return the findings, or the classes and the labels, of predictions."""
    if isinstance(predictions, FindingPredictions):
        return (predictions.findings,)
    return predictions.class_names, predictions.labels


def _read_set(folder: RunFolder, table: Path) -> AnyPredictions:
    predictions = read_any_predictions(table)
    external = predictions.kind == "external"
    if table != folder.predictions_file(predictions.name, external=external):
        raise ValueError(
            f"`{table.name}` must hold the set that its name states; got {str(table)!r}, which "
            f"holds {predictions.name}. {predictions.origin.cure}"
        )
    return predictions
