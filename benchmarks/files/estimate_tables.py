"""The tables of docs/archives.md on the cost of archives, from results of `archive_estimate`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.tables.formatting import markdown, significant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CORES = (1, 16, 256)
_READING_GB_S = 1.0
_SOURCES = {
    "MIMIC-CXR: DICOM 3056 x 2544, 12 bits": "MIMIC-CXR: native DICOM, 3056 x 2544, 12 bits",
    "CheXpert: JPEG 2828 x 2320": "CheXpert: JPEG, 2828 x 2320",
    "an archive: DICOM 2500 x 2048, 12 bits": "an archive: native DICOM, 2500 x 2048, 12 bits",
}
_OUTPUTS = {
    "full size, PNG": "full size, PNG",
    "long side 1024, PNG": "long side 1024, PNG",
    "study 224 x 224, PNG": "`--preset study`, PNG",
    "mimic-cxr-jpg": "`--preset mimic-cxr-jpg`",
}


class _Archive(NamedTuple):
    name: str
    files: int
    input_tb: float  # published size; generated files have another compression ratio
    source: str
    outputs: tuple[str, ...]


_ARCHIVES = (
    _Archive("MIMIC-CXR", 377_110, 4.7, "MIMIC-CXR: DICOM 3056 x 2544, 12 bits", tuple(_OUTPUTS)),
    _Archive("CheXpert", 224_316, 0.44, "CheXpert: JPEG 2828 x 2320", tuple(_OUTPUTS)[:3]),
    _Archive("", 10_000_000, 102, "an archive: DICOM 2500 x 2048, 12 bits", tuple(_OUTPUTS)[:3]),
)


def files_table(stored: Path) -> str:
    """Return a table of the CPU time of one thread and the bytes, per file."""
    found = json.loads(stored.read_text(encoding="utf-8"))

    def rows() -> Iterator[list[str]]:
        for archive in _ARCHIVES:
            source = _SOURCES[archive.source]
            for output in archive.outputs:
                cell = found[archive.source][output]
                steps = (cell[name] for name in ("decode_s", "enhance_s", "encode_s", "cpu_s"))
                shown = f"{source}, {significant(cell['input_mb'])} MB" if source else ""
                yield [
                    shown, _OUTPUTS[output], *(f"{1e3 * step:.0f} ms" for step in steps),
                    f"{significant(cell['output_mb'])} MB",
                ]  # fmt: skip
                source = ""

    head = ["source", "output", "decode", "enhance and resize", "encode", "CPU", "output size"]
    return markdown(head, rows(), 2)


def archives_table(stored: Path) -> str:
    """Return a table of the estimated cost of archives.

    Files are assumed to be shared evenly by all cores, without any loss.
    """
    found = json.loads(stored.read_text(encoding="utf-8"))

    def rows() -> Iterator[list[str]]:
        for archive in _ARCHIVES:
            name = f"{archive.name}, {archive.files:,} files, {archive.input_tb:g} TB"
            for output in archive.outputs:
                cell = found[archive.source][output]
                yield [name.removeprefix(", "), _OUTPUTS[output], *_costs(archive, cell)]
                name = ""

    head = [
        "archive", "output", "core-hours", "storage", *(f"{n} cores".replace("1 cores", "1 core")
        for n in _CORES), "reading at 1 GB/s", "cores that 1 GB/s feeds",
    ]  # fmt: skip
    return markdown(head, rows(), 2)


def _costs(archive: _Archive, cell: dict[str, Any]) -> list[str]:
    seconds, reading = archive.files * cell["cpu_s"], archive.input_tb * 1e3 / _READING_GB_S
    return [
        significant(seconds / 3600, 2),
        f"{significant(archive.files * cell['output_mb'] / 1e6, 2)} TB",
        *(_time(seconds / cores) for cores in _CORES),
        _time(reading),
        significant(seconds / reading, 2),
    ]


def _time(seconds: float) -> str:
    for unit, length, least in (("days", 86_400, 2), ("h", 3_600, 1), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{significant(seconds / length, 2)} {unit}"
    return f"{significant(seconds, 2)} s"


TABLES: dict[str, Callable[[Path], str]] = {
    "estimate-files": files_table,
    "estimate-archives": archives_table,
}
