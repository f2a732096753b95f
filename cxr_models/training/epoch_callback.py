"""Callback of every phase: random states before an epoch; history, schedule and backup after it."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING

import keras
import numpy as np

from cxr_models.runs.facts import EpochRow
from cxr_models.training.objective import with_known_losses
from cxr_models.training.schedule import decide_after_epochs, scores_of

if TYPE_CHECKING:
    from cxr_models.config import TrainingConfig
    from cxr_models.runs.folder import RunFolder
    from cxr_models.training.schedule import Monitor


class EpochCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that makes a phase resumable.

    Its decisions depend only on the settings, the epoch and the history. A resumed run therefore
    makes the same decisions as an uninterrupted run. Callbacks of the caller must come before this
    callback, so that the backup contains the learning rate that they set, and a stop is stored.

    Parameters
    ----------
    folder : RunFolder
        Folder of the history, the best weights and the backups.
    training : TrainingConfig
        Settings of patience, plateaus and seed.
    phase : str
        Name of the phase.
    number : int
        Number of the phase, from 0.
    learning_rate : float
        Learning rate at the start of the phase.
    history : list of EpochRow
        Rows of all phases so far. One row is appended per epoch.
    monitor : {"val_accuracy", "val_loss"}, default "val_accuracy"
        Column of the history by which epochs are compared.
    """

    def __init__(
        self,
        folder: RunFolder,
        training: TrainingConfig,
        *,
        phase: str,
        number: int,
        learning_rate: float,
        history: list[EpochRow],
        monitor: Monitor = "val_accuracy",
    ) -> None:
        super().__init__()
        self._folder = folder
        self._training = training
        self._phase = phase
        self._number = number
        self._learning_rate = learning_rate
        self._rows = history
        self._monitor = monitor
        self._started = 0.0
        self._rate = learning_rate  # of the last step

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Set the random state of every layer from the seed and the epoch."""
        self._started = time.perf_counter()
        set_random_states(self.model, f"{self._training.seed}/{self._phase}/{epoch}")

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keep the learning rate of the epoch, which callbacks of the caller change at its end."""
        self._rate = self._current_rate()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the history, then the backup, then the best weights if this epoch is the best.

        At a plateau the learning rate is lowered; it is never raised. A stop by another callback is
        stored in run.json, because a resumed run does not have the state of that callback.

        The order makes interruptions harmless. An epoch without a backup is trained again after
        resuming, and has not changed the best weights. If the run stops after the backup, resuming
        saves the best weights from the backup.
        """
        logs = with_known_losses(logs or {})
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        self._rows.append(
            EpochRow(
                phase=self._phase,
                epoch=epoch,
                learning_rate=self._rate,
                **{name: float(logs[name]) for name in names},
                seconds=round(time.perf_counter() - self._started, 3),
            )
        )
        self._folder.write_history(self._rows)
        rows = [row for row in self._rows if row.phase == self._phase]
        scores = scores_of(rows, self._monitor)
        decision = decide_after_epochs(scores, self._learning_rate, self._training)
        before = decide_after_epochs(scores[:-1], self._learning_rate, self._training)
        if decision.learning_rate != before.learning_rate:
            lower = min(decision.learning_rate, self._current_rate())
            self.model.optimizer.learning_rate = lower
        if self.model.stop_training:
            self._folder.write_stop(self._phase, epoch + 1)
        elif decision.stop:
            self.model.stop_training = True
        self._folder.save_backup(self.model, self._number, epoch + 1)
        if decision.best_epoch == epoch:
            self._folder.save_weights(self.model, self._folder.best_of(self._phase))

    def _current_rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))


def set_random_states(model: keras.Model, key: str) -> None:
    """Set the random state of every layer, and of the layers inside of it.

    The state is computed from `key` and the place of the layer, counted from the output, so that
    the head alone has the states of the head of a whole classifier. The name would not do, because
    Keras numbers layers without a name by how many such layers the process has made.
    """
    for place, layer in enumerate(reversed(model.layers)):
        # The variables of a layer that are no weights are random states, also of layers inside.
        weights = {id(weight) for weight in layer.weights}
        states = [variable for variable in layer.variables if id(variable) not in weights]
        for number, state in enumerate(states):
            text = f"{key}/{place}/{number}" if number else f"{key}/{place}"
            state.assign(np.array([zlib.crc32(text.encode()) & 0x7FFFFFFF, 0]))
