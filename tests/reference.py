"""Slow, obvious NumPy twins of every enhancement step; imports nothing of the package under test.

Each function is written to be read beside its kernel: one numbered step after the other, every
rounding named. Nothing here is fast, and nothing here may be taken from ``cxr_enhance``: the two
must agree without having met. ``notebook_chain`` alone needs OpenCV, and imports it when called.
"""

from __future__ import annotations

import math

import numpy as np

LUMA_BITS = 15
LUMA_RED, LUMA_GREEN, LUMA_BLUE = (
    9798,
    19235,
    3735,
)  # 0.299, 0.587, 0.114 in 1/2**15; they sum to 2**15

# --- White balance ------------------------------------------------------------------------------


def white_balance(image, percentiles=(0.05, 99.95), bits=None):
    """Stretch each channel between two of its percentiles, which ``np.percentile`` itself gives."""
    return per_channel(
        image, lambda channel: stretch(channel, *np.percentile(channel, percentiles), bits)
    )


def white_balance_from_histogram(image, percentiles=(0.05, 99.95)):
    """Stretch each channel through a table made from its histogram alone; same bytes."""

    def balance(channel):
        counts = np.bincount(channel.ravel(), minlength=np.iinfo(channel.dtype).max + 1)
        low, high = (percentile_of_counts(counts, q) for q in percentiles)
        every_value = np.arange(counts.size).astype(channel.dtype)
        return stretch(every_value, low, high)[channel]

    return per_channel(image, balance)


def stretch(channel, low, high, bits=None):
    """Map `low` to 0 and `high` to the highest value: float64, truncating; if equal, nothing."""
    if low == high:
        return channel.copy()
    full = float(highest(channel.dtype, bits))
    with np.errstate(over="ignore"):  # percentiles closer than any pixels: infinity, clipped
        return np.clip((channel - low) * full / (high - low), 0, full).astype(channel.dtype)


def highest(dtype, bits=None):
    """Highest value of `bits`, or of the dtype."""
    return np.iinfo(dtype).max if bits is None else 2**bits - 1


def percentile_of_counts(counts, q):
    """Give ``np.percentile(values, q)``, linear interpolation, from the histogram of the values."""
    # 1. The position of the percentile between two ranks.
    position = (int(counts.sum()) - 1) * (q / 100)
    rank = math.floor(position)
    t = position - rank
    # 2. The values at those ranks.
    below = float(value_at_rank(counts, rank))
    above = float(value_at_rank(counts, min(rank + 1, int(counts.sum()) - 1)))
    # 3. NumPy interpolates from whichever end is nearer.
    return below + (above - below) * t if t < 0.5 else above - (above - below) * (1 - t)


def value_at_rank(counts, rank):
    """Give ``sorted(values)[rank]`` from the histogram of the values."""
    return int(np.searchsorted(np.cumsum(counts), rank, side="right"))


def per_channel(image, function):
    """Apply `function` to an (H, W) image, or to each channel of an (H, W, C) image."""
    image = np.asarray(image).astype(np.dtype(image.dtype).newbyteorder("="))
    if image.ndim == 2:
        return function(image)
    return np.stack([function(image[..., c]) for c in range(image.shape[2])], axis=-1)


# --- Gray ---------------------------------------------------------------------------------------


def rgb_to_gray(image, channel_order="rgb"):
    """Weigh the channels as ``cv2.cvtColor(image, COLOR_RGB2GRAY)`` (or ``COLOR_BGR2GRAY``) does.

    One formula serves both dtypes: ``(9798 R + 19235 G + 3735 B + 16384) >> 15``. For uint8 it is
    OpenCV's on all 2**24 triples. For uint16 OpenCV uses the same weights, as millions of random
    triples and all triples of extreme values show; weights of 14 or 16 bits do not fit there.
    """
    red, green, blue = (
        image[..., c].astype(np.int64) for c in ((0, 1, 2) if channel_order == "rgb" else (2, 1, 0))
    )
    weighted = LUMA_RED * red + LUMA_GREEN * green + LUMA_BLUE * blue
    return ((weighted + (1 << (LUMA_BITS - 1))) >> LUMA_BITS).astype(
        np.dtype(image.dtype).newbyteorder("=")
    )


# --- CLAHE --------------------------------------------------------------------------------------


