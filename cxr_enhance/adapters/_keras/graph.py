"""White balance, gray and CLAHE as graphs of `keras.ops`, step by step as the kernels do them.

Levels are int32 throughout; what is rounded is rounded where OpenCV and NumPy round it. Products
that are added pass through `abs`, which changes no value here and keeps compilers (XLA) from
fusing the two operations into one with one rounding less.
"""

from __future__ import annotations

import contextlib
import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from keras import ops

from cxr_enhance.adapters._keras.exporter import current_exporter
from cxr_enhance.adapters._keras.geometry import Geometry, make_geometry

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cxr_enhance import EnhanceParams

# OpenCV's weights of red, green and blue times 2**15; they sum to 2**15, and 65535 * 2**15 fits.
RED, GREEN, BLUE = 9798, 19235, 3735
_EXACT_IN_BFLOAT16 = 256  # integers up to here
_LARGE_TABLES = 256  # tables of more bins are made one row of tiles at a time


def size_of(images: Any, axis: int) -> Any:
    """Size along `axis`: an int or symbol where the graph knows it, else a scalar int32 tensor."""
    size = images.shape[axis]
    if size is None:
        return ops.shape(images)[axis]
    return int(size) if _backend_is("torch") else size  # whose tracers say tensors


# --- White balance ------------------------------------------------------------------------------


def white_balance(levels: Any, percentiles: tuple[float, float], bits: int) -> Any:
    """Stretch each channel of (N, H, W, C) int32 `levels` between its two percentiles."""
    _refuse_without_float64()
    bins = 1 << bits
    count, height, width, channels = (size_of(levels, axis) for axis in range(4))
    histogram = ops.reshape(ops.arange(count * channels, dtype="int32"), (-1, 1, 1, channels))
    ids = levels + histogram * bins
    counts = ops.reshape(count_values(ids, count * channels * bins), (-1, bins))
    cumulated = ops.cumsum(counts, axis=-1)
    total = height * width
    with _float64():
        low, high = (_percentile(cumulated, total, percent) for percent in percentiles)
        values = ops.cast(ops.arange(bins, dtype="int32"), "float64")
        span = high - low
        flat = ops.equal(span, 0)
        # The same divisor for every value, but not so that a compiler sees it: XLA would multiply
        # by its reciprocal, one rounding more.
        divisor = span + ops.cast(flat, "float64")
        if not _backend_is("torch"):  # where `maximum` gives float32, and nothing is rewritten
            divisor = ops.maximum(divisor, values * 1e-300)
        scaled = (values - low) * float(bins - 1) / divisor
        # Clipped, then truncated; where the percentiles coincide there is nothing to stretch.
        stretched = ops.cast(ops.clip(scaled, 0.0, float(bins - 1)), "int32")
        table = ops.where(flat, ops.arange(bins, dtype="int32"), stretched)
    return take(ops.reshape(table, (-1,)), ids)


def _percentile(cumulated: Any, total: Any, percent: float) -> Any:
    """``np.percentile`` of each row's pixels, (rows, 1) float64, from cumulated histograms."""
    if isinstance(total, int):
        place = (total - 1) * (percent / 100.0)
        before: Any = math.floor(place)
        fraction: Any = place - before
        after: Any = min(before + 1, total - 1)
    else:
        exact = ops.cast(total - 1, "float64") * (percent / 100.0)
        fraction = exact - ops.floor(exact)
        before = ops.cast(ops.floor(exact), "int32")
        after = ops.minimum(before + 1, total - 1)
    lower, upper = (_order_statistic(cumulated, rank) for rank in (before, after))
    # NumPy interpolates from whichever end is nearer.
    if isinstance(total, int):
        if fraction >= 0.5:
            return upper - ops.abs((upper - lower) * (1.0 - fraction))
        return lower + ops.abs((upper - lower) * fraction)
    return ops.where(
        fraction >= 0.5,
        upper - (upper - lower) * (1.0 - fraction),
        lower + (upper - lower) * fraction,
    )


def _order_statistic(cumulated: Any, rank: Any) -> Any:
    """Value of the pixel at place `rank`: as many values as have no more pixels up to them."""
    below = ops.cast(ops.less_equal(cumulated, rank), "int32")
    return ops.cast(ops.sum(below, axis=-1, keepdims=True), "float64")


def _float64() -> AbstractContextManager[Any]:
    """JAX computes in 32 bits unless told otherwise; here it is told, for these lines alone."""
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    import jax

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)  # type: ignore[no-any-return]
    from jax.experimental import enable_x64

    return enable_x64()  # type: ignore[no-any-return]


