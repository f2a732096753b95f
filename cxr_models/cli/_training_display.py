"""Display of a training on the terminal: lines, and a progress bar with the remaining time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_models.cli import _console

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.training.progress import StepReport

_PAUSE = 0.1  # shortest time between two updates of the bar, in seconds
_BAR = "{desc} |{bar:20}| {n_fmt}/{total_fmt}{postfix}"


class TrainingDisplay:
    """Lines on standard output, and a progress bar on standard error if that is a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[object] | None = None
        self._work = ""
        self._shown = 0.0

    @property
    def watch(self) -> Callable[[StepReport], None] | None:
        """The function to call at every step; None if standard error is not a terminal."""
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

    def _show(self, report: StepReport) -> None:
        now = time.monotonic()
        if self._bar is None or report.work != self._work:
            self.close()
            self._work = report.work
            self._bar = tqdm(total=report.steps, leave=False, bar_format=_BAR, desc=_doing(report))
        elif now < self._shown + _PAUSE and report.done < report.steps:
            return
        self._shown = now
        self._bar.set_description_str(_doing(report), refresh=False)
        self._bar.set_postfix_str(_measured(report), refresh=False)
        self._bar.n = report.done
        self._bar.refresh()


def _doing(report: StepReport) -> str:
    if report.done == 0 and report.seconds_left is None:
        return f"{report.work}: preparing the first step, which takes longest"
    if report.done == report.steps and report.values:
        return f"{report.work}: validating"
    return report.work


def _measured(report: StepReport) -> str:
    from cxr_models.training.progress import duration

    parts = [f"{name} {value:.4f}" for name, value in report.values.items()]
    if report.seconds_left is not None and report.seconds_left >= 1:
        parts.append(f"about {duration(report.seconds_left)} left")
    return ", ".join(parts)
