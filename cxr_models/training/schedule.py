"""When to lower the learning rate, when to stop, which epochs were best: from the history alone.

What Keras's `ReduceLROnPlateau` and `EarlyStopping` decide, without state of their own: a run that
is resumed from its history decides what it would have decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.config import TrainingConfig
    from cxr_models.runs.facts import EpochRow

_MIN_DELTA = 1e-4  # ReduceLROnPlateau's


class Verdict(NamedTuple):
    """What follows from the epochs so far.

    `best_epoch` counts from 0 and is -1 before the first epoch; `learning_rate` is for the next.
    """

    best_epoch: int
    learning_rate: float
    stop: bool


def judge_epochs(
    accuracies: Sequence[float], learning_rate: float, training: TrainingConfig
) -> Verdict:
    """Decide from the validation accuracies of a phase how it goes on.

    Parameters
    ----------
    accuracies : sequence of float
        One an epoch.
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
    for epoch, accuracy in enumerate(accuracies):
        if accuracy > best:
            best, best_epoch = accuracy, epoch
        if accuracy > plateau_best + _MIN_DELTA:
            plateau_best, plateau_wait = accuracy, 0
        else:
            plateau_wait += 1
            if plateau_wait >= training.plateau_patience:
                if learning_rate > training.min_learning_rate:
                    learning_rate = max(
                        learning_rate * training.plateau_factor, training.min_learning_rate
                    )
                plateau_wait = 0
    waited = len(accuracies) - 1 - best_epoch
    return Verdict(best_epoch, learning_rate, len(accuracies) > 1 and waited >= training.patience)


def best_epochs(history: Sequence[EpochRow]) -> list[EpochRow]:
    """Return the best epoch of each phase: the first of those equal, as `judge_epochs` does."""
    return [
        max((row for row in history if row.phase == phase), key=_accuracy)
        for phase in dict.fromkeys(row.phase for row in history)
    ]


def kept_epoch(history: Sequence[EpochRow]) -> EpochRow | None:
    """Return the epoch whose weights a run keeps; None where there was no epoch.

    It is the best epoch of all phases by validation accuracy; of phases that are equal, the last,
    which has seen most.
    """
    return max(reversed(best_epochs(history)), key=_accuracy, default=None)


def _accuracy(row: EpochRow) -> float:
    return row.val_accuracy
