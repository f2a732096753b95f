"""Datasets of TensorFlow and PyTorch from one part of a split, prepared as in training.

Each function imports its framework only when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxr_models._settings import check_choice, is_int
from cxr_models.config import RunConfig
from cxr_models.inputs.targets import check_findings, targets_of
from cxr_models.records.manifest import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import tensorflow as tf
    import torch

    from cxr_models.inputs.targets import Targets
    from cxr_models.inputs.torch_dataset import Dtype, RadiographDataset
    from cxr_models.records.splits import Split

    Config = RunConfig | Mapping[str, object] | None


class _Part(NamedTuple):
    paths: list[str]
    targets: Targets
    config: RunConfig


def tf_dataset(
    split: Split, part: str, *, config: Config, batch_size: int | None, seed: int | None
) -> tf.data.Dataset:
    """Return the TensorFlow dataset that `Split.to_tf` documents."""
    if batch_size is not None and (not is_int(batch_size) or batch_size < 1):
        raise ValueError(f"`batch_size` must be an int of at least 1, or None; got {batch_size!r}.")
    if seed is not None and (not is_int(seed) or seed < 0):
        raise ValueError(f"`seed` must be an int of at least 0, or None; got {seed!r}.")
    chosen = _part_of(split, part, config)
    from cxr_models.inputs.pipeline import evaluation_batches, training_batches

    size = batch_size or chosen.config.training.batch_size
    if seed is None:
        return evaluation_batches(chosen.config.data, chosen.paths, chosen.targets, size)
    return training_batches(chosen.config.data, chosen.paths, chosen.targets, size, seed=seed)


def torch_dataset(
    split: Split,
    part: str,
    *,
    config: Config,
    dtype: Dtype,
    transform: Callable[[torch.Tensor], object] | None,
) -> RadiographDataset:
    """Return the PyTorch dataset that `Split.to_torch` documents."""
    check_choice("dtype", dtype, ("float32", "uint8"))
    if transform is not None and not callable(transform):
        raise TypeError(f"`transform` must be callable or None; got {transform!r}.")
    chosen = _part_of(split, part, config)
    from cxr_models.inputs.torch_dataset import RadiographDataset

    return RadiographDataset(
        chosen.config.data, chosen.paths, chosen.targets, dtype=dtype, transform=transform
    )


def _part_of(split: Split, part: str, config: Config) -> _Part:
    check_choice("part", part, SPLITS)
    manifest, settings = split.select(part), RunConfig.made_of(config)
    if not manifest.records:
        raise ValueError(f"`split` must have records in {part}; got none.")
    if settings.model.task == "multilabel":
        check_findings(split.manifest, settings.model.findings)
    targets = targets_of(manifest, split.class_names(), settings.model)
    return _Part(manifest.paths(), targets, settings)
