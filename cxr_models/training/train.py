"""Two-phase transfer learning, resumable: first the head on a frozen backbone, then all layers."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import itertools
import math
import platform
import textwrap
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

import cxr_enhance
from cxr_models.backbones import BACKBONES
from cxr_models.config import with_absolute_weights
from cxr_models.inputs.pipeline import (
    class_weights,
    evaluation_batches,
    plain_errors,
    training_batches,
)
from cxr_models.inputs.targets import targets_of
from cxr_models.networks.classifier import build_classifier, set_backbone_trainable
from cxr_models.networks.own_network import features_of_sample
from cxr_models.records.splits import lacking_labels
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.finished import class_names_of, file_sha256, keep_split
from cxr_models.runs.folder import RunFolder
from cxr_models.runs.warm_start import check_warm_start
from cxr_models.training.cached_features import FeatureExtractor, feature_batches, head_model
from cxr_models.training.checks import check_run
from cxr_models.training.computation import (
    adding_in_order,
    check_shares,
    computing_in,
    policy_of,
    sharing_batches,
)
from cxr_models.training.curves import write_curves
from cxr_models.training.epoch_callback import EpochCallback
from cxr_models.training.findings import lines_on_findings, weights_of_positives
from cxr_models.training.objective import loss_of, metrics_of
from cxr_models.training.own_parts import OwnParts
from cxr_models.training.progress import Progress, StepReport
from cxr_models.training.schedule import (
    decide_after_epochs,
    kept_epoch,
    monitor_of,
    scores_of,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.inputs.targets import Targets
    from cxr_models.records.splits import Split


class Phase(NamedTuple):
    """A phase of training: number of epochs, initial learning rate, frozen backbone or not."""

    name: str
    epochs: int
    learning_rate: float
    frozen: bool


class _Part(NamedTuple):
    paths: list[str]
    targets: Targets


class _Shown(NamedTuple):
    say: Callable[[str], object] | None
    watch: Callable[[StepReport], object] | None


def phases_of(config: RunConfig) -> list[Phase]:
    """Return the phases of a run: `head` and `fine_tune`, or only `scratch` without weights."""
    training = config.training
    if config.model.weights == "none":
        return [Phase("scratch", training.epochs_head, training.learning_rate_head, False)]
    return [
        Phase("head", training.epochs_head, training.learning_rate_head, True),
        Phase("fine_tune", training.epochs_fine_tune, training.learning_rate_fine_tune, False),
    ]


def train(
    split: Split,
    config: RunConfig,
    out: str | os.PathLike[str],
    *,
    own: OwnParts | None = None,
    devices: Sequence[str] | None = None,
    say: Callable[[str], object] | None = None,
    watch: Callable[[StepReport], object] | None = None,
) -> RunFolder:
    """Train a run up to its end, or resume an interrupted start of it, and draw its curves.

    A run that has ended is not trained again: its weights may have been evaluated, so they never
    change.

    Parameters
    ----------
    split : Split
        Split of the run. Its parts train and val are used.
    config : RunConfig
        All settings. The path of a weights file is stored as an absolute path.
    out : str or PathLike
        Folder of the run: a new folder, or the folder of the same run.
    own : OwnParts, optional
        Callbacks, optimizer and loss of the caller. None uses the defaults.
    devices : sequence of str, optional
        Devices that share each batch, such as ``["GPU:0", "GPU:1"]``. None uses all GPUs. Only
        the TensorFlow backend of Keras allows devices.
    say : callable, optional
        Function that is called with lines about the progress, among them one line per epoch. None
        reports nothing.
    watch : callable, optional
        Function that is called with a `StepReport` after every step. None reports nothing.

    Returns
    -------
    RunFolder
        Folder of the run. Its file ``best.weights.h5`` has the weights of the best epoch of all
        phases: the epoch with the highest validation accuracy, or for ``multilabel`` with the
        lowest validation loss; of two equal phases, the later one counts. ``run.json`` has the
        phase and the epoch.

    Raises
    ------
    TypeError
        If the function of the caller does not return an optimizer, or a registered backbone does
        not return a Keras model and Keras tensors.
    ValueError
        If a part is empty, an image cannot be decoded, or settings do not fit together. If the
        folder is that of another run, or of a run with another optimizer or loss. If the weights
        come from a run that has seen images of val or test.
    ImportError
        If matplotlib is not installed.
    OSError
        If files cannot be read or written, or weights cannot be downloaded.
    """
    folder, own = RunFolder(path=Path(out)), own or OwnParts()
    check_run(split, config, out)
    own.check_resumed(folder, config.training.learning_rate_head)
    has_ended = folder.best_weights.is_file()
    if not has_ended:
        _train_to_the_end(split, config, folder, own, devices, _Shown(say, watch))
    elif say is not None:
        say("this run has ended and is not trained again")
    history = folder.read_history()
    if history and not (has_ended and folder.curves_file.exists()):
        write_curves(folder.curves_file, history)
    return folder


def _train_to_the_end(
    split: Split,
    config: RunConfig,
    folder: RunFolder,
    own: OwnParts,
    devices: Sequence[str] | None,
    shown: _Shown,
) -> None:
    """Train all phases, and save the weights of the best epoch as the last file of the run."""
    say = shown.say
    names = split.class_names()
    stored_config = with_absolute_weights(config)
    parts = {name: _part_of(split, name, names, config) for name in ("train", "val")}
    facts = _facts(split, stored_config, names, own)
    policy = policy_of(config.training)
    if folder.facts_file.exists():
        begun = folder.read_facts()
        _check_same_weights(folder, begun, facts)
        policy = begun.precision or policy
        if policy != facts.precision and say is not None:
            say(f"computing in {policy}, as the run began; a new run would use {facts.precision}")
    else:  # a resumed run was checked when it began
        own.check_settings(config.training)
        overlaps = check_warm_start(split, config.model.weights, say=say)
        if overlaps:
            facts = dataclasses.replace(facts, overlaps=overlaps)
    cache = None if config.data.cache_dir is None else Path(config.data.cache_dir)
    if cache is not None and not cache.resolve().is_relative_to(folder.path.resolve()):
        cache.mkdir(parents=True, exist_ok=True)
    steps = math.ceil(len(parts["train"].paths) / config.training.batch_size)
    if say is not None:
        for line in _lines_on_labels(split, config, parts["train"].targets):
            say(line)
    with (
        adding_in_order(config.data.deterministic),
        computing_in(policy),
        sharing_batches(devices),
        plain_errors(),
    ):
        sizes = {name: len(part.paths) for name, part in parts.items()}
        check_shares(config.training, sizes, tf.distribute.get_strategy().num_replicas_in_sync)
        if say is not None:
            say(f"building the network: {config.model.backbone}, weights {config.model.weights}")
        outputs = len(class_names_of(config, names))
        model = build_classifier(config, outputs, steps_per_epoch=steps)
        _check_loss(own, model, parts["train"].targets)
        # All settings are checked by now, so that a refused run leaves no folder.
        folder.begin(stored_config, facts)
        with folder.training():
            if folder.best_weights.is_file():  # another process has trained the run meanwhile
                return
            keep_split(folder.path, split)
            if cache is not None:  # inside of the folder, which had to be new
                cache.mkdir(parents=True, exist_ok=True)
            _run_phases(model, parts, config, folder, shown, own)


def _run_phases(
    model: keras.Model,
    parts: dict[str, _Part],
    config: RunConfig,
    folder: RunFolder,
    shown: _Shown,
    own: OwnParts,
) -> None:
    """Train what is left of all phases, and save the weights of the best epoch."""
    history = folder.read_history()
    backup = folder.newest_backup()
    best: dict[str, list[Any]] = {}  # best weights of each phase
    for number, phase in enumerate(phases_of(config)):
        if not phase.epochs:
            continue
        if backup is not None and number < backup[1]:  # this phase has ended
            _check_epochs(folder, phase, history, None)
            _load_weights(_trained_part(model, phase, config), folder.best_of(phase.name))
        else:
            resumed = backup if backup is not None and number == backup[1] else None
            done = resumed[2] if resumed else 0
            history = [row for row in history if row.phase != phase.name or row.epoch < done]
            _check_epochs(folder, phase, history, done)
            _run_phase(model, phase, number, parts, config, folder, history, resumed, shown, own)
        best[phase.name] = model.get_weights()
    kept = kept_epoch(history, monitor_of(config.model))
    if kept is not None:
        model.set_weights(best[kept.phase])
        folder.write_kept(kept)
    if config.model.backbone not in BACKBONES:
        features = features_of_sample(model)
        if all(map(math.isfinite, features)):  # they are not finite if the training diverged
            folder.write_features(features)
    folder.save_weights(model, folder.best_weights)  # the last file: the run has ended


def _check_epochs(
    folder: RunFolder, phase: Phase, history: Sequence[EpochRow], done: int | None
) -> None:
    """Raise ValueError unless the history has the first `done` epochs of a phase.

    None stands for any number of epochs but 0.
    """
    epochs = [row.epoch for row in history if row.phase == phase.name]
    expected = len(epochs) or 1 if done is None else done
    if epochs != list(range(expected)):
        raise ValueError(
            f"`history.csv` must have epochs 0 to {expected - 1} of phase {phase.name}, which the "
            f"backup holds; got {epochs} in {str(folder.history_file)!r}. Put the file back, or "
            "name a new folder."
        )


def _check_loss(own: OwnParts, model: keras.Model, targets: Targets) -> None:
    """Raise ValueError if the loss of the caller does not take targets and outputs of the model."""
    if own.loss is None:
        return
    outputs = model.output.shape[-1]
    count = outputs + 1  # with equal sizes, a loss could take images for classes
    some = np.resize(targets, (count, *targets.shape[1:])).astype(np.float32)
    model.compile(loss=own.loss)
    try:
        model.compute_loss(y=some, y_pred=np.full((count, outputs), 1 / outputs, np.float32))
    except (TypeError, ValueError, tf.errors.OpError) as error:
        reason = textwrap.shorten(str(error), 200, placeholder=" ...").rstrip(".")
        raise ValueError(
            f"`loss` must take targets of shape {some.shape} and probabilities of shape "
            f"{(count, outputs)}, for {count} images; got an error for them: {reason}."
        ) from error


def _check_same_weights(folder: RunFolder, begun: RunFacts, now: RunFacts) -> None:
    """Raise ValueError if the file of the starting weights has changed since the run began.

    `run.json` names the earlier content, and only that content was compared with val and test.
    """
    if begun.weights_sha256 is not None and begun.weights_sha256 != now.weights_sha256:
        raise ValueError(
            f"`weights` must have the content that the run in {str(folder.path)!r} was begun with; "
            f"got {now.weights!r}, which has changed. Put the earlier file back, or name a new "
            "folder."
        )


def _lines_on_labels(split: Split, config: RunConfig, targets: Targets) -> list[str]:
    """Return lines about labels or findings that cannot be learned, and about limited weights."""
    if config.model.task == "multilabel":
        return lines_on_findings(config, targets)
    labels = sorted(lacking_labels(split.manifest.records, ["train"]).get("train", ()))
    return [f"train has no image of {label}, which cannot be learned" for label in labels]


def _part_of(split: Split, name: str, class_names: Sequence[str], config: RunConfig) -> _Part:
    manifest = split.select(name)
    return _Part(manifest.paths(), targets_of(manifest, class_names, config.model))


def _run_phase(
    model: keras.Model,
    phase: Phase,
    number: int,
    parts: dict[str, _Part],
    config: RunConfig,
    folder: RunFolder,
    history: list[EpochRow],
    resumed: tuple[Path, int, int] | None,
    shown: _Shown,
    own: OwnParts,
) -> None:
    """Train the remaining epochs of one phase, and set its best weights in `model`."""
    training = config.training
    set_backbone_trainable(model, not phase.frozen)
    trained = _trained_part(model, phase, config)
    optimizer = own.optimizer_of(phase.learning_rate)
    if own.optimizer is not None:
        phase = phase._replace(learning_rate=float(optimizer.learning_rate))
    trained.compile(
        optimizer=optimizer,
        loss=loss_of(config.model, weights_of_positives(config, parts["train"].targets))
        if own.loss is None
        else own.loss,
        weighted_metrics=[],
        metrics=metrics_of(config.model),
        # On a CPU, XLA takes minutes to compile these networks; JAX always uses XLA.
        jit_compile=keras.backend.backend() == "jax",
    )
    # The optimizer is built here, because building it within the graph takes longer.
    trained.optimizer.build(trained.trainable_variables)
    done = 0
    monitor = monitor_of(config.model)
    scores = scores_of([row for row in history if row.phase == phase.name], monitor)
    decision = decide_after_epochs(scores, phase.learning_rate, training)
    stopped = folder.read_facts().stopped or {}
    epochs = min(phase.epochs, stopped.get(phase.name, phase.epochs))
    if resumed is not None:
        _load_backup(trained, resumed[0])
        done = resumed[2]
        # The run may have stopped after the backup, before the best weights were saved.
        if decision.best_epoch == done - 1:
            folder.save_weights(trained, folder.best_of(phase.name))
    if done < epochs and not decision.stop:
        if shown.say is not None:
            shown.say(f"phase {phase.name}: epochs {done + 1} to {epochs}")
        batches, validation = _batches(model, parts, config, trained is not model, done, shown)
        steps = math.ceil(len(parts["train"].paths) / training.batch_size)
        progress = Progress(
            phase=phase.name,
            epochs=epochs,
            steps=steps,
            watch=shown.watch,
            say=shown.say,
        )
        epoch_callback = EpochCallback(
            folder,
            training,
            phase=phase.name,
            number=number,
            learning_rate=phase.learning_rate,
            history=history,
            monitor=monitor,
        )
        board = keras.callbacks.TensorBoard(folder.tensorboard_folder(phase.name))
        trained.fit(
            batches,
            steps_per_epoch=steps,
            validation_data=validation,
            epochs=epochs,
            initial_epoch=done,
            callbacks=[*own.callbacks, epoch_callback, progress, board],
            shuffle=False,
            verbose=0,
        )
    _load_weights(trained, folder.best_of(phase.name))


def _load_weights(model: keras.Model, path: Path) -> None:
    """Load weights that training wrote; raise ValueError if the file is damaged or gone."""
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:  # errors of h5py do not name the file
        raise ValueError(
            f"`--out` must hold weights as training wrote them; got {str(path)!r}, which cannot be "
            f"loaded: {textwrap.shorten(str(error), 200, placeholder=' ...')}. Name a new folder."
        ) from error


def _load_backup(model: keras.Model, path: Path) -> None:
    """Load weights and optimizer of a backup.

    Raises
    ------
    ValueError
        If the backup is damaged, or of another optimizer. Keras only warns of another optimizer,
        and leaves the optimizer as it began.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _load_weights(model, path)
    for warning in caught:
        if "Skipping variable loading for optimizer" in str(warning.message):
            raise ValueError(
                "`training.precision` must compute as the run began; got the backup "
                f"{str(path)!r}, whose optimizer has other variables. A run that an earlier "
                "version began on a GPU can only be resumed on a GPU, and one begun on a CPU only "
                "on a CPU. Resume it on such a machine, or name a new folder."
            )
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _trained_part(model: keras.Model, phase: Phase, config: RunConfig) -> keras.Model:
    """Return the model that a phase trains and saves: the head on cached features, or `model`."""
    return head_model(model) if phase.frozen and config.training.cache_features else model


