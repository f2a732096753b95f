"""Predictions of a run for its parts and for external sets, stored as tables in its folder.

Stored predictions are reused if weights, settings, records and images are the same. TensorFlow is
imported only if a set must be predicted.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import (
    FindingPredictions,
    read_any_predictions,
    sigmoid,
    write_finding_predictions,
)
from cxr_models.evaluation.further_columns import completed, states_more, with_kept
from cxr_models.evaluation.prediction_tables import Origin, read_origin
from cxr_models.evaluation.predictions import Predictions, write_predictions
from cxr_models.inputs.loader import cache_key
from cxr_models.inputs.targets import finding_targets
from cxr_models.records.manifest import SPLITS
from cxr_models.records.splits import records_hash
from cxr_models.runs.finished import FinishedRun, file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from cxr_models.evaluation.externals import External
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.results import Kind
    from cxr_models.records.manifest import Manifest
    from cxr_models.records.overlap import Overlap

    Floats = npt.NDArray[np.float64]


class _SetToPredict(NamedTuple):
    """A set to predict."""

    name: str
    kind: Kind
    manifest: Manifest
    overlap: Overlap | None


def predict_sets(
    run: FinishedRun,
    externals: Mapping[str, External],
    *,
    columns: Collection[str] = (),
    replace: bool = True,
    say: Callable[[str], object] | None = None,
    before_model: Callable[[], object] | None = None,
) -> list[AnyPredictions]:
    """Predict train, val, test and external sets, or reuse stored predictions.

    Parameters
    ----------
    run : FinishedRun
        The run.
    externals : mapping of str to External
        The external sets, as `read_externals` returns them.
    columns : collection of str, default ()
        Columns of the manifests without a fixed meaning that the tables keep for values by group.
    replace : bool, default True
        Whether new predictions replace stored predictions from other weights, settings, records or
        images. If false, the stored tables stay, and the new predictions are only returned.
    say : callable, optional
        Function that is called with each sentence about the progress.
    before_model : callable, optional
        Function that is called once before TensorFlow is imported. It is not called if all
        predictions are reused.

    Returns
    -------
    list of Predictions, or of FindingPredictions
        The sets in the order train, val, test, external sets; parts without images are left out.
        All sets are also stored in the folder ``evaluation`` of the run, except where `replace` is
        false and the folder has an older table. Runs with the task ``multilabel`` give
        `FindingPredictions`. Uncertain labels are unknown, independent of their use in training, so
        that all runs are tested on the same labels.

    Raises
    ------
    ValueError
        If stored predictions were changed, or the logits of the model are not finite.
    OSError
        If a file cannot be read or written.
    """
    wanted_sets = [
        _SetToPredict(part, part, run.split.select(part), run.overlaps.get(part))  # type: ignore[arg-type]
        for part in SPLITS
        if run.split.select(part).records
    ]
    wanted_sets += [
        _SetToPredict(name, "external", *external) for name, external in externals.items()
    ]
    model: Any = None
    sets: list[AnyPredictions] = []
    for wanted_set in wanted_sets:
        records = with_kept(wanted_set.manifest.records, columns)
        one = wanted_set._replace(
            manifest=dataclasses.replace(wanted_set.manifest, records=records)
        )
        path = run.folder.predictions_file(one.name, external=one.kind == "external")
        origin, former = _origin(run, one.manifest), read_origin(path)
        if former == origin:
            kept = read_any_predictions(path)
            if os.fspath(kept.manifest.root) == os.fspath(one.manifest.root):
                former_records = kept.manifest.records
                records = completed(former_records, one.manifest.records)
                outdated = kept.overlap != one.overlap or states_more(records, former_records)
                whole = dataclasses.replace(kept.manifest, records=records)
                kept = dataclasses.replace(kept, manifest=whole, overlap=one.overlap)
                if isinstance(kept, FindingPredictions):
                    # Earlier versions stored uncertain labels as they were used in training.
                    targets = finding_targets(whole, kept.findings)
                    outdated = outdated or not np.array_equal(targets, kept.targets)
                    kept = dataclasses.replace(kept, targets=targets)
                if outdated and replace:
                    _write(path, kept)
                sets.append(kept)
                continue
        if model is None:
            if before_model is not None:
                before_model()
            model = _load(run)
        if say is not None:
            say(f"predicting {one.name}: {len(one.manifest.records)} images")
            if former is not None:
                say(_why_again(path, former, origin, replace=replace))
        make = _of_findings if run.config.model.task == "multilabel" else _of_classes
        predictions = make(run, one, _logits(run, model, one.manifest), origin)
        if former is None or replace:
            path.parent.mkdir(exist_ok=True)
            _write(path, predictions)
        sets.append(predictions)
    return sets


def _write(path: Path, predictions: AnyPredictions) -> None:
    if isinstance(predictions, FindingPredictions):
        write_finding_predictions(path, predictions)
    else:
        write_predictions(path, predictions)


def _of_classes(
    run: FinishedRun, one: _SetToPredict, logits: Floats, origin: Origin
) -> Predictions:
    return Predictions(
        name=one.name,
        kind=one.kind,
        manifest=one.manifest,
        class_names=run.class_names,
        labels=run.labels,
        logits=logits,
        probabilities=softmax(logits),
        origin=origin,
        overlap=one.overlap,
    )


def _of_findings(
    run: FinishedRun, one: _SetToPredict, logits: Floats, origin: Origin
) -> FindingPredictions:
    model = run.config.model
    return FindingPredictions(
        name=one.name,
        kind=one.kind,
        manifest=one.manifest,
        findings=model.findings,
        targets=finding_targets(one.manifest, model.findings),
        logits=logits,
        probabilities=sigmoid(logits),
        origin=origin,
        overlap=one.overlap,
    )


def _why_again(path: Path, former: Origin, origin: Origin, *, replace: bool) -> str:
    """Return a sentence on what changed since a set was predicted, and whether it is replaced."""
    names = {
        "weights_sha256": "weights",
        "config_sha256": "settings",
        "records_sha256": "records",
        "inputs": "images",
    }
    changed = [name for key, name in names.items() if getattr(former, key) != getattr(origin, key)]
    reason = f"its {' and '.join(changed)} differ" if changed else "its images were moved"
    return f"{path.name} was predicted before; {reason}; it {'is replaced' if replace else 'stays'}"


def _origin(run: FinishedRun, manifest: Manifest) -> Origin:
    return Origin(
        weights_sha256=run.weights_sha256,
        config_sha256=file_sha256(run.folder.config_file),
        records_sha256=records_hash(manifest.records),
        inputs=cache_key(run.config.data, manifest.paths()),
    )


def _load(run: FinishedRun) -> Any:
    from cxr_models.inference.logits import logits_model
    from cxr_models.networks.load import load_classifier

    return logits_model(load_classifier(run))


def _logits(run: FinishedRun, model: Any, manifest: Manifest) -> Floats:
    from cxr_models.inference.logits import predict_logits
    from cxr_models.inputs.pipeline import evaluation_batches

    batches = evaluation_batches(
        run.config.data,
        manifest.paths(),
        np.zeros(len(manifest.records), np.int32),  # targets, which are not used
        run.config.training.batch_size,
    )
    return predict_logits(model, batches, multilabel=run.config.model.task == "multilabel")
