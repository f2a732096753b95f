"""When to lower the learning rate, when to stop, which epochs were best: from the history alone.

What Keras's `ReduceLROnPlateau` and `EarlyStopping` decide, without state of their own: a run that
is resumed from its history decides what it would have decided.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.config import ModelConfig, TrainingConfig
    from cxr_models.runs.facts import EpochRow

Monitor = Literal["val_accuracy", "val_loss"]
_MIN_DELTA = 1e-4  # ReduceLROnPlateau's
_NO_NUMBER = -1e300  # score of a loss that is not finite: any other epoch is better


class Verdict(NamedTuple):
    """What follows from the epochs so far.

    `best_epoch` counts from 0 and is -1 before the first epoch; `learning_rate` is for the next.
    """

    best_epoch: int
    learning_rate: float
    stop: bool


def monitor_of(config: ModelConfig) -> Monitor:
    """Return the column of the history by which epochs are compared.

    It is the validation loss of known labels for several findings: their accuracy says little,
    for most findings are absent from most images.
    """
    return "val_loss" if config.task == "multilabel" else "val_accuracy"


def scores_of(rows: Sequence[EpochRow], monitor: Monitor) -> list[float]:
    """Return a score for each epoch, the higher the better: accuracy, or loss times -1."""
    if monitor == "val_accuracy":
        return [row.val_accuracy for row in rows]
    return [-row.val_loss if math.isfinite(row.val_loss) else _NO_NUMBER for row in rows]


def judge_epochs(
    scores: Sequence[float], learning_rate: float, training: TrainingConfig
) -> Verdict:
    """Decide from the scores of a phase how it goes on.

    Parameters
    ----------
    scores : sequence of float
        One an epoch, as `scores_of` gives them.
    learning_rate : float
        The one the phase began with.
    training : TrainingConfig
        Its patience, and what happens at a plateau.

    Returns
    -------
    Verdict
        Best epoch, next learning rate, whether to stop.
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
    return Verdict(best_epoch, learning_rate, len(scores) > 1 and waited >= training.patience)


def best_epochs(history: Sequence[EpochRow], monitor: Monitor = "val_accuracy") -> list[EpochRow]:
    """Return the best epoch of each phase: the first of those equal, as `judge_epochs` does."""
    return [
        _best([row for row in history if row.phase == phase], monitor)
        for phase in dict.fromkeys(row.phase for row in history)
    ]


def kept_epoch(history: Sequence[EpochRow], monitor: Monitor = "val_accuracy") -> EpochRow | None:
    """Return the epoch whose weights a run keeps; None where there was no epoch.

    It is the best epoch of all phases by `monitor`; of phases that are equal, the last, which has
    seen most.
    """
    best = best_epochs(history, monitor)
    return _best(best[::-1], monitor) if best else None


def _best(rows: Sequence[EpochRow], monitor: Monitor) -> EpochRow:
    """Return the row of the highest score, the first of those equal."""
    scores = scores_of(rows, monitor)
    return rows[scores.index(max(scores))]
