"""Outputs in a run's folder that were made of other inputs, with other options.

Other inputs are those of another run or of another shard.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from cxr_enhance.archive.equal_options import gives_equal_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.recorded_files import RecordedFiles


class _Written(NamedTuple):
    digest: str
    size: int | None


class OtherOutputs:
    """Collects the outputs of other inputs and of other options, from rows in order.

    Parameters
    ----------
    out : str
        Folder of the outputs. Other outputs that a manifest records are not collected.
    job : Job
        Options of this run.
    recorded : RecordedFiles
        Resolves the names in rows.
    """

    def __init__(self, out: str, job: Job, recorded: RecordedFiles) -> None:
        self._digest, self._options = job.digest(), job.to_dict()
        self._recorded = recorded
        self._folder = os.path.join(recorded.resolved(os.path.join(out, "")), "")
        self._written: dict[str, _Written] = {}

    def update(self, row: Mapping[str, Any], *, is_planned: bool) -> None:
        """Note a row of status `written`; it replaces earlier rows of the same output."""
        digest = str(row.get("params"))
        is_other = not is_planned and digest != self._digest
        if not is_other and not self._written:  # nearly always
            return
        path = self._recorded.resolved(row["output"])
        if not is_other:
            self._written.pop(path, None)
        elif path.startswith(self._folder):
            self._written[path] = _Written(digest, row.get("output_size"))

    def counts(self, known_options: Mapping[str, dict[str, Any]]) -> Counter[str]:
        """Count the outputs that still are as they were written, by the digest of their options."""
        return Counter(
            written.digest
            for path, written in self._written.items()
            if _size(path) == written.size is not None
            and not gives_equal_output(known_options.get(written.digest, {}), self._options, path)
        )


def _size(path: str) -> int | None:
    try:
        status = os.lstat(path)
    except (OSError, ValueError):  # ValueError: an edited row with a name that no file can have
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
