"""Helpers of the benchmarks of adapters and models: image files, and untuned datasets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import cxr_enhance
from cxr_enhance.io.folders import IMAGE_SUFFIXES
from cxr_enhance.synthetic import synthetic_radiograph


def image_files(folder: Path, *, real: bool, count: int, size: int = 320) -> list[str]:
    """Return the paths of `count` radiographs.

    With `real`, these are the first images in the folders that CXR_REAL_IMAGES names, without
    images whose shorter side is below `size`. Otherwise radiographs are drawn into `folder`.
    """
    if not real:
        names = []
        for seed in range(count):
            names.append(str(folder / f"{seed}.jpg"))
            cxr_enhance.write_image(names[-1], synthetic_radiograph(size, size + 16, seed=seed))
        return names
    if not os.environ.get("CXR_REAL_IMAGES"):
        pytest.skip("CXR_REAL_IMAGES names no folder of radiographs")
    found: list[str] = []
    for root in os.environ["CXR_REAL_IMAGES"].split(os.pathsep):
        for path in sorted(Path(root).rglob("*")):
            if path.suffix.lower() in IMAGE_SUFFIXES and len(found) < count:
                try:
                    large = min(cxr_enhance.read_image(path).shape[:2]) >= size
                except ValueError:
                    continue
                if large:
                    found.append(str(path))
    if len(found) < count:
        pytest.skip(f"CXR_REAL_IMAGES names {len(found)} radiographs of {count}")
    return found


def as_written(dataset: Any) -> Any:
    """Return the dataset with options that stop tf.data from making `map` parallel and tuning it.

    Without them tf.data does both without a message, and "one worker" would use all CPUs.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.experimental_optimization.map_parallelization = False
    options.autotune.enabled = False
    return dataset.with_options(options)
