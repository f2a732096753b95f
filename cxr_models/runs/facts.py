"""What ``run.json`` and a row of ``history.csv`` state of a run, as records."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from cxr_models._typed_json import WRITTEN
from cxr_models.records.overlap import Overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """An epoch, counted from 0 in its phase; losses of a training that diverged are NaN."""

    phase: str
    epoch: int
    learning_rate: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEpoch:
    """The epoch of the best weights, and its validation accuracy."""

    phase: str
    epoch: int
    val_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run was made of.

    Parameters
    ----------
    split_sha256 : str
        Hash of the split.
    split_seed : int or None, default None
        Seed of the split.
    split_root : str or None, default None
        Folder of its images.
    class_names : tuple of str
        Labels of the split.
    seed : int or None, default None
        Seed of the training.
    weights : str or None, default None
        The setting ``model.weights``.
    weights_sha256 : str or None, default None
        Hash of the file that it names.
    backend : str or None, default None
        Of Keras.
    versions : dict of str to str or None, default None
        Of Python and packages.
    overlaps : dict of str to Overlap or None, default None
        What val and test share with images that runs before it have seen.
    kept : KeptEpoch or None, default None
        None before the run has ended, and of runs that an earlier version ended: they kept the
        best epoch of the last phase.
    """

    split_sha256: str
    split_seed: int | None = dataclasses.field(default=None, metadata=WRITTEN)
    split_root: str | None = dataclasses.field(default=None, metadata=WRITTEN)
    class_names: tuple[str, ...]
    seed: int | None = dataclasses.field(default=None, metadata=WRITTEN)
    weights: str | None = dataclasses.field(default=None, metadata=WRITTEN)
    weights_sha256: str | None = dataclasses.field(default=None, metadata=WRITTEN)
    backend: str | None = dataclasses.field(default=None, metadata=WRITTEN)
    versions: dict[str, str] | None = dataclasses.field(default=None, metadata=WRITTEN)
    overlaps: dict[str, Overlap] | None = None
    kept: KeptEpoch | None = None
