"""`Recorder`: writes the manifest's row of each outcome and passes the outcome to the report."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cxr_enhance.archive.outcome import Outcome, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_enhance.archive.manifest import ManifestWriter


class Recorder:
    """Callable that writes the row of an outcome and passes it to the report, from any thread.

    Parameters
    ----------
    manifest : ManifestWriter
        The manifest that gets the rows.
    folders : sequence of str
        Input folders. The run ends if one of them vanishes.
    report : callable
        Function that is called with each recorded outcome after its row is written.
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
        """Record an outcome; return True if the run must end, as no other file would succeed."""
        outcome = self._with_missing_folder(outcome)
        try:
            recorded = self._manifest.add(outcome)
        except OSError as error:  # the run must end
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
        """Mark the outcome as ending the run if a file is missing because its input folder is gone.

        An unmounted disk leaves an empty folder. A folder that became empty is therefore treated as
        gone.
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
    """Remove an output without a row, if its link proves that this run wrote the output."""
    with contextlib.suppress(OSError):
        if outcome.link and os.path.samefile(outcome.link, outcome.target):
            os.unlink(outcome.target)
    _drop_link(outcome)


def _drop_link(outcome: Outcome) -> None:
    if outcome.link:
        with contextlib.suppress(OSError):
            os.unlink(outcome.link)
