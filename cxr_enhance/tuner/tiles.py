"""Compute with NumPy how many pixels of each tile CLAHE's limit clips; kernels count the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._engine.planning import plan_of
from cxr_enhance._gray import rgb_to_gray
from cxr_enhance._white_balance import white_balance

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._kernels.plan import Plan
    from cxr_enhance._params import EnhanceParams
    from cxr_enhance._types import Image


def clipped_shares(image: Image, params: EnhanceParams) -> npt.NDArray[np.float64] | None:
    """Return the fraction of each tile's pixels that the limit clips in its histogram.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        Gray or colour image.
    params : EnhanceParams
        Options of `enhance`.

    Returns
    -------
    ndarray of shape (tile rows, tile columns), or None
        Fractions from 0 (nothing is clipped) to less than 1. None without CLAHE.
    """
    if params.clip_limit is None:
        return None
    plan = plan_of(image.shape, image.dtype, params)
    if params.percentiles is not None:
        image = white_balance(image, percentiles=params.percentiles, bits=params.bits)
    if image.ndim == 3:
        image = rgb_to_gray(image, channel_order=params.channel_order)
    bins = _bins(image, plan)
    rows = _reflected(image.shape[0], plan.tiles_y * plan.tile_height)
    columns = _reflected(image.shape[1], plan.tiles_x * plan.tile_width)
    area = plan.tile_width * plan.tile_height
    shares = np.empty((plan.tiles_y, plan.tiles_x))
    for y in range(plan.tiles_y):
        of_rows = bins[rows[y * plan.tile_height : (y + 1) * plan.tile_height]]
        for x in range(plan.tiles_x):
            tile = of_rows[:, columns[x * plan.tile_width : (x + 1) * plan.tile_width]]
            counts = np.bincount(tile.ravel(), minlength=plan.num_bins)
            shares[y, x] = np.maximum(counts - plan.limit, 0).sum() / area
    return shares


def tile_size(image: Image, params: EnhanceParams) -> tuple[int, int]:
    """Return width and height of a tile in pixels."""
    plan = plan_of(image.shape, image.dtype, params)
    return plan.tile_width, plan.tile_height


def _bins(image: Image, plan: Plan) -> npt.NDArray[np.integer]:
    """Return the bin of each pixel; with fewer bins than values, the nearest bin."""
    if plan.all_values:
        return image >> plan.bit_shift if plan.bit_shift else image
    full = 2**plan.bits - 1
    values = np.arange(full + 1, dtype=np.int64)
    nearest: npt.NDArray[np.uint16] = (
        (2 * values * (plan.num_bins - 1) + full) // (2 * full)
    ).astype(np.uint16)
    return nearest[image]


def _reflected(size: int, extended: int) -> npt.NDArray[np.int64]:
    """Return the pixel index of each position of an axis extended by BORDER_REFLECT_101."""
    period = max(2 * (size - 1), 1)
    places = np.arange(extended) % period
    return np.minimum(places, period - places) if size > 1 else np.zeros(extended, np.int64)
