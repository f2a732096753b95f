"""Decisions from the history: lower the learning rate, stop a phase, choose the best epoch.

The decisions are those of `ReduceLROnPlateau` and `EarlyStopping` of Keras, but they need no stored
state. A run that is resumed from its history therefore decides like an uninterrupted run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.config import ModelConfig, TrainingConfig
    from cxr_models.runs.facts import EpochRow

Monitor = Literal["val_accuracy", "val_loss"]
_MIN_DELTA = 1e-4  # default of ReduceLROnPlateau
_NO_NUMBER = -1e300  # score of a loss that is not finite, so that any other epoch is better


class PhaseDecision(NamedTuple):
    """Decision after the epochs of a phase so far.

    `best_epoch` is counted from 0 and is -1 before the first epoch. `learning_rate` is the
    learning rate of the next epoch. `stop` is True if the phase ends.
    """

    best_epoch: int
    learning_rate: float
    stop: bool


def monitor_of(config: ModelConfig) -> Monitor:
    """Return the column of the history by which epochs are compared.

    For ``multilabel`` it is the validation loss of the known labels. The accuracy says little about
    findings, because most findings are absent from most images. For other tasks it is the
    validation accuracy.
    """
    return "val_loss" if config.task == "multilabel" else "val_accuracy"


def scores_of(rows: Sequence[EpochRow], monitor: Monitor) -> list[float]:
    """Return the score of each epoch: the accuracy, or the negative loss. A higher one is better.

    A loss that is not finite gets the lowest score.
    """
    if monitor == "val_accuracy":
        return [row.val_accuracy for row in rows]
    return [-row.val_loss if math.isfinite(row.val_loss) else _NO_NUMBER for row in rows]


def decide_after_epochs(
    scores: Sequence[float], learning_rate: float, training: TrainingConfig
) -> PhaseDecision:
    """Decide how a phase continues, from the scores of its epochs so far.

    Parameters
    ----------
    scores : sequence of float
        Score of each epoch, from `scores_of`.
    learning_rate : float
        Learning rate at the start of the phase.
    training : TrainingConfig
        Settings of the patience and of plateaus.

    Returns
    -------
    PhaseDecision
        Best epoch, next learning rate, and whether to stop.
    """
    best, best_epoch = float("-inf"), -1
    plateau_best, plateau_wait = float("-inf"), 0
    for epoch, score in enumerate(scores):
        if score > best:
            best, best_epoch = score, epoch
        if score > plateau_best + _MIN_DELTA:
            plateau_best, plateau_wait = score, 0
        else:
            plateau_wait += 1
            if plateau_wait >= training.plateau_patience:
                if learning_rate > training.min_learning_rate:
                    learning_rate = max(
                        learning_rate * training.plateau_factor, training.min_learning_rate
                    )
                plateau_wait = 0
    waited = len(scores) - 1 - best_epoch
    return PhaseDecision(best_epoch, learning_rate, len(scores) > 1 and waited >= training.patience)


def best_epochs(history: Sequence[EpochRow], monitor: Monitor = "val_accuracy") -> list[EpochRow]:
    """Return the best epoch of each phase; of equal epochs, the first one."""
    return [
        _best([row for row in history if row.phase == phase], monitor)
        for phase in dict.fromkeys(row.phase for row in history)
    ]


def kept_epoch(history: Sequence[EpochRow], monitor: Monitor = "val_accuracy") -> EpochRow | None:
    """Return the epoch whose weights a run keeps; None if the history is empty.

    It is the best epoch of all phases by `monitor`. If the best epochs of two phases are equal, it
    is that of the later phase, which has trained longer.
    """
    best = best_epochs(history, monitor)
    return _best(best[::-1], monitor) if best else None


def _best(rows: Sequence[EpochRow], monitor: Monitor) -> EpochRow:
    """Return the row with the highest score; of equal rows, the first one."""
    scores = scores_of(rows, monitor)
    return rows[scores.index(max(scores))]
