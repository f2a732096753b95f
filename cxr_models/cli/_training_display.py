"""Display of a training on the terminal: lines, and a progress bar with the remaining time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_models.cli import _console

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.training.progress import Standing

_PAUSE = 0.1  # shortest time between two updates of the bar, in seconds
_BAR = "{desc} |{bar:20}| {n_fmt}/{total_fmt}{postfix}"


class TrainingDisplay:
    """Lines on standard output, and a progress bar on standard error if that is a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[object] | None = None
        self._work = ""
        self._shown = 0.0

    @property
    def watch(self) -> Callable[[Standing], None] | None:
        """Function to call at every step; None if standard error is not a terminal."""
        return self._show if _console.is_terminal() else None

    def say(self, text: str) -> None:
        """Remove the bar and print a line."""
        self.close()
        _console.say(_console.printable(text))

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, standing: Standing) -> None:
        now = time.monotonic()
        if self._bar is None or standing.work != self._work:
            self.close()
            self._work = standing.work
            self._bar = tqdm(
                total=standing.steps, leave=False, bar_format=_BAR, desc=_doing(standing)
            )
        elif now < self._shown + _PAUSE and standing.done < standing.steps:
            return
        self._shown = now
        self._bar.set_description_str(_doing(standing), refresh=False)
        self._bar.set_postfix_str(_measured(standing), refresh=False)
        self._bar.n = standing.done
        self._bar.refresh()


def _doing(standing: Standing) -> str:
    if standing.done == 0 and standing.seconds_left is None:
        return f"{standing.work}: preparing the first step, which takes longest"
    if standing.done == standing.steps and standing.values:
        return f"{standing.work}: validating"
    return standing.work


def _measured(standing: Standing) -> str:
    from cxr_models.training.progress import duration

    parts = [f"{name} {value:.4f}" for name, value in standing.values.items()]
    if standing.seconds_left is not None and standing.seconds_left >= 1:
        parts.append(f"about {duration(standing.seconds_left)} left")
    return ", ".join(parts)
