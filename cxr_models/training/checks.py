"""Checks before a training run. They import no framework and decode no image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cxr_enhance.io.samples import file_behind
from cxr_models.backbones import BackboneSpec, find_backbone
from cxr_models.inputs.targets import check_positive_class
from cxr_models.networks.weights_option import check_weights
from cxr_models.runs.folder import RunFolder
from cxr_models.training.findings import check_known

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from cxr_models.config import ModelConfig, RunConfig
    from cxr_models.records.manifest import Manifest
    from cxr_models.records.splits import Split


def check_run(split: Split, config: RunConfig, out: str | os.PathLike[str]) -> None:
    """Check split, settings and folder of a run before its network is built.

    Parameters
    ----------
    split : Split
        Split of the run. Its parts train and val are checked.
    config : RunConfig
        All settings.
    out : str or PathLike
        Folder of the run.

    Raises
    ------
    ValueError
        If a part is empty, an image file is missing, settings do not fit together or do not fit
        the split, or the folder is that of another run.
    FileNotFoundError
        If the weights file does not exist.
    """
    check_epochs(config)
    check_weights(config.model.weights)
    check_image_size(config)
    check_weighting(config)
    check_labels(split, config.model)
    for name in ("train", "val"):
        files_of(split, name)
    RunFolder(path=Path(out)).check(config, split.hash)


def check_epochs(config: RunConfig) -> None:
    """Raise ValueError if the settings train nothing, or cache features without a frozen phase."""
    training, scratch = config.training, config.model.weights == "none"
    if scratch and training.epochs_head == 0:
        raise ValueError(
            "`epochs_head` must be at least 1 with weights none, where it counts all epochs and "
            "`epochs_fine_tune` none; got 0. Give --epochs-head 50, or pretrained weights."
        )
    if training.epochs_head == training.epochs_fine_tune == 0:
        raise ValueError(
            "`epochs_head` and `epochs_fine_tune` must not both be 0; got 0 and 0, which trains "
            "nothing. Give --epochs-head 50."
        )
    if scratch and training.cache_features:
        raise ValueError(
            f"`cache_features` must be 0 with weights none, where nothing is frozen; got "
            f"{training.cache_features!r}. Leave --cache-features out, or give pretrained weights."
        )


def check_given_epochs(given: Iterable[str], config: RunConfig) -> None:
    """Raise ValueError if epochs of fine-tuning were asked for, and nothing is fine-tuned.

    Parameters
    ----------
    given : iterable of str
        Names of the settings that the user gave. The default of `epochs_fine_tune` is allowed.
    config : RunConfig
        All settings.
    """
    epochs = config.training.epochs_fine_tune
    if config.model.weights == "none" and epochs and "training.epochs_fine_tune" in given:
        raise ValueError(
            "`epochs_fine_tune` is only allowed with pretrained weights; got "
            f"{epochs!r} and weights none, with which `epochs_head` counts all epochs. Leave it "
            "out, or give pretrained weights."
        )


def check_image_size(config: RunConfig) -> None:
    """Raise ValueError if images are too small for the backbone.

    The smallest size is known only for the backbones of `cxr_models.backbones.BACKBONES`.
    """
    spec = find_backbone(config.model.backbone)
    if isinstance(spec, BackboneSpec) and min(config.data.image_size) < spec.min_size:
        raise ValueError(
            f"`image_size` must be at least ({spec.min_size}, {spec.min_size}) for "
            f"{spec.application}; got {config.data.image_size!r}."
        )


def check_weighting(config: RunConfig) -> None:
    """Raise ValueError if the settings use class or positive weights that the task does not allow.

    ``class_weights`` is not allowed for ``multilabel``, and ``positive_weights`` only there.
    """
    task, training = config.model.task, config.training
    if training.class_weights and task == "multilabel":
        raise ValueError(
            "`class_weights` is only allowed with the tasks multiclass and binary; got multilabel. "
            "Let the positives of each finding weigh as much as its negatives: --set "
            "training.positive_weights=true"
        )
    if training.positive_weights and task != "multilabel":
        raise ValueError(
            f"`positive_weights` is only allowed with the task multilabel; got {task}. Weigh "
            "labels with: --set training.class_weights=true"
        )


def check_labels(split: Split, model: ModelConfig) -> None:
    """Raise ValueError if the labels or findings of a split do not fit the task."""
    if model.task == "multilabel":
        check_known(split, model)
        return
    names = split.class_names()
    if len(names) < 2:
        raise ValueError(
            f"`split` must have images of two labels at least; got {', '.join(names) or 'none'}."
        )
    check_positive_class(model, names)


def files_of(split: Split, name: str) -> Manifest:
    """Return the records of one part of a split, and check that their files exist.

    Raises
    ------
    ValueError
        If the part is empty, or one of its files does not exist.
    """
    manifest = split.select(name)
    if not manifest.records:
        raise ValueError(f"`split` must have records in {name}; got none.")
    missing = [path for path in manifest.paths() if not Path(file_behind(path)).is_file()]
    if missing:
        raise ValueError(
            f"`split` must name files that exist; got {len(missing)} in {name} that do not, such "
            f"as {missing[0]!r}."
        )
    return manifest
