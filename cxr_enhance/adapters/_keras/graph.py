"""White balance, gray and CLAHE as graphs of `keras.ops`, with the same steps as the kernels.

All levels are int32. Values are rounded at the same steps as in OpenCV and NumPy. A product that is
added to another value passes through `abs`, which changes no value here. It keeps compilers (XLA)
from fusing the multiplication and the addition into one operation, which would round only once.
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
_EXACT_IN_BFLOAT16 = 256  # bfloat16 represents all integers up to this value exactly
_LARGE_TABLES = 256  # with more bins, tables are computed for one row of tiles at a time


def size_of(images: Any, axis: int) -> Any:
    """Return the size along `axis`: an int or symbol if known, else a scalar int32 tensor."""
    size = images.shape[axis]
    if size is None:
        return ops.shape(images)[axis]
    return int(size) if _backend_is("torch") else size  # torch's tracers give sizes as tensors


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
        # If XLA sees one divisor for all values, it multiplies by the reciprocal, which rounds once
        # more. `maximum` hides the equal divisors from XLA and does not change them.
        divisor = span + ops.cast(flat, "float64")
        if not _backend_is("torch"):  # torch keeps the division; its `maximum` gives float32
            divisor = ops.maximum(divisor, values * 1e-300)
        scaled = (values - low) * float(bins - 1) / divisor
        # Values are clipped, then truncated. Channels with equal percentiles stay unchanged.
        stretched = ops.cast(ops.clip(scaled, 0.0, float(bins - 1)), "int32")
        table = ops.where(flat, ops.arange(bins, dtype="int32"), stretched)
    return take(ops.reshape(table, (-1,)), ids)


def _percentile(cumulated: Any, total: Any, percent: float) -> Any:
    """Return ``np.percentile`` of each row's pixels, (rows, 1) float64, from cumulated counts."""
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
    # NumPy interpolates from the nearer end.
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
    """Return the value at position `rank` of the sorted pixels.

    It is the number of values whose cumulated count is at most `rank`.
    """
    below = ops.cast(ops.less_equal(cumulated, rank), "int32")
    return ops.cast(ops.sum(below, axis=-1, keepdims=True), "float64")


def _float64() -> AbstractContextManager[Any]:
    """Return a context in which JAX, whose default is 32 bits, computes in float64."""
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
    """Return OpenCV's RGB2GRAY of (N, H, W, 3) int32 `levels`, shape (N, H, W)."""
    first, third = (RED, BLUE) if channel_order == "rgb" else (BLUE, RED)
    weighted = levels[..., 0] * first + levels[..., 1] * GREEN + levels[..., 2] * third
    return ops.floor_divide(weighted + (1 << 14), 1 << 15)


# --- CLAHE --------------------------------------------------------------------------------------


