"""What a run predicts for its parts and other sources, kept as tables in its folder.

TensorFlow is imported when there is something to predict, and not before: predictions of the same
weights, settings, records and images are used again.
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


class _Wanted(NamedTuple):
    """A set that is to be predicted."""

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
    list of Predictions, or of FindingPredictions
        In that order; parts without images are left out. Each lies in the folder
        ``evaluation`` of the run too, unless an older one was not to be replaced. Of findings
        where that is the run's task, ``multilabel``: uncertain labels are unknown, whatever
        they counted as in training, so that runs are tested on the same labels.

    Raises
    ------
    ValueError
        If predictions that lie there were changed, or the model gives no numbers.
    OSError
        If an image cannot be read.
    """
    wanted = [
        _Wanted(part, part, run.split.select(part), run.overlaps.get(part))  # type: ignore[arg-type]
        for part in SPLITS
        if run.split.select(part).records
    ]
    wanted += [_Wanted(name, "external", *external) for name, external in externals.items()]
    model: Any = None
    sets: list[AnyPredictions] = []
    for asked in wanted:
        records = with_kept(asked.manifest.records, columns)
        one = asked._replace(manifest=dataclasses.replace(asked.manifest, records=records))
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
                    # Earlier versions wrote labels that uncertain ones counted as in training.
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


def _of_classes(run: FinishedRun, one: _Wanted, logits: Floats, origin: Origin) -> Predictions:
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
    run: FinishedRun, one: _Wanted, logits: Floats, origin: Origin
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


def _logits(run: FinishedRun, model: Any, manifest: Manifest) -> Floats:
    from cxr_models.inference.logits import predict_logits
    from cxr_models.inputs.pipeline import evaluation_batches

    batches = evaluation_batches(
        run.config.data,
        manifest.paths(),
        np.zeros(len(manifest.records), np.int32),  # not looked at
        run.config.training.batch_size,
    )
    return predict_logits(model, batches, multilabel=run.config.model.task == "multilabel")