def _batches(
    model: keras.Model,
    parts: dict[str, _Part],
    config: RunConfig,
    cached: bool,
    first_epoch: int,
    shown: _Shown,
) -> tuple[Any, Any]:
    training = config.training
    (paths, targets), (val_paths, val_targets) = parts["train"], parts["val"]
    weights = class_weights(targets) if training.class_weights else None
    validation = evaluation_batches(config.data, val_paths, val_targets, training.batch_size)
    seed, size = training.seed, training.batch_size
    if not cached:
        batches = training_batches(
            config.data, paths, targets, size, seed=seed, first_epoch=first_epoch, weights=weights
        )
        return batches, validation
    augment = config.data.flip or config.data.rotation > 0
    in_order = evaluation_batches(config.data, paths, targets, training.batch_size)
    views = training.cache_features if augment else 1
    if shown.say is not None:
        shown.say(f"computing features of {len(paths)} images, {views} views of each, and of val")
    steps = [math.ceil(len(part.paths) / training.batch_size) for part in parts.values()]
    extractor = FeatureExtractor(model, _step_watcher(shown, views * steps[0] + steps[1]))
    features = extractor.compute(in_order, views=views, seed=seed, augment=augment)
    seen = extractor.compute(validation, views=1, seed=seed, augment=False)
    pairs = tf.data.Dataset.from_tensor_slices((seen[0], val_targets.astype("float32")))
    batches = feature_batches(
        features, targets, size, seed=seed, first_epoch=first_epoch, weights=weights
    )
    return batches, pairs.batch(size)


def _step_watcher(shown: _Shown, steps: int) -> Callable[[], object] | None:
    """Return a function that counts batches of features and reports the progress."""
    if shown.watch is None:
        return None
    watch, began, counted = shown.watch, time.perf_counter(), itertools.count(1)

    def step() -> None:
        done = next(counted)
        left = (time.perf_counter() - began) / done * (steps - done)
        watch(StepReport("features", done, steps, left, {}))

    return step


def _facts(split: Split, config: RunConfig, names: Sequence[str], own: OwnParts) -> RunFacts:
    packages = ("tensorflow", "keras", "numpy", "numba")
    weights = Path(config.model.weights)
    optimizer, loss = own.described(config.training.learning_rate_head)
    return RunFacts(
        split_sha256=split.hash,
        split_seed=split.seed,
        split_root=str(split.manifest.root.resolve()),
        class_names=tuple(names),
        seed=config.training.seed,
        weights=config.model.weights,
        weights_sha256=file_sha256(weights) if weights.is_file() else None,
        backend=keras.backend.backend(),
        versions={
            "cxr-enhance": cxr_enhance.__version__,
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in packages},
        },
        optimizer=optimizer,
        loss=loss,
        precision=policy_of(config.training),
    )
