"""The recorder: takes each outcome from an engine, writes its row, and passes it to the report."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cxr_enhance.archive.outcome import Outcome, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_enhance.archive.manifest import ManifestWriter


class Recorder:
    """Writes the row of each outcome and passes the outcome to the report; from any thread.

    Parameters
    ----------
    manifest : ManifestWriter
        The manifest that gets the rows.
    folders : sequence of str
        Input folders. The run ends if one of them vanishes.
    report : callable
        Called with each outcome as it was recorded, once its row is written.
    """

    def __init__(
        self,
        manifest: ManifestWriter,
        folders: Sequence[str],
        report: Callable[[Outcome], None],
    ) -> None:
        self._manifest, self._report = manifest, report
        self.has_ended_run = False
        # An empty folder has no files to lose.
        self._folders = [folder for folder in folders if _holds_anything(folder)]

    def __call__(self, outcome: Outcome) -> bool:
        """Record an outcome; return True if no further file could be read or written."""
        outcome = self._with_missing_folder(outcome)
        try:
            recorded = self._manifest.add(outcome)
        except OSError as error:  # no further file makes sense
            reason = f"the manifest cannot be written: {reason_of(error)}"
            _take_back(outcome)
            recorded = outcome._replace(
                status="failed", reason=reason, transient=True, ends_run=True
            )
        else:
            _drop_link(outcome)
        self._report(recorded)
        self.has_ended_run |= recorded.ends_run
        return recorded.ends_run

    def _with_missing_folder(self, outcome: Outcome) -> Outcome:
        """Let the run end if a file is missing because its whole input folder is gone.

        An unmounted disk leaves an empty folder: an input folder that became empty counts as gone.
        """
        if outcome.status != "failed" or outcome.input_size is not None:  # the file was there
            return outcome
        source = os.path.abspath(outcome.source)
        for folder in self._folders:
            prefix = os.path.join(os.path.abspath(folder), "")
            if source.startswith(prefix) and not _holds_anything(folder):
                reason = f"the input folder {folder!r} is gone or empty: {outcome.reason}"
                return outcome._replace(reason=reason, transient=True, ends_run=True)
        return outcome


def _holds_anything(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _take_back(outcome: Outcome) -> None:
    """Remove an output whose row could not be written, if its link proves that this run made it."""
    with contextlib.suppress(OSError):
        if outcome.link and os.path.samefile(outcome.link, outcome.target):
            os.unlink(outcome.target)
    _drop_link(outcome)


def _drop_link(outcome: Outcome) -> None:
    if outcome.link:
        with contextlib.suppress(OSError):
            os.unlink(outcome.link)
