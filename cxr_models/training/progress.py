"""Reports of the state of a training after every step; another module displays them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import keras

from cxr_models.training.objective import with_known_losses

if TYPE_CHECKING:
    from collections.abc import Callable


class StepReport(NamedTuple):
    """State of a piece of work after a step."""

    work: str  # name of the work: ``head 2/50`` (epoch 2 of 50), or ``features``
    done: int  # number of finished steps
    steps: int  # number of all steps
    # estimated seconds to the end of the phase (without early stopping) or of the features; None
    # if not known yet
    seconds_left: float | None
    values: dict[str, float]  # loss and accuracy so far in the epoch


class Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that reports every step to `watch`, and every epoch to `say`.

    Parameters
    ----------
    phase : str
        Name of the phase.
    epochs : int
        Number of epochs of the phase.
    steps : int
        Number of steps per epoch.
    watch : callable or None
        Function that is called with a `StepReport` at the start of an epoch and after every step.
        None reports no steps.
    say : callable or None
        Function that is called with one line after each epoch. None reports no epochs.
    clock : callable
        Function that returns the current time in seconds.
    """

    def __init__(
        self,
        *,
        phase: str,
        epochs: int,
        steps: int,
        watch: Callable[[StepReport], object] | None,
        say: Callable[[str], object] | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self._phase, self._epochs, self._steps = phase, epochs, steps
        self._watch, self._say, self._clock = watch, say, clock
        self._epoch = 0
        self._began = self._first_step_ended = self._step_ended = 0.0
        self._epoch_seconds: float | None = None  # duration of the latest epoch
        self._epochs_seen = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report the start of an epoch."""
        self._epoch, self._began = epoch, self._clock()
        self._report(0, self._seconds_left(self._began, 0), {})

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Report a finished step."""
        now, done = self._clock(), batch + 1
        if done == 1:
            self._first_step_ended = now
        self._step_ended = now
        self._report(done, self._seconds_left(now, done), logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Report a finished epoch."""
        now = self._clock()
        self._epochs_seen += 1
        if self._epochs_seen > 1:
            self._epoch_seconds = now - self._began
        elif self._steps > 1:  # the first step and the first validation compile their graphs
            rest = self._step_ended - self._first_step_ended
            self._epoch_seconds = rest / (self._steps - 1) * self._steps
        if self._say is None:
            return
        measured = with_known_losses(logs or {})
        values = ", ".join(f"{name} {float(value):.4f}" for name, value in measured.items())
        left = (self._epoch_seconds or 0.0) * (self._epochs - epoch - 1)
        then = f"; about {duration(left)} left in this phase" if left >= 1 else ""
        self._say(f"{self._named()}: {values} ({duration(now - self._began)}{then})")

    def _seconds_left(self, now: float, done: int) -> float | None:
        an_epoch = self._epoch_seconds
        if an_epoch is None:
            if done < 2:
                return None
            an_epoch = (now - self._first_step_ended) / (done - 1) * self._steps
        return an_epoch * (self._epochs - self._epoch - done / self._steps)

    def _report(self, done: int, left: float | None, logs: dict[str, float]) -> None:
        if self._watch is not None:
            values = {name: float(value) for name, value in with_known_losses(logs).items()}
            self._watch(StepReport(self._named(), done, self._steps, left, values))

    def _named(self) -> str:
        return f"{self._phase} {self._epoch + 1}/{self._epochs}"


def duration(seconds: float) -> str:
    """Return a duration as text, in seconds, minutes or hours.

    Examples
    --------
    >>> duration(3.2), duration(75), duration(600), duration(9000)
    ('3 s', '75 s', '10 min', '2 h 30 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
