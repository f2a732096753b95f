"""Comparison of images byte for byte; the error message states where they differ."""

from __future__ import annotations

import numpy as np


def assert_same_image(actual, expected):
    """Fail unless dtype, byte order, shape and every pixel are equal."""
    assert isinstance(actual, np.ndarray), f"expected an ndarray, got {type(actual).__name__}"
    assert actual.dtype == expected.dtype, f"dtype {actual.dtype}, expected {expected.dtype}"
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    if np.array_equal(actual, expected):
        return
    wrong = np.argwhere(actual != expected)
    first = tuple(int(i) for i in wrong[0])
    largest = int(np.abs(actual.astype(np.int64) - expected.astype(np.int64)).max())
    raise AssertionError(
        f"{len(wrong)} of {expected.size} pixels differ, by at most {largest}; "
        f"first at {first}: {actual[first]}, expected {expected[first]}"
    )


def assert_native_and_contiguous(image):
    """Fail unless the array has native byte order, is C-contiguous and is writeable."""
    assert image.dtype.isnative
    assert image.flags.c_contiguous
    assert image.flags.writeable
