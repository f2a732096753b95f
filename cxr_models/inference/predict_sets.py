"""What a run predicts for its parts and other sources, kept as tables in its folder.

TensorFlow is imported when there is something to predict, and not before: predictions of the same
weights, settings, records and images are used again.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.further_columns import completed, states_more, with_kept
from cxr_models.evaluation.prediction_tables import Origin, read_origin
from cxr_models.evaluation.predictions import (
    Predictions,
    read_predictions,
    targets_of_labels,
    write_predictions,
)
from cxr_models.inputs.loader import cache_key
from cxr_models.records.manifest import SPLITS
from cxr_models.records.splits import records_hash
from cxr_models.runs.finished import FinishedRun, file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.externals import External
    from cxr_models.evaluation.results import Kind
    from cxr_models.records.manifest import Manifest
    from cxr_models.records.overlap import Overlap


def predict_sets(
    run: FinishedRun,
    externals: Mapping[str, External],
    *,
    columns: Collection[str] = (),
    replace: bool = True,
    say: Callable[[str], object] | None = None,
    before_model: Callable[[], object] | None = None,
) -> list[Predictions]:
    """Predict train, val, test and sets from other sources, or use what was predicted before.

    Parameters
    ----------
    run : FinishedRun
        The run.
    externals : mapping of str to External
        As `read_externals` returns them.
    columns : collection of str, default ()
        Columns of the manifests without a meaning here that tables keep for values by group.
    replace : bool, default True
        Whether predictions made of something else give way to the new ones in the folder.
    say : callable, optional
        Called with lines on the progress.
    before_model : callable, optional
        Called once before TensorFlow is needed; not where all was predicted before.

    Returns
    -------
    list of Predictions
        In that order; parts without images are left out. Each lies in the folder
        ``evaluation`` of the run too, unless an older one was not to be replaced.

    Raises
    ------
    ValueError
        If predictions that lie there were changed, or the model gives no numbers.
    OSError
        If an image cannot be read.
    """
    wanted: list[tuple[str, Kind, Manifest, Overlap | None]] = [
        (part, part, run.split.select(part), run.overlaps.get(part))  # type: ignore[misc]
        for part in SPLITS
        if run.split.select(part).records
    ]
    wanted += [(name, "external", *external) for name, external in externals.items()]
    model: Any = None
    sets = []
    for name, kind, whole, overlap in wanted:
        manifest = dataclasses.replace(whole, records=with_kept(whole.records, columns))
        path = run.folder.predictions_file(name, external=kind == "external")
        origin, former = _origin(run, manifest), read_origin(path)
        if former == origin:
            kept = read_predictions(path)
            if os.fspath(kept.manifest.root) == os.fspath(manifest.root):
                former_records = kept.manifest.records
                records = completed(former_records, manifest.records)
                outdated = kept.overlap != overlap or states_more(records, former_records)
                kept = dataclasses.replace(
                    kept,
                    manifest=dataclasses.replace(kept.manifest, records=records),
                    overlap=overlap,
                )
                if outdated and replace:
                    write_predictions(path, kept)
                sets.append(kept)
                continue
        if model is None:
            if before_model is not None:
                before_model()
            model = _load(run)
        if say is not None:
            say(f"predicting {name}: {len(manifest.records)} images")
            if former is not None:
                say(_why_again(path, former, origin, replace=replace))
        logits = _logits(run.config, run.class_names, run.labels, model, manifest)
        predictions = Predictions(
            name=name,
            kind=kind,
            manifest=manifest,
            class_names=run.class_names,
            labels=run.labels,
            logits=logits,
            probabilities=softmax(logits),
            origin=origin,
            overlap=overlap,
        )
        if former is None or replace:
            path.parent.mkdir(exist_ok=True)
            write_predictions(path, predictions)
        sets.append(predictions)
    return sets


def _why_again(path: Path, former: Origin, origin: Origin, *, replace: bool) -> str:
    """Say what has changed since a set was predicted, and what becomes of its table."""
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


def _logits(
    config: RunConfig,
    names: Sequence[str],
    labels: Sequence[str],
    model: Any,
    manifest: Manifest,
) -> Any:
    from cxr_models.inference.logits import predict_logits
    from cxr_models.inputs.pipeline import evaluation_batches

    targets = targets_of_labels([r.label for r in manifest.records], names, labels)
    batches = evaluation_batches(
        config.data, manifest.paths(), targets.astype("int32"), config.training.batch_size
    )
    return predict_logits(model, batches)