def clahe(image, clip_limit=2.0, tile_grid_size=(16, 16), bit_shift=0, num_bins=None, bits=None):
    """Equalize as ``cv2.createCLAHE(clip_limit, tile_grid_size).apply(image)`` does, in steps.

    `bits` lets values end below the dtype's maximum; fewer bins than values are `clahe_by_bins`.
    """
    if image.ndim == 3:
        gray = clahe(image[..., 0], clip_limit, tile_grid_size, bit_shift, num_bins, bits)
        return gray[..., np.newaxis]
    dtype = np.dtype(image.dtype).newbyteorder("=")
    height, width = image.shape
    bins = (highest(dtype, bits) + 1) >> bit_shift
    if num_bins is not None and num_bins < bins:
        return clahe_by_bins(image, clip_limit, tile_grid_size, num_bins, highest(dtype, bits))
    levels = image.astype(np.int64) >> bit_shift

    tiles = split_into_tiles(levels, tile_grid_size)  # 1. (tiles_y, tiles_x, th, tw)
    tiles_y, tiles_x, tile_height, tile_width = tiles.shape
    area = tile_height * tile_width
    limit = bin_limit(clip_limit, area, bins)  # 2.
    luts = np.empty((tiles_y, tiles_x, bins), np.float32)
    for ty in range(tiles_y):
        for tx in range(tiles_x):
            counts = np.bincount(tiles[ty, tx].ravel(), minlength=bins)  # 3.
            counts = clip_and_redistribute(counts, limit)  # 4.
            luts[ty, tx] = cumulate_lut(counts, area, np.iinfo(dtype).max)  # 5.

    left, right, x_weight = neighbours(width, tile_width, tiles_x)  # 6.
    top, bottom, y_weight = neighbours(height, tile_height, tiles_y)
    blended = blend(luts, levels, (left, right, x_weight), (top, bottom, y_weight))  # 7.
    return np.clip(np.rint(blended), 0, np.iinfo(dtype).max).astype(dtype) << dtype.type(bit_shift)


def clahe_by_bins(image, clip_limit, tile_grid_size, num_bins, full):
    """Count `num_bins` levels of 0..full; take each pixel from the line between two of them."""
    dtype = np.dtype(image.dtype).newbyteorder("=")
    height, width = image.shape
    # 1. Where a value lies among the bins: quotient and remainder are whole numbers, the fraction
    #    of the way to the next bin is one float32 division, and the nearest bin follows exactly.
    value = image.astype(np.int64)
    below, remainder = np.divmod(value * (num_bins - 1), full)
    fraction = remainder.astype(np.float32) / np.float32(full)
    nearest = (2 * value * (num_bins - 1) + full) // (2 * full)

    tiles = split_into_tiles(nearest, tile_grid_size)  # 2. as OpenCV
    tiles_y, tiles_x, tile_height, tile_width = tiles.shape
    area = tile_height * tile_width
    limit = bin_limit(clip_limit, area, num_bins)
    scale = np.float32(full) / np.float32(area)
    # 3. A table a tile, with the last level once more, for there is no bin after the last.
    luts = np.empty((tiles_y, tiles_x, num_bins + 1), np.float32)
    for ty in range(tiles_y):
        for tx in range(tiles_x):
            counts = np.bincount(tiles[ty, tx].ravel(), minlength=num_bins)
            counts = clip_and_redistribute(counts, limit)
            sums = np.cumsum(counts).astype(np.float32)
            luts[ty, tx, :-1] = np.clip(np.rint(sums * scale), 0, full)
            luts[ty, tx, -1] = luts[ty, tx, -2]

    # 4. A pixel's level in each of the four tiles around it, then OpenCV's blend of the four.
    left, right, xa = neighbours(width, tile_width, tiles_x)
    top, bottom, ya = neighbours(height, tile_height, tiles_y)
    top, bottom, ya = top[:, np.newaxis], bottom[:, np.newaxis], ya[:, np.newaxis]

    def level(row, column):
        first, second = luts[row, column, below], luts[row, column, below + 1]
        return first + fraction * (second - first)

    xa1, ya1 = np.float32(1) - xa, np.float32(1) - ya
    upper = level(top, left) * xa1 + level(top, right) * xa
    lower = level(bottom, left) * xa1 + level(bottom, right) * xa
    return np.clip(np.rint(upper * ya1 + lower * ya), 0, full).astype(dtype)


def split_into_tiles(levels, tile_grid_size):
    """Step 1: cut into equal tiles; unless the grid divides both sides, pad both."""
    tiles_x, tiles_y = tile_grid_size
    height, width = levels.shape
    if width % tiles_x or height % tiles_y:
        # A side that divides gains a whole extra `tiles` pixels: OpenCV takes no second remainder.
        rows = [reflect(y, height) for y in range(height + tiles_y - height % tiles_y)]
        columns = [reflect(x, width) for x in range(width + tiles_x - width % tiles_x)]
        levels = levels[rows][:, columns]
    tile_height, tile_width = levels.shape[0] // tiles_y, levels.shape[1] // tiles_x
    return levels.reshape(tiles_y, tile_height, tiles_x, tile_width).swapaxes(1, 2)


def reflect(index, size):
    """Fold `index` into 0..size-1 as BORDER_REFLECT_101 does, as often as it takes: abcd|cbabcd."""
    if size == 1:
        return 0
    while not 0 <= index < size:
        index = -index if index < 0 else 2 * (size - 1) - index
    return index


def bin_limit(clip_limit, area, bins):
    """Step 2: a bin's ceiling in pixels, 0 for none; float64, left to right, truncated."""
    return max(int(clip_limit * area / bins), 1) if clip_limit > 0 else 0


