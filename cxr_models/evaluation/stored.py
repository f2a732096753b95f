"""A run on its parts and on other sources: predictions kept in its folder, and their evaluation.

TensorFlow is imported when there is something to predict, and not before: predictions of the same
weights, settings, records and images are taken as they lie.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cxr_enhance
from cxr_models._files import write_whole
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.evaluate import judge
from cxr_models.evaluation.predictions import (
    Origin,
    Predictions,
    read_origin,
    read_predictions,
    targets_of_labels,
    unknown_labels,
    write_predictions,
)
from cxr_models.evaluation.stored_sets import FOLDER, table_name
from cxr_models.inputs.loader import cache_key
from cxr_models.records.manifest import SPLITS, read_manifest
from cxr_models.records.splits import records_hash
from cxr_models.runs.finished import FinishedRun, class_names_of, file_sha256
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.predictions import Kind
    from cxr_models.records.manifest import Manifest
    from cxr_models.records.splits import Split


def evaluation_folder(run: FinishedRun) -> Path:
    """Return where the predictions of a run and their evaluation lie."""
    return run.folder.path / FOLDER


def read_externals(
    run: FinishedRun, manifests: Sequence[str | os.PathLike[str]]
) -> dict[str, Manifest]:
    """Read sets from other sources, by name: that of the file, or of the folder of a manifest.csv.

    Parameters
    ----------
    run : FinishedRun
        The run they are to judge.
    manifests : sequence of str or PathLike
        CSV files; a column ``split`` is passed over.

    Raises
    ------
    ValueError
        If a label is none the run knows, an image is one the run was trained or chosen on, or two
        sets have one name.
    OSError
        If a file cannot be read.
    """
    used = {
        os.path.realpath(path)
        for part in ("train", "val")
        for path in run.split.select(part).paths()
    }
    externals: dict[str, Manifest] = {}
    for path in map(Path, manifests):
        read = read_manifest(path)
        name = path.resolve().parent.name if path.stem == "manifest" else path.stem
        name = re.sub(r"[^\w.-]+", "_", name)
        if name in externals or name in SPLITS:
            raise ValueError(
                f"`--external` must name sets of different names, none of them "
                f"{', '.join(SPLITS)}; got {name} for {str(path)!r}. Rename the file."
            )
        unknown = unknown_labels(read.records, run.labels)
        if unknown:
            found = {record.label for record in read.records}
            kept = ",".join(label for label in run.labels if label in found)
            names = ",".join(f"{name}=LABEL" for name in unknown)
            words = " --csv ".join(map(shlex.quote, (str(path.parent), str(path))))
            command = f"\n  cxr-models index {words} --out NEW.csv --labels "
            cure = (
                f"They are left out by{command}{shlex.quote(kept)}\nand renamed with {names} added "
                "to its --labels."
                if kept
                else f"They are renamed by{command}{shlex.quote(names)}"
            )
            raise ValueError(
                f"`--external` must hold labels that the run knows ({','.join(run.labels)}); got "
                f"{', '.join(unknown)} in {str(path)!r}. {cure}"
            )
        seen = [file for file in read.paths() if os.path.realpath(file) in used]
        if seen:
            raise ValueError(
                f"`--external` must hold no image that the run was trained or chosen on; got "
                f"{len(seen)} in {str(path)!r}, such as {seen[0]!r}."
            )
        records = tuple(dataclasses.replace(record, split="") for record in read.records)
        externals[name] = dataclasses.replace(read, records=records, root=read.root.resolve())
    return externals


def predict_sets(
    run: FinishedRun,
    externals: Mapping[str, Manifest],
    *,
    replace: bool = True,
    say: Callable[[str], object] | None = None,
) -> list[Predictions]:
    """Predict train, val, test and sets from other sources, or take what lies there already.

    Parameters
    ----------
    run : FinishedRun
        The run.
    externals : mapping of str to Manifest
        As `read_externals` returns them.
    replace : bool, default True
        Whether predictions made of something else give way to the new ones in the folder.
    say : callable, optional
        Called with lines on the progress.

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
    wanted: list[tuple[str, Kind, Manifest]] = [
        (part, part, run.split.select(part))  # type: ignore[misc]
        for part in SPLITS
        if run.split.select(part).records
    ]
    wanted += [(name, "external", manifest) for name, manifest in externals.items()]
    model: Any = None
    sets = []
    for name, kind, manifest in wanted:
        path = evaluation_folder(run) / table_name(name, kind)
        origin, former = _origin(run, manifest), read_origin(path)
        if former == origin:
            kept = read_predictions(path)
            if os.fspath(kept.manifest.root) == os.fspath(manifest.root):
                sets.append(kept)
                continue
        if model is None:
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
        )
        if former is None or replace:
            path.parent.mkdir(exist_ok=True)
            write_predictions(path, predictions)
        sets.append(predictions)
    return sets


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


def evaluation_file(path: str | os.PathLike[str]) -> Path:
    """Return where the evaluation of the run in `path` lies, if it has one."""
    return Path(path) / FOLDER / "evaluation.json"


def write_json(path: Path, told: Mapping[str, Any]) -> None:
    """Write one JSON object, whole or not at all."""
    write_whole(path, json.dumps(told, allow_nan=False) + "\n")


def accuracy_of(
    split: Split, config: RunConfig, run: str | os.PathLike[str], *, part: str = "test"
) -> tuple[int, int]:
    """Count what the best weights of a run get right.

    Parameters
    ----------
    split : Split
        Records.
    config : RunConfig
        The run's settings.
    run : str or PathLike
        Its folder.
    part : str, default "test"
        The part of the split to judge on.

    Returns
    -------
    (int, int)
        Images whose most probable class is theirs, and all images of the part.

    Raises
    ------
    ValueError
        If the part is empty or the weights do not fit.
    OSError
        If a file cannot be read.
    """
    from cxr_models.inference.logits import logits_model
    from cxr_models.networks.load import load_classifier

    labels, manifest = split.class_names(), split.select(part)
    if not manifest.records:
        raise ValueError(f"`split` must have records in {part}; got none.")
    weights = RunFolder(path=Path(run)).best_weights
    model = logits_model(load_classifier(config, len(labels), weights))
    names = class_names_of(config, labels)
    logits = _logits(config, names, labels, model, manifest)
    targets = targets_of_labels([r.label for r in manifest.records], names, labels)
    return int((logits.argmax(axis=1) == targets).sum()), len(targets)


def _why_again(path: Path, former: Origin, origin: Origin, *, replace: bool) -> str:
    """Say what has changed since a set was predicted, and what becomes of its table."""
    names = {
        "weights_sha256": "weights",
        "config_sha256": "settings",
        "records_sha256": "records",
        "inputs": "images",
    }
    changed = [name for key, name in names.items() if getattr(former, key) != getattr(origin, key)]
    told = f"its {' and '.join(changed)} differ" if changed else "its images were moved"
    return f"{path.name} was predicted before; {told}; it {'is replaced' if replace else 'stays'}"


def _origin(run: FinishedRun, manifest: Manifest) -> Origin:
    return Origin(
        weights_sha256=run.weights_sha256,
        config_sha256=file_sha256(run.folder.path / "config.json"),
        records_sha256=records_hash(manifest.records),
        inputs=cache_key(run.config.data, manifest.paths()),
    )


def _load(run: FinishedRun) -> Any:
    from cxr_models.inference.logits import logits_model
    from cxr_models.networks.load import load_classifier

    return logits_model(load_classifier(run.config, len(run.labels), run.folder.best_weights))


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
