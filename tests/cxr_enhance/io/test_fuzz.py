"""A minute of mutated files: nothing hangs, nothing raises but what is documented."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest

from tests.helpers.dicom_files import data_set, lut_item, saved
from tests.helpers.fresh_process import run_module
from tests.helpers.image_files import (
    animated_png,
    bmp,
    drawn,
    encoded,
    exif_orientation,
    jpeg_with_orientation,
    packed_rows,
    png,
    png_chunk,
    tiff,
    tiff_fields,
    tiff_of,
    tiled_tiff,
)

ROOT = pathlib.Path(__file__).parents[3]
SECONDS = int(os.environ.get("CXR_FUZZ_SECONDS", "60"))


def seeds():
    """Make small files of every kind, so that a mutation meets a header and not pixels."""
    gray, colour, deep = drawn(9, 13), drawn(9, 13, channels=3), drawn(9, 13, np.uint16)
    palette = [[level, 0, 255 - level] for level in range(16)]
    places = np.arange(9 * 13).reshape(9, 13) % 16
    rows = [row.tobytes() for row in packed_rows(places, 4)]
    fields = tiff_fields(13, 9, 4, 1, 3, counts=[63]) | {320: (3, list(range(48)))}
    yield from (png(gray, 0), png(deep, 0), png(colour, 2))
    yield png(gray, 0, png_chunk(b"eXIf", exif_orientation(6)))
    yield animated_png(gray, [gray])
    yield from (encoded(".jpg", gray), jpeg_with_orientation(encoded(".jpg", colour), 6))
    yield encoded(".jpg", colour, [2, 1])  # progressive
    yield from (encoded(".webp", colour), encoded(".webp", colour, [64, 101]))
    yield from (encoded(".bmp", gray), encoded(".bmp", colour))
    yield bmp(rows, 4, 13, 9, palette=palette, core=True)
    yield bmp([bytes(52)] * 9, 32, 13, 9, header=56, masks=(0xFF, 0xFF00, 0xFF0000))
    yield from (encoded(".tif", gray), tiff([deep], order=">"), tiff([gray], big=True))
    yield from (tiled_tiff(colour, 16), tiff_of(fields, b"".join(rows)))
    yield tiff([np.dstack([colour, gray])], photometric=2, extra_samples=2)
    yield from (
        saved(data_set(gray)),
        saved(data_set(colour)),
        saved(data_set(np.stack([deep] * 2))),
    )
    table = [lut_item(0, 8, list(range(256)))]
    yield saved(
        data_set(deep, bits=12, RescaleSlope="2", RescaleIntercept="-9", VOILUTSequence=table)
    )
    yield saved(data_set(deep, WindowCenter="300", WindowWidth="200"))


@pytest.mark.slow
@pytest.mark.opencv
def test_a_minute_of_mutated_files_ends_in_sentences(tmp_path):
    pytest.importorskip("atheris")
    folder = tmp_path / "seeds"
    folder.mkdir()
    for number, data in enumerate(seeds()):
        (folder / f"{number}").write_bytes(data)
    run_module(
        "tests.helpers.fuzz_files",
        folder,
        *(f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=1024", "-len_control=0"),
        *(f"-artifact_prefix={tmp_path}/", "-close_fd_mask=3", "-print_final_stats=1"),
        env={"OPENCV_LOG_LEVEL": "SILENT"},
        timeout=SECONDS + 240,
    )
