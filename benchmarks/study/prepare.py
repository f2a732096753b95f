"""Manifests and splits of the study that no command makes: ``prepare DATA WORK``."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

from cxr_models.records.manifest import Record, read_manifest, write_manifest

_ADULTS = ("nih_cxr14", "hannover", "ieee8023")


def records_of(manifest: Path, folder: Path) -> list[Record]:
    """Read a manifest, its files named from `folder`."""
    read = read_manifest(manifest)
    return [
        dataclasses.replace(record, file=os.path.relpath(path, folder))
        for record, path in zip(read.records, read.paths(), strict=True)
    ]


def main(data: Path, work: Path) -> None:
    """Write ``external.csv`` and ``adults.csv`` into `work`."""
    inside = records_of(data / "cxr3" / "manifest.csv", work)
    outside = [
        # Known to be pneumonia, not to be viral: the nearest of the three classes.
        dataclasses.replace(r, label="virus" if r.label == "pneumonia_any" else r.label)
        for r in records_of(data / "external" / "manifest.csv", work)
    ]
    adults = [dataclasses.replace(r, split="") for r in (*inside, *outside) if r.source in _ADULTS]
    write_manifest(work / "adults.csv", adults)
    write_manifest(work / "external.csv", outside)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