def _refuse_without_float64() -> None:
    exporter = current_exporter()
    if exporter is not None and exporter.format == "litert":
        raise NotImplementedError(
            "White balance cannot be exported to LiteRT, which has no float64. Export "
            "Enhance(EnhanceParams(percentiles=None)) and apply cxr_enhance.white_balance to the "
            "images first, or export to SavedModel or ONNX."
        )


# --- Gray ---------------------------------------------------------------------------------------


def gray(levels: Any, channel_order: str) -> Any:
    """OpenCV's RGB2GRAY of (N, H, W, 3) int32 `levels`, (N, H, W)."""
    first, third = (RED, BLUE) if channel_order == "rgb" else (BLUE, RED)
    weighted = levels[..., 0] * first + levels[..., 1] * GREEN + levels[..., 2] * third
    return ops.floor_divide(weighted + (1 << 14), 1 << 15)


# --- CLAHE --------------------------------------------------------------------------------------


def clahe(levels: Any, params: EnhanceParams, bits: int) -> Any:
    """Equalize (N, H, W) int32 `levels`, which lie in 0 to ``2**bits - 1``."""
    if _bins_of(params, bits) <= _LARGE_TABLES:
        return _equalize(levels, params, bits)
    count, height, width = (size_of(levels, axis) for axis in range(3))
    if levels.shape[0] is not None:
        return _map(levels, params, bits)
    # Loops without a turn do not know what they would have given: a black image makes one.
    extra = ops.zeros((ops.maximum(1 - count, 0), height, width), "int32")
    return _map(ops.concatenate([levels, extra]), params, bits)[:count]


def _bins_of(params: EnhanceParams, bits: int) -> int:
    values = (1 << bits) >> params.bit_shift
    return values if params.num_bins is None else min(params.num_bins, values)


def _map(levels: Any, params: EnhanceParams, bits: int) -> Any:
    return ops.map(lambda image: _equalize(image[None], params, bits)[0], levels)


def _equalize(levels: Any, params: EnhanceParams, bits: int) -> Any:
    assert params.clip_limit is not None
    bins = _bins_of(params, bits)
    white = ((1 << bits) - 1) >> params.bit_shift
    count, height, width = (size_of(levels, axis) for axis in range(3))
    tiles_x, tiles_y = params.tile_grid_size
    geometry = make_geometry(height, width, params.tile_grid_size, params.clip_limit, bins)
    if params.bit_shift:
        levels = ops.floor_divide(levels, 1 << params.bit_shift)
    fraction = None
    counted = levels
    if bins <= white:  # fewer than there are values
        levels, fraction = _place(levels, bins, white)
        counted = levels + ops.cast(ops.greater(fraction, 0.5), "int32")  # never half-way
    grid = (tiles_x, tiles_y)
    histograms = _Histograms(bins, white, clipped=params.clip_limit > 0)
    if bins <= _LARGE_TABLES:
        tables = _tile_tables(counted, geometry, count, grid, histograms)
    else:
        tables = _tile_tables_by_rows(counted, geometry, grid, histograms)
    if fraction is not None:
        blended = _blend_between(tables, levels, fraction, geometry, grid, bins)
    elif bins <= _LARGE_TABLES:
        blended = _blend_pairs(tables, levels, geometry, grid, bins)
    else:
        blended = _blend(tables, levels, geometry, tiles_x, bins)
    return blended * (1 << params.bit_shift) if params.bit_shift else blended


def _place(levels: Any, bins: int, white: int) -> tuple[Any, Any]:
    """Bin below each level, int32, and the way from it to the next, float32.

    From tables, because products do not fit int32 and compilers turn divisions into products.
    """
    product = np.arange(white + 1, dtype=np.int64) * (bins - 1)
    below, remainder = np.divmod(product, white)
    fraction = remainder.astype(np.float32) / np.float32(white)
    return (
        take(_constant(below.astype(np.int32)), levels),
        take(_constant(fraction), levels),
    )


def _pad(levels: Any, geometry: Geometry) -> Any:
    if not geometry.y.padded:
        return levels
    rows, columns = _constant(geometry.y.source), _constant(geometry.x.source)
    if _backend_is("torch"):
        return levels[:, rows][:, :, columns]
    return ops.take(ops.take(levels, rows, axis=1), columns, axis=2)


class _Histograms(NamedTuple):
    """Bins of a tile, the level of the last, and whether counts are clipped."""

    bins: int
    white: int
    clipped: bool


def _tile_tables(
    levels: Any, geometry: Geometry, count: Any, grid: tuple[int, int], histograms: _Histograms
) -> Any:
    """Tables of all tiles of all images, one after the other in one vector of float32."""
    tiles_x, tiles_y = grid
    bins = histograms.bins
    tile = _constant(geometry.y.tile)[:, None] * tiles_x + _constant(geometry.x.tile)
    image = ops.reshape(ops.arange(count, dtype="int32"), (-1, 1, 1)) * (tiles_x * tiles_y)
    ids = _pad(levels, geometry) + (tile + image) * bins
    counts = ops.reshape(count_values(ids, count * tiles_x * tiles_y * bins), (-1, bins))
    return ops.reshape(_tables(counts, geometry, histograms), (-1,))


