"""Targets of the benchmarks; targets are written only in this module.

A target names a group of benchmarks and contenders of the group. A ratio is the ratio of the
medians of one run.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

OURS = "cxr_enhance"
OURS_BY_BINS = f"{OURS}, 256 bins"
OPENCV = "OpenCV"
NOTEBOOK = "notebook"
OPENCV_POOL, OPENCV_ONE_THREAD = "OpenCV pool, 2 threads", "OpenCV pool, 1 thread"
ONE_THREAD, TWO_THREADS = f"{OURS}, 1 thread", f"{OURS}, 2 threads"
KERAS = "Keras"
PYDICOM = "pydicom"
OPENCV_WORKERS, OPENCV_WORKER = "OpenCV, 2 workers", "OpenCV, 1 worker"
ONE_WORKER, TWO_WORKERS = f"{OURS}, 1 worker", f"{OURS}, 2 workers"
NO_ENHANCEMENT = "no enhancement"
KEPT, COMPUTED = f"{OURS}, features kept", "features computed in each epoch"
MIB = 2**20


@dataclass(frozen=True)
class Faster:
    """Target: `of` takes at most the time of `than` divided by `at_least`."""

    group: str
    than: str
    at_least: float
    aim: float
    of: str = OURS


@dataclass(frozen=True)
class Adds:
    """Target: `of` takes at most the time of `than` times ``1 + at_most``."""

    group: str
    than: str
    at_most: float
    of: str = OURS


@dataclass(frozen=True)
class AtMost:
    """Target: a measured value of `of` is at most `at_most`.

    `quantity` is "seconds" for the median time, or the name of a value in ``extra_info``. Such a
    value is a share if its name ends in "share", and a number of bytes otherwise.
    """

    group: str
    quantity: str
    at_most: float
    of: str = OURS


@dataclass(frozen=True)
class Flat:
    """Target: the times per megapixel of our contenders differ by at most the factor `at_most`."""

    group: str
    at_most: float
    of: str = OURS


Target = Faster | Adds | AtMost | Flat

_U8 = ("uint8 1024x1024", "uint8 2048x2500")
_BATCHES = ("64 images of uint8 1024x1024", "512 images of uint8 224x224")

# Targets of `cxr_models`, from which the table "models" is made.
MODEL_TARGETS: tuple[Target, ...] = (
    Adds(
        "CPU time of the input pipeline, study order|40 originals to 224x224", NO_ENHANCEMENT, 0.10
    ),
    Faster("input pipeline, enhance-first|40 decoded originals to 224x224", NOTEBOOK, 5.0, 5.0),
    Faster("tf.data enhancement|512 decoded images of 224x224", NOTEBOOK, 6.0, 6.0),
    AtMost(
        "waiting for the cache, busy step|64 images of 224x224 every 50 ms", "waiting_share", 0.02
    ),
    Faster("phase 1, 50 epochs|NASNetMobile 224x224, 1,617 images", COMPUTED, 20.0, 20.0, of=KEPT),
    AtMost("near duplicates|50,000 hashes", "seconds", 60.0),
)

TARGETS: tuple[Target, ...] = (
    *(
        Faster(f"clahe|{image}, {grid} tiles", OPENCV, least, 5.0)
        for image in _U8
        for grid, least in (("8x8", 4.6), ("16x16", 3.3))
    ),
    Faster("clahe|uint8 224x224, 8x8 tiles", OPENCV, 3.2, 3.5),
    Faster("clahe|uint8 224x224, 16x16 tiles", OPENCV, 3.0, 3.5),
    Faster("clahe|uint16 2048x2500, 12-bit content, 8x8 tiles", OPENCV, 3.0, 4.0),
    Faster("clahe|uint16 2048x2500, 12-bit content, 16x16 tiles", OPENCV, 4.5, 6.0),
    Faster("clahe|uint16 2048x2500, 16-bit content, 8x8 tiles", OPENCV, 1.8, 3.0),
    Faster("clahe|uint16 2048x2500, 16-bit content, 16x16 tiles", OPENCV, 1.8, 3.0),
    *(
        Faster(
            f"clahe|uint16 2048x2500, {bits}-bit content, {grid} tiles",
            OPENCV,
            least,
            aim,
            of=OURS_BY_BINS,
        )
        for bits, grid, least, aim in (
            (12, "8x8", 3.0, 4.0),
            (12, "16x16", 5.0, 6.0),
            (16, "8x8", 3.8, 5.0),
            (16, "16x16", 6.5, 8.0),
        )
    ),
    *(
        Faster(
            f"enhance|uint16 2048x2500, {bits}-bit content, one channel",
            OPENCV,
            6.0,
            8.0,
            of=OURS_BY_BINS,
        )
        for bits in (12, 16)
    ),
    Faster("white_balance|uint8 1024x1024, one channel", NOTEBOOK, 10.0, 14.0),
    Faster("enhance|uint8 1024x1024, three equal channels", NOTEBOOK, 15.0, 19.0),
    Faster("enhance|uint8 224x224, three equal channels", NOTEBOOK, 10.0, 16.0),
    Faster("enhance|uint8 1024x1024, three unequal channels", NOTEBOOK, 7.0, 9.0),
    Faster("enhance|uint8 1024x1024, one channel", OPENCV, 3.3, 4.0),
    # The target was 1.9 for slower kernels. On the measured machine, copying a stack of 64 MiB
    # takes as long on two threads as on one. With faster kernels, this part that two threads cannot
    # share is a larger part of the time. The shortest rounds still reach 1.87 to 1.93.
    *(
        Faster(f"{operation}|{batch}", ONE_THREAD, 1.5, 1.9, of=TWO_THREADS)
        for operation in ("enhance_batch", "enhance_batch, CLAHE alone")
        for batch in _BATCHES
    ),
    *(
        Faster(f"{operation}|{batch}", OPENCV_POOL, 3.1, 3.7, of=TWO_THREADS)
        for operation in ("enhance_batch", "enhance_batch, CLAHE alone")
        for batch in _BATCHES
    ),
    Faster("read_image|DICOM 2048x2500, 12 bits, with a window", PYDICOM, 8.0, 8.0),
    AtMost("import|nothing called", "seconds", 0.5),
    AtMost("import|packed", "seconds", 0.12),
    *(
        AtMost(f"import and enhance|one {kind} 1024x1024, packed", "seconds", 0.5)
        for kind in ("uint8", "uint16", "colour")
    ),
    AtMost("import and enhance|one uint8 1024x1024, compiled before", "seconds", 1.0),
    # This happens only if neither the packed code nor a cache can be used. The code for AVX-512
    # takes two seconds longer to compile than the code with loads.
    AtMost("import and enhance|one uint8 1024x1024, nothing compiled", "seconds", 9.0),
    AtMost("peak memory of clahe|uint8 8192x8192", "bytes_beside_output", 16 * MIB),
    AtMost("peak memory of enhance|uint8 8192x8192", "bytes_beside_output", 16 * MIB),
    Flat("scaling of clahe|uint8, 1 to 64 megapixels", 1.5),
    Flat("scaling of enhance|uint8, 1 to 64 megapixels", 1.5),
    Faster(
        "tf.data|256 images of uint8 224x224",
        "OpenCV, one by one",
        2.0,
        2.0,
        of=f"{OURS}, batches of 32",
    ),
    # 1.5 for the same reason as for batches. In addition, each image is a Python call, for which a
    # worker waits while the other worker holds Python's lock.
    Faster("tf.data|128 images of uint8 1024x1024", ONE_WORKER, 1.5, 1.7, of=TWO_WORKERS),
    Faster("tf.data|128 images of uint8 1024x1024", OPENCV_WORKERS, 2.2, 2.2, of=TWO_WORKERS),
    Faster("Keras layer as called|uint8 224x224", KERAS, 8.0, 15.0),
    AtMost("peak memory of Keras layer|uint8 1024x1024", "extra_bytes", 128 * MIB),
    *MODEL_TARGETS,
)


# Targets of `benchmarks/files/bench_png.py` and `bench_archive.py`, by the name of the value that
# they print.
ARCHIVES_AT_LEAST = {
    "jpeg_fast_over_small_1": 1.7,
    "jpeg_fast_over_small_2": 1.7,
    "dicom_fast_over_small_1": 2.1,
    "dicom_fast_over_small_2": 2.1,
    "over_notebook": 5.0,
}
ARCHIVES_AT_MOST = {"jpeg_size_fast_over_small": 1.05, "dicom_size_fast_over_small": 1.05}


def targets_of(group: str, contender: str) -> list[dict[str, Any]]:
    """Return the targets of one contender in the form of the stored results."""
    return [
        {"kind": type(target).__name__, **dataclasses.asdict(target)}
        for target in TARGETS
        if target.group == group
        and (contender.startswith(OURS) if isinstance(target, Flat) else contender == target.of)
    ]
