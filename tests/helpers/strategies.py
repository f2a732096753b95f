"""Hypothesis strategies for images of every accepted form and for valid options."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DTYPES = (np.uint8, np.uint16)


def sides(largest=40):
    """Return a strategy for sides of small images, including 1."""
    return st.integers(1, largest)


@st.composite
def images(draw, channels=(None, 1, 3), dtypes=DTYPES, largest_side=40):
    """Draw a C-contiguous image of few or many values; None in `channels` means shape (H, W)."""
    count = draw(st.sampled_from(channels))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = (draw(sides(largest_side)), draw(sides(largest_side)))
    shape = shape if count is None else (*shape, count)
    top = draw(st.sampled_from([1, 16, 255] if dtype == np.uint8 else [1, 255, 4095, 65535]))
    if draw(st.booleans()):  # a few pixels on a uniform ground, which Hypothesis shrinks well
        return draw(hnp.arrays(dtype, shape, elements=st.integers(0, top)))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


def in_fortran_order(image):
    """Return the image in Fortran order: columns are contiguous in memory."""
    return np.asfortranarray(image)


def with_negative_strides(image):
    """Return the image with both axes stored backwards."""
    return np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]


def with_gaps(image):
    """Return the image as every second row and third column of a larger array."""
    holder = np.full((2 * image.shape[0], 3 * image.shape[1], *image.shape[2:]), 7, image.dtype)
    holder[::2, ::3] = image
    return holder[::2, ::3]


def as_a_view_of_a_wider_image(image):
    """Return the image as a crop: each row is contiguous, the whole array is not."""
    holder = np.full((image.shape[0] + 2, image.shape[1] + 5, *image.shape[2:]), 3, image.dtype)
    holder[1:-1, 2:-3] = image
    return holder[1:-1, 2:-3]


def in_foreign_byte_order(image):
    """Return the image in the other byte order than the machine's; uint8 has no byte order."""
    return image.astype(image.dtype.newbyteorder("S"))


def read_only(image):
    """Return a read-only copy of the image."""
    image = image.copy()
    image.flags.writeable = False
    return image


def misaligned(image):
    """Return the image in memory that starts at an odd address."""
    raw = np.zeros(image.nbytes + 1, np.uint8)
    view = raw[1:].view(image.dtype).reshape(image.shape)
    view[...] = image
    return view


LAYOUTS = (
    in_fortran_order,
    with_negative_strides,
    with_gaps,
    as_a_view_of_a_wider_image,
    in_foreign_byte_order,
    read_only,
    misaligned,
)


def layouts():
    """Return a strategy for functions that change memory layout, byte order or access alone."""
    return st.sampled_from(LAYOUTS)


def clip_limits():
    """Return a strategy for clip limits: no clipping, strong clipping, and too high to clip."""
    return st.one_of(
        st.sampled_from([0.0, 0.01, 0.5, 1.0, 2.0, 3.7, 40.0, 300.0]), st.floats(0, 1000)
    )


def tile_grids(largest=9):
    """Return a strategy for grids as (columns, rows), some larger than small images."""
    return st.tuples(st.integers(1, largest), st.integers(1, largest))


@st.composite
def percentile_pairs(draw):
    """Draw a valid pair of percentiles (low, high)."""
    edges = st.sampled_from([0.0, 0.05, 1.0, 2.0, 25.0, 50.0, 98.0, 99.95, 100.0])
    pair = st.tuples(*[st.one_of(edges, st.floats(0, 100))] * 2)
    return tuple(sorted(draw(pair.filter(lambda p: p[0] != p[1]))))


def numbers_of_bins():
    """Return a strategy for numbers of bins: few, around 256, many, and None for all."""
    return st.one_of(
        st.none(), st.sampled_from([2, 3, 100, 255, 256, 257, 4096, 65535]), st.integers(2, 65536)
    )


@st.composite
def options(draw, dtype=np.uint8, max_grid=9):
    """Draw keyword arguments of ``EnhanceParams`` that are valid for images of `dtype`."""
    bit_shift = draw(st.sampled_from([0, 0, *range(8 * np.dtype(dtype).itemsize)]))
    return {
        "percentiles": draw(st.one_of(st.none(), percentile_pairs())),
        "clip_limit": draw(st.one_of(st.none(), clip_limits())),
        "tile_grid_size": draw(tile_grids(max_grid)),
        "bit_shift": bit_shift,
        "num_bins": None if bit_shift else draw(numbers_of_bins()),
        "channel_order": draw(st.sampled_from(["rgb", "bgr"])),
        "output": draw(st.sampled_from(["gray", "rgb"])),
    }