def _tile_tables_by_rows(
    levels: Any, geometry: Geometry, grid: tuple[int, int], histograms: _Histograms
) -> Any:
    """Make the same tables for one image, with the memory of one row of tiles beside them."""
    tiles_x, tiles_y = grid
    bins = histograms.bins
    ids = _pad(levels, geometry)[0] + _constant(geometry.x.tile) * bins

    def make_row(row: Any) -> Any:
        counts = ops.reshape(count_values(row, tiles_x * bins), (tiles_x, bins))
        return ops.reshape(_tables(counts, geometry, histograms), (-1,))

    return ops.reshape(ops.map(make_row, ops.reshape(ids, (tiles_y, -1))), (-1,))


def count_values(ids: Any, num_ids: Any) -> Any:
    """How often each of 0..num_ids-1 occurs in int32 `ids`."""
    ids = ops.reshape(ids, (-1,))
    exporter = current_exporter()
    if exporter is not None and exporter.format == "onnx" and _backend_is("tensorflow"):
        # Segment sums become sorts and gigabytes of scratch in ONNX; this becomes one ScatterND.
        if (exporter.opset_version or 0) < 16:
            raise ValueError(
                "`opset_version` must be at least 16 to export this layer to ONNX; got "
                f"{exporter.opset_version}. Use model.export(path, format='onnx', "
                "opset_version=18)."
            )
        zeros = ops.zeros((num_ids,), "int32")
        return ops.scatter_update(zeros, ids[:, None], ops.ones_like(ids), reduction="add")
    if _backend_is("torch"):  # Keras sums segments in float32 there, and scatters one by one
        zeros = ids.new_zeros((num_ids,))
        return zeros.scatter_add(0, ids.long(), ids.new_ones(ids.shape))
    if exporter is None and _backend_is("tensorflow"):
        # Half the time of a segment sum, which other runtimes than TensorFlow have and this not.
        import tensorflow as tf

        no_weights = tf.zeros((0,), tf.int32)
        return tf.raw_ops.DenseBincount(
            input=ids, size=num_ids, weights=no_weights, binary_output=False
        )
    return ops.segment_sum(ops.ones_like(ids), ids, num_ids)


def _tables(counts: Any, geometry: Geometry, histograms: _Histograms) -> Any:
    """Clip, redistribute, cumulate and scale (tiles, bins) histograms, in OpenCV's roundings."""
    bins = histograms.bins
    if histograms.clipped:
        cumulated = _cumulate(ops.minimum(counts, geometry.limit), bins, geometry.limit)
        excess = geometry.area - cumulated[:, -1:]
        batch = ops.floor_divide(excess, bins)
        residual = excess - batch * bins
        places = _constant(np.arange(1, bins + 1, dtype=np.int32))
        cumulated = cumulated + batch * places + _served(residual, bins)
    else:
        cumulated = ops.cumsum(counts, axis=-1)
    scale = ops.cast(histograms.white, "float32") / ops.cast(geometry.area, "float32")
    # Half to even. A tile's last bin holds at most its pixels, so that no level passes the last.
    return ops.round(ops.cast(cumulated, "float32") * scale)


def _cumulate(counts: Any, bins: int, largest: Any) -> Any:
    """Cumulate (tiles, bins) int32 `counts`, none above `largest`, along the bins.

    TensorFlow's own cumulation is its slowest step here. Sixteen bins at a time are summed by a
    product with a triangle of ones, as long as counts are exact in the least of the formats that
    accelerators multiply in (bfloat16), and only the sixteen sums are cumulated.
    """
    if bins != _LARGE_TABLES or not isinstance(largest, int) or largest > _EXACT_IN_BFLOAT16:
        return ops.cumsum(counts, axis=-1)
    triangle = _constant(np.triu(np.ones((16, 16), np.float32)))
    within = ops.matmul(ops.cast(ops.reshape(counts, (-1, 16)), "float32"), triangle)
    within = ops.reshape(ops.cast(within, "int32"), (-1, 16, 16))
    sums = within[:, :, 15]
    return ops.reshape(within + (ops.cumsum(sums, axis=-1) - sums)[..., None], (-1, bins))


def _served(residual: Any, bins: int) -> Any:
    """How many bins up to each got one more pixel: 0, step, 2 step, ... until none is left."""
    if bins <= _LARGE_TABLES:
        return ops.cast(take(_constant(_served_table(bins)), residual[:, 0]), "int32")
    step = ops.maximum(ops.floor_divide(bins, ops.maximum(residual, 1)), 1)
    values = _constant(np.arange(bins, dtype=np.int32))
    return ops.minimum(ops.floor_divide(values, step) + 1, residual)