def clip_and_redistribute(counts, limit):
    """Step 4: cut bins at `limit`; share the cut evenly, the rest at regular steps. One pass."""
    if limit == 0:
        return counts
    bins = counts.size
    clipped = int(np.maximum(counts - limit, 0).sum())
    counts = np.minimum(counts, limit)
    batch, residual = divmod(clipped, bins)
    counts = counts + batch
    if residual:
        step = max(bins // residual, 1)
        counts[0 : min(step * residual, bins) : step] += 1
    return counts


def cumulate_lut(counts, area, full):
    """Step 5: scale the running sum to 0..bins-1 in float32, half to even; subtract no minimum."""
    scale = np.float32(counts.size - 1) / np.float32(area)
    return np.clip(np.rint(np.cumsum(counts).astype(np.float32) * scale), 0, full)


def neighbours(size, tile_size, tiles):
    """Step 6: the two tiles beside each pixel of an axis and the second's weight, in float32."""
    position = np.arange(size).astype(np.float32) * (
        np.float32(1) / np.float32(tile_size)
    ) - np.float32(0.5)
    first = np.floor(position)
    weight = (
        position - first
    )  # from the unclamped tile, so beyond the outer centres both tiles are the same one
    first = first.astype(np.int64)
    return np.maximum(first, 0), np.minimum(first + 1, tiles - 1), weight


def blend(luts, levels, x_axis, y_axis):
    """Step 7: mix four tables bilinearly, each operation rounded to float32, in OpenCV's order."""
    (left, right, xa), (top, bottom, ya) = x_axis, y_axis
    top, bottom, ya = top[:, np.newaxis], bottom[:, np.newaxis], ya[:, np.newaxis]
    xa1, ya1 = np.float32(1) - xa, np.float32(1) - ya
    upper = luts[top, left, levels] * xa1 + luts[top, right, levels] * xa
    lower = luts[bottom, left, levels] * xa1 + luts[bottom, right, levels] * xa
    return upper * ya1 + lower * ya


# --- The chain ----------------------------------------------------------------------------------


def enhance(
    image,
    percentiles=(0.05, 99.95),
    clip_limit=2.0,
    tile_grid_size=(16, 16),
    bit_shift=0,
    channel_order="rgb",
    output="gray",
    num_bins="default",
    bits=None,
):
    """White balance, gray, CLAHE, one after the other; None for an option leaves its step out.

    CLAHE counts 256 levels unless told otherwise.
    """
    if percentiles is not None:
        image = white_balance(image, percentiles, bits)
    if image.ndim == 3 and image.shape[2] == 3:
        image = rgb_to_gray(image, channel_order)
    if clip_limit is not None:
        if num_bins == "default":
            num_bins = None if bit_shift else 256
        image = clahe(image, clip_limit, tile_grid_size, bit_shift, num_bins, bits)
    if output == "rgb":
        image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image.astype(np.dtype(image.dtype).newbyteorder("=")))


def notebook_chain(
    image, clip_limit=2.0, tile_grid_size=(16, 16), percentile=0.05, channel_order="rgb"
):
    """Run the notebook's own functions, OpenCV and NumPy only; uint16 is scaled to 65535.

    The notebook reads BGR with ``cv2.imread`` and converts with ``COLOR_RGB2GRAY``;
    `channel_order` "rgb" repeats that on whatever it is given, "bgr" converts with
    ``COLOR_BGR2GRAY``.
    """
    import cv2

    dtype, full = (np.uint8, 255.0) if image.dtype == np.uint8 else (np.uint16, 65535.0)
    balanced = []
    for channel in cv2.split(image):
        mi, ma = (np.percentile(channel, percentile), np.percentile(channel, 100.0 - percentile))
        # The notebook divides by zero where ma == mi; such a channel is defined as unchanged.
        balanced.append(
            channel if ma == mi else dtype(np.clip((channel - mi) * full / (ma - mi), 0, full))
        )
    code = cv2.COLOR_RGB2GRAY if channel_order == "rgb" else cv2.COLOR_BGR2GRAY
    gray = cv2.cvtColor(np.dstack(balanced), code) if len(balanced) == 3 else balanced[0]
    return cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=tile_grid_size).apply(gray)


# --- Files --------------------------------------------------------------------------------------


def png_rows(image):
    """Give what a PNG file compresses of an image whose rows have the filter "up"; (H, B) uint8."""
    # 1. The bytes of each row: pixel by pixel, channel by channel, the high byte first.
    big_endian = image.astype(image.dtype.newbyteorder(">"))
    rows = np.stack([np.frombuffer(row.tobytes(), np.uint8) for row in big_endian])
    # 2. Each byte minus the one above it, modulo 256; above the first row lie zeros.
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    differences = ((rows.astype(int) - above) % 256).astype(np.uint8)
    # 3. The filter's number before each row.
    return np.hstack([np.full((len(rows), 1), 2, np.uint8), differences])
