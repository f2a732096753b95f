"""Reading of a DICOM file to the pixels that a viewer shows, compared with pydicom.

pydicom applies the lookup table or the window to every pixel. Ours computes the result once for
every value that a pixel can have. Both start with the bytes of the file and give the same uint16
image.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="needs pydicom")

from pydicom.pixels import apply_modality_lut, apply_voi_lut  # noqa: E402

import cxr_enhance as cxe  # noqa: E402
from benchmarks.conftest import Row  # noqa: E402
from benchmarks.files.archive_estimate import native_dicom  # noqa: E402
from benchmarks.harness import shapes  # noqa: E402
from benchmarks.tables.targets import OURS, PYDICOM  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.harness.shapes import Shape
    from cxr_enhance._types import ImageU16


def shown_by_pydicom(data: bytes) -> ImageU16:
    """Apply the modality and VOI transforms with pydicom, rounded to the nearest whole level."""
    data_set = pydicom.dcmread(io.BytesIO(data))
    values = apply_voi_lut(apply_modality_lut(data_set.pixel_array, data_set), data_set)
    return np.rint(values).astype(np.uint16)


@pytest.mark.parametrize("contender", [OURS, PYDICOM])
def bench_read_dicom(
    race: Callable[..., None], sized: Callable[[Shape], Shape], contender: str
) -> None:
    data = native_dicom(*sized(shapes.DETECTOR), seed=0)
    pixels = len(data) // 2
    race(
        Row(
            operation="read_image",
            image="DICOM 2048x2500, 12 bits, with a window",
            nbytes=len(data),
            pixels=pixels,
        ),
        contender,
        {OURS: lambda: cxe.read_image(data), PYDICOM: lambda: shown_by_pydicom(data)},
    )
