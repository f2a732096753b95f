"""The one way of an outcome: from whoever did the work into the manifest, and on to the report."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cxr_enhance.archive.outcome import Outcome, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_enhance.archive.manifest import ManifestWriter


class Recorder:
    """Writes the row of each outcome and hands the outcome to the report; from any thread.

    Parameters
    ----------
    manifest : ManifestWriter
        Where rows go.
    folders : sequence of str
        Input folders. A run ends where one of them turns out to be gone.
    report : callable
        Gets each outcome as it was recorded, as soon as its row is written.
    """

    def __init__(
        self,
        manifest: ManifestWriter,
        folders: Sequence[str],
        report: Callable[[Outcome], None],
    ) -> None:
        self._manifest, self._report = manifest, report
        # An empty folder has no files to lose.
        self._folders = [folder for folder in folders if _holds_anything(folder)]

    def __call__(self, outcome: Outcome) -> bool:
        """Record an outcome; True where no further file could be read or written."""
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
        return recorded.ends_run

    def _with_missing_folder(self, outcome: Outcome) -> Outcome:
        """Let the run end where a file is gone because its whole input folder is.

        What is left of a disk that was unmounted is an empty folder.
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
    """Remove an output that no row will tell of, if it is surely this run's."""
    with contextlib.suppress(OSError):
        if outcome.link and os.path.samefile(outcome.link, outcome.target):
            os.unlink(outcome.target)
    _drop_link(outcome)


def _drop_link(outcome: Outcome) -> None:
    if outcome.link:
        with contextlib.suppress(OSError):
            os.unlink(outcome.link)
