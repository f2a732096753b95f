"""Contents of ``run.json`` and of a row of ``history.csv``, as records."""

from __future__ import annotations

from dataclasses import dataclass, field

from cxr_models._typed_json import WRITTEN, Integer
from cxr_models.records.overlap import Overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRow:
    """Measurements of one epoch, which is counted from 0 in each phase.

    If the training diverged, the losses are NaN.
    """

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
    """Origin of a run: split, weights, versions and parts of the caller."""

    split_sha256: str
    split_seed: Integer | None = field(default=None, metadata=WRITTEN)
    split_root: str | None = field(default=None, metadata=WRITTEN)
    class_names: tuple[str, ...]  # labels of the split
    seed: int | None = field(default=None, metadata=WRITTEN)
    weights: str | None = field(default=None, metadata=WRITTEN)  # the setting ``model.weights``
    weights_sha256: str | None = field(default=None, metadata=WRITTEN)
    backend: str | None = field(default=None, metadata=WRITTEN)  # backend of Keras
    versions: dict[str, str] | None = field(default=None, metadata=WRITTEN)
    # overlap of val and test with the images that earlier runs in the chain of weights have seen
    overlaps: dict[str, Overlap] | None = None
    # optimizer, loss: class and options, or name of a function, if the caller gave its own part
    optimizer: str | None = None
    loss: str | None = None
    precision: str | None = None  # dtype policy of Keras; earlier versions did not write it
    # number of epochs of each phase that a callback of the caller has ended
    stopped: dict[str, int] | None = None
    features: tuple[float, ...] | None = None  # features of one image, by a registered backbone
    # earlier versions kept the best epoch of the last phase and did not write this field
    kept: KeptEpoch | None = None
