"""What archives cost is multiplied out of what a file costs."""

from __future__ import annotations

import json

import pytest

from benchmarks.files.estimate_tables import _SOURCES, archives_table, files_table

CELL = {
    "decode_s": 0.01, "enhance_s": 0.02, "encode_s": 0.006, "cpu_s": 0.036, "input_mb": 10.0,
    "output_mb": 2.0,
}  # fmt: skip
OUTPUTS = ("full size, PNG", "long side 1024, PNG", "study 224 x 224, PNG", "mimic-cxr-jpg")


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "estimate.json"
    path.write_text(json.dumps({source: dict.fromkeys(OUTPUTS, CELL) for source in _SOURCES}))
    return path


def test_a_file_has_the_time_of_each_step(stored):
    lines = files_table(stored).splitlines()
    assert lines[2] == (
        "| MIMIC-CXR: native DICOM, 3056 x 2544, 12 bits, 10.0 MB | full size, PNG | 10 ms | 20 ms "
        "| 6 ms | 36 ms | 2.00 MB |"
    )
    assert lines[3].startswith("|  | long side 1024, PNG |")
    assert len(lines) == 2 + 4 + 3 + 3


def test_an_archive_takes_its_files_times_that(stored):
    last = archives_table(stored).splitlines()[-3]
    assert last == (  # ten million files of 36 ms: a hundred hours; 102 TB
        "| 10,000,000 files, 102 TB | full size, PNG | 100 | 20 TB | 4.2 days | 6.2 h | 23 min | "
        "28 h | 3.5 |"
    )