@functools.cache
def _served_table(bins: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    residual = np.arange(bins, dtype=np.int32)[:, None]
    step = np.maximum(bins // np.maximum(residual, 1), 1)
    served: Any = np.minimum(np.arange(bins, dtype=np.int32) // step + 1, residual)
    return served.astype(np.uint8)  # type: ignore[no-any-return]


def _blend(tables: Any, levels: Any, geometry: Geometry, tiles_x: int, bins: int) -> Any:
    """Mix each pixel's four tables bilinearly in float32, half to even; int32.

    `levels` counts on through the tables of all images.
    """
    y, x = geometry.y, geometry.x
    top, bottom = ((_constant(tile) * (tiles_x * bins))[:, None] for tile in (y.first, y.second))
    left, right = levels + _constant(x.first) * bins, levels + _constant(x.second) * bins

    def mix_row(row: Any) -> Any:
        return _mix(take(tables, left + row), take(tables, right + row), x.weight)

    return _round(_mix(mix_row(top), mix_row(bottom), y.weight[:, None]))


def _blend_pairs(
    tables: Any, levels: Any, geometry: Geometry, grid: tuple[int, int], bins: int
) -> Any:
    """Do the same for tables of at most 256 levels, with half the look-ups.

    Two neighbours side by side fit a float32 and come apart without rounding.
    """
    tiles_x, tiles_y = grid
    tiles = ops.reshape(tables, (-1, tiles_x, bins))
    inner = tiles[:, :-1] * 256.0 + tiles[:, 1:]
    pairs = ops.concatenate([tiles[:, :1] * 257.0, inner, tiles[:, -1:] * 257.0], axis=1)
    pairs = ops.reshape(pairs, (-1,))
    row_size = (tiles_x + 1) * bins
    y, x = geometry.y, geometry.x
    image = ops.reshape(ops.arange(size_of(levels, 0), dtype="int32"), (-1, 1, 1))
    ids = levels + (_constant(x.cell) * bins + image * (tiles_y * row_size))

    def mix_row(tile: Any) -> Any:
        pair = take(pairs, ids + (_constant(tile) * row_size)[:, None])
        first = ops.floor(pair * (1 / 256))
        return _mix(first, pair - first * 256.0, x.weight)

    return _round(_mix(mix_row(y.first), mix_row(y.second), y.weight[:, None]))


def _blend_between(
    tables: Any, below: Any, fraction: Any, geometry: Geometry, grid: tuple[int, int], bins: int
) -> Any:
    """Mix four tables as `_blend` does, each read on the line between two of its bins."""
    tiles_x, tiles_y = grid
    y, x = geometry.y, geometry.x
    by_tile = ops.reshape(tables, (-1, bins))
    rises = ops.concatenate(
        [by_tile[:, 1:] - by_tile[:, :-1], ops.zeros_like(by_tile[:, :1])], axis=1
    )
    rises = ops.reshape(rises, (-1,))
    image = ops.reshape(ops.arange(size_of(below, 0), dtype="int32"), (-1, 1, 1))
    ids = below + image * (tiles_x * tiles_y * bins)
    left, right = ids + _constant(x.first) * bins, ids + _constant(x.second) * bins

    def read(places: Any) -> Any:
        return take(tables, places) + ops.abs(take(rises, places) * fraction)

    def mix_row(tile: Any) -> Any:
        row = (_constant(tile) * (tiles_x * bins))[:, None]
        return _mix(read(left + row), read(right + row), x.weight)

    return _round(_mix(mix_row(y.first), mix_row(y.second), y.weight[:, None]))


def _mix(first: Any, second: Any, share: Any) -> Any:
    share = _constant(share)
    return ops.abs(first * (1.0 - share)) + ops.abs(second * share)


def _round(blended: Any) -> Any:
    return ops.cast(ops.round(blended), "int32")


# --- What keras.ops does in ways that cost too much, or not at all -------------------------------


def take(table: Any, ids: Any) -> Any:
    """``table[ids]`` along the first axis; `ids` are never negative."""
    if _backend_is("tensorflow"):  # Keras wraps negative indices first, at half the cost of this
        import tensorflow as tf

        return tf.gather(table, ids)
    if _backend_is("torch"):  # Keras's way, which `_pad` goes round too, cannot be exported
        return table[ids]
    return ops.take(table, ids, axis=0)


def _constant(values: Any) -> Any:
    """`values` as a tensor: arrays of NumPy do not mix with torch's."""
    return ops.convert_to_tensor(values)


def _backend_is(name: str) -> bool:
    return bool(keras.backend.backend() == name)
