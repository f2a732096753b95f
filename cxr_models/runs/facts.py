"""What ``run.json`` and a row of ``history.csv`` state of a run, as records."""

from __future__ import annotations

from dataclasses import dataclass, field

from cxr_models._typed_json import WRITTEN, Integer
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
    """What a run was made of."""

    split_sha256: str
    split_seed: Integer | None = field(default=None, metadata=WRITTEN)
    split_root: str | None = field(default=None, metadata=WRITTEN)
    class_names: tuple[str, ...]  # labels of the split
    seed: int | None = field(default=None, metadata=WRITTEN)
    weights: str | None = field(default=None, metadata=WRITTEN)  # the setting ``model.weights``
    weights_sha256: str | None = field(default=None, metadata=WRITTEN)
    backend: str | None = field(default=None, metadata=WRITTEN)  # of Keras
    versions: dict[str, str] | None = field(default=None, metadata=WRITTEN)
    overlaps: dict[str, Overlap] | None = None  # of val and test with images seen before
    # of the caller's own optimizer and loss: class and options, or the name of a function
    optimizer: str | None = None
    loss: str | None = None
    features: tuple[float, ...] | None = None  # of one image, by a network of the caller's own
    kept: KeptEpoch | None = None  # earlier versions kept the last phase's best epoch, unstated