def clahe(levels: Any, params: EnhanceParams, bits: int) -> Any:
    """Equalize (N, H, W) int32 `levels` from 0 to ``2**bits - 1``."""
    if _bins_of(params, bits) <= _LARGE_TABLES:
        return _equalize(levels, params, bits)
    count, height, width = (size_of(levels, axis) for axis in range(3))
    if levels.shape[0] is not None:
        return _map(levels, params, bits)
    # A loop over no images cannot infer the shape of its result. An empty batch therefore gets one
    # black image, whose result is dropped.
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
    if bins <= white:  # fewer bins than values
        levels, fraction = _place(levels, bins, white)
        counted = levels + ops.cast(ops.greater(fraction, 0.5), "int32")  # `fraction` is never 0.5
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
    """Return the bin below each level (int32) and the fraction of the way to the next (float32).

    Both come from tables, because the products do not fit int32 and compilers may replace divisions
    by multiplications.
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
    """Number of bins of a tile, level of the last bin, and whether counts are clipped."""

    bins: int
    white: int
    clipped: bool


def _tile_tables(
    levels: Any, geometry: Geometry, count: Any, grid: tuple[int, int], histograms: _Histograms
) -> Any:
    """Return the tables of all tiles of all images, concatenated in one float32 vector."""
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
    """Return the tables of one image as `_tile_tables` does.

    The scratch memory is that of one row of tiles.
    """
    tiles_x, tiles_y = grid
    bins = histograms.bins
    ids = _pad(levels, geometry)[0] + _constant(geometry.x.tile) * bins

    def make_row(row: Any) -> Any:
        counts = ops.reshape(count_values(row, tiles_x * bins), (tiles_x, bins))
        return ops.reshape(_tables(counts, geometry, histograms), (-1,))

    return ops.reshape(ops.map(make_row, ops.reshape(ids, (tiles_y, -1))), (-1,))


def count_values(ids: Any, num_ids: Any) -> Any:
    """Count how often each value of 0..num_ids-1 occurs in int32 `ids`."""
    ids = ops.reshape(ids, (-1,))
    exporter = current_exporter()
    if exporter is not None and exporter.format == "onnx" and _backend_is("tensorflow"):
        # In ONNX, a segment sum becomes sorts and needs gigabytes of scratch memory. A
        # `scatter_update` becomes one ScatterND.
        if (exporter.opset_version or 0) < 16:
            raise ValueError(
                "`opset_version` must be at least 16 to export this layer to ONNX; got "
                f"{exporter.opset_version}. Use model.export(path, format='onnx', "
                "opset_version=18)."
            )
        zeros = ops.zeros((num_ids,), "int32")
        return ops.scatter_update(zeros, ids[:, None], ops.ones_like(ids), reduction="add")
    if _backend_is("torch"):  # there, Keras sums segments in float32, and scatters in a loop
        zeros = ids.new_zeros((num_ids,))
        return zeros.scatter_add(0, ids.long(), ids.new_ones(ids.shape))
    if exporter is None and _backend_is("tensorflow"):
        # DenseBincount takes half the time of a segment sum, but only TensorFlow's runtime has it.
        import tensorflow as tf

        no_weights = tf.zeros((0,), tf.int32)
        return tf.raw_ops.DenseBincount(
            input=ids, size=num_ids, weights=no_weights, binary_output=False
        )
    return ops.segment_sum(ops.ones_like(ids), ids, num_ids)


def _tables(counts: Any, geometry: Geometry, histograms: _Histograms) -> Any:
    """Clip, redistribute, cumulate and scale (tiles, bins) histograms, rounded as in OpenCV."""
    bins = histograms.bins
    if histograms.clipped:
        cumulated = _cumulate(ops.minimum(counts, geometry.limit), bins, geometry.limit)
        excess = geometry.area - cumulated[:, -1:]
        batch = ops.floor_divide(excess, bins)
        residual = excess - batch * bins
        places = _constant(np.arange(1, bins + 1, dtype=np.int32))
        cumulated = cumulated + batch * places + _cumulated_residual(residual, bins)
    else:
        cumulated = ops.cumsum(counts, axis=-1)
    scale = ops.cast(histograms.white, "float32") / ops.cast(geometry.area, "float32")
    # Rounded half to even. A cumulated count is at most the pixels of a tile, so that no level is
    # above the last one.
    return ops.round(ops.cast(cumulated, "float32") * scale)


def _cumulate(counts: Any, bins: int, largest: Any) -> Any:
    """Cumulate (tiles, bins) int32 `counts` along the bins; no count is above `largest`.

    TensorFlow's cumsum is the slowest operation of this graph. Blocks of sixteen bins are therefore
    cumulated by a product with a triangular matrix of ones, and `ops.cumsum` cumulates only the
    sixteen sums of the blocks. This is done only if bfloat16, the least precise format in which
    accelerators multiply, represents the counts exactly.
    """
    if bins != _LARGE_TABLES or not isinstance(largest, int) or largest > _EXACT_IN_BFLOAT16:
        return ops.cumsum(counts, axis=-1)
    triangle = _constant(np.triu(np.ones((16, 16), np.float32)))
    within = ops.matmul(ops.cast(ops.reshape(counts, (-1, 16)), "float32"), triangle)
    within = ops.reshape(ops.cast(within, "int32"), (-1, 16, 16))
    sums = within[:, :, 15]
    return ops.reshape(within + (ops.cumsum(sums, axis=-1) - sums)[..., None], (-1, bins))


def _cumulated_residual(residual: Any, bins: int) -> Any:
    """Return, for each bin, how many bins up to it got one of the `residual` pixels.

    The residual pixels go to the bins 0, step, 2 * step, ... until no pixel is left.
    """
    if bins <= _LARGE_TABLES:
        return ops.cast(take(_constant(_cumulated_residual_table(bins)), residual[:, 0]), "int32")
    step = ops.maximum(ops.floor_divide(bins, ops.maximum(residual, 1)), 1)
    values = _constant(np.arange(bins, dtype=np.int32))
    return ops.minimum(ops.floor_divide(values, step) + 1, residual)


@functools.cache
def _cumulated_residual_table(bins: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    residual = np.arange(bins, dtype=np.int32)[:, None]
    step = np.maximum(bins // np.maximum(residual, 1), 1)
    cumulated: Any = np.minimum(np.arange(bins, dtype=np.int32) // step + 1, residual)
    return cumulated.astype(np.uint8)  # type: ignore[no-any-return]


def _blend(tables: Any, levels: Any, geometry: Geometry, tiles_x: int, bins: int) -> Any:
    """Blend the four neighbouring tables of each pixel bilinearly; return int32 levels.

    Computed in float32 and rounded half to even. `tables` holds the tables of one image, and
    `levels` has one image.
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
    """Blend as `_blend` does, with half the look-ups, for tables of at most 256 levels.

    The levels of two horizontally neighbouring tiles are packed into one float32 and unpacked
    without rounding.
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
    """Blend as `_blend` does; each table is interpolated linearly between two of its bins."""
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


# --- Operations that keras.ops lacks or does too slowly -----------------------------------------


def take(table: Any, ids: Any) -> Any:
    """Return ``table[ids]`` along the first axis; `ids` must not be negative."""
    if _backend_is("tensorflow"):  # Keras handles negative indices first: half the cost of gather
        import tensorflow as tf

        return tf.gather(table, ids)
    if _backend_is("torch"):  # `ops.take` cannot be exported from torch; `_pad` avoids it too
        return table[ids]
    return ops.take(table, ids, axis=0)


def _constant(values: Any) -> Any:
    """Return `values` as a tensor, because torch tensors do not work with NumPy arrays."""
    return ops.convert_to_tensor(values)


def _backend_is(name: str) -> bool:
    return bool(keras.backend.backend() == name)
