"""The CSV files that `cxr-models index` writes next to a manifest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cxr_models._outputs import check_output, replaces_output
from cxr_models.records.csv_files import write_rows
from cxr_models.records.hashes import HASHES
from cxr_models.records.index import DUPLICATES, DUPLICATES_COLUMNS, SKIPPED, SKIPPED_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxr_models._outputs import Kind
    from cxr_models.records.index import Index


class IndexLists:
    """The CSV files next to a manifest: unused files, pairs of copies, and hashes of images.

    `write` writes the first two; `hashes` is only the path of the third.
    """

    def __init__(self, out: Path, csvs: Sequence[Path], *, overwrite: bool) -> None:
        self.skipped, self.duplicates = out.with_suffix(".skipped.csv"), self.of_duplicates(out)
        self.hashes = out.with_suffix(".hashes.csv")
        self._csvs, self._overwrite = csvs, overwrite

    @staticmethod
    def of_duplicates(out: Path) -> Path:
        return out.with_suffix(".duplicates.csv")

    def check(self) -> None:
        """Raise unless both lists may be written or removed, and hashes may be added.

        The errors are those of `check_output`.
        """
        self._check(self.skipped, SKIPPED)
        self._check(self.duplicates, DUPLICATES)
        if self.hashes.exists():  # rows are added to this file; it is never replaced
            check_output(
                self.hashes, HASHES, overwrite=True, inputs=self._csvs, option=self.hashes.name
            )

    def write(self, indexed: Index) -> None:
        """Write each list that has rows; for an empty list, remove the earlier file."""
        skipped = [{"file": skip.file, "reason": skip.reason} for skip in indexed.skipped]
        self._write(self.skipped, SKIPPED, SKIPPED_COLUMNS, skipped)
        pairs = [
            {**dataclasses.asdict(pair), "bits": str(pair.bits)} for pair in indexed.duplicates
        ]
        self._write(self.duplicates, DUPLICATES, DUPLICATES_COLUMNS, pairs)

    def _check(self, path: Path, kind: Kind) -> None:
        check_output(path, kind, overwrite=self._overwrite, inputs=self._csvs, option=path.name)

    def _write(
        self, path: Path, kind: Kind, columns: Sequence[str], rows: Sequence[dict[str, str]]
    ) -> None:
        if not rows:
            self._check(path, kind)  # a file of another kind is not removed
            path.unlink(missing_ok=True)
            return
        with replaces_output(
            path, kind, overwrite=self._overwrite, inputs=self._csvs, option=path.name
        ) as temporary:
            write_rows(temporary, columns, rows)
