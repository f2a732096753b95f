"""Drawing of a heat map over an image, and of the colour bar that explains it.

Inputs and outputs are arrays; the module reads and writes no files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

import cxr_enhance

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance import Transform

    Floats = npt.NDArray[np.float32]
    Images = npt.NDArray[np.uint8]

_OPACITY = 0.6  # opacity of the colours where the heat is 1
_GRAY = 128  # gray value under the colours of the colour bar


def overlay(image: Images, heat: Floats) -> Images:
    """Draw a heat map over an image; its opacity grows with the heat.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8
        Gray or RGB image.
    heat : ndarray of shape (h, w), dtype float32
        Heat map with values 0..1; it is stretched to the size of the image.

    Returns
    -------
    ndarray of shape (H, W, 3), dtype uint8
        RGB image.

    Raises
    ------
    TypeError
        If `image` does not have dtype uint8.
    ValueError
        If `heat` is empty, does not have two dimensions, or has values outside of 0..1.
    """
    if image.dtype != np.uint8:
        raise TypeError(f"`image` must have dtype uint8; got {image.dtype}.")
    if heat.ndim != 2 or not heat.size or not (heat.min() >= 0 and heat.max() <= 1):
        extremes = f", {heat.min()} to {heat.max()}" if heat.size else ""
        raise ValueError(
            f"`heat` must have shape (H, W) and values 0..1; got shape {heat.shape}{extremes}."
        )
    height, width = image.shape[:2]
    rgb = np.broadcast_to(image.reshape(height, width, -1), (height, width, 3)).astype(np.float32)
    share = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    share = np.clip(share, 0, 1)
    levels = np.rint(share * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32)
    opacity = (_OPACITY * share)[..., None]
    return np.rint(rgb * (1 - opacity) + colours * opacity).astype(np.uint8)  # type: ignore[no-any-return]


def over_source(heat: Floats, transform: Transform, size: tuple[int, int]) -> Floats:
    """Convert a heat map of a prepared image to a heat map of the original image.

    Parameters
    ----------
    heat : ndarray of shape (h, w), dtype float32
        Heat map that covers the whole prepared image.
    transform : Transform
        Transform from the original image to the prepared image.
    size : (int, int)
        Height and width of the result in pixels. It covers the whole original image and may have
        another size than that image.

    Returns
    -------
    ndarray of shape (H, W), dtype float32
        Heat map of the original image. It is 0 in parts that were cropped off, which the network
        does not get. If the preparation only stretched the whole image, the result is `heat`
        itself, which `overlay` stretches.
    """
    if transform.is_stretch:
        return heat
    height, width = size
    high, wide = transform.source_size
    rows = (np.arange(height) + 0.5) * high / height
    columns = (np.arange(width) + 0.5) * wide / width
    # Rows and columns are mapped independently, so the other coordinate can be 0.
    _, down = cxr_enhance.map_points(np.stack([0 * rows, rows], -1), transform).T
    across, _ = cxr_enhance.map_points(np.stack([columns, 0 * columns], -1), transform).T
    top, left, crop_height, crop_width = transform.crop
    shares_down = _shares(down, transform.output_size[0], heat.shape[0])
    shares_across = _shares(across, transform.output_size[1], heat.shape[1])
    shares_down[(rows < top) | (rows > top + crop_height)] = 0
    shares_across[(columns < left) | (columns > left + crop_width)] = 0
    return np.clip(shares_down @ heat @ shares_across.T, 0, 1).astype(np.float32)


def _shares(places: Floats, size: int, count: int) -> Floats:
    """Return bilinear weights of `count` equal cells over `size` pixels, a row for each place."""
    cells = np.clip(places * count / size - 0.5, 0, count - 1)
    return np.maximum(0, 1 - np.abs(cells[:, None] - np.arange(count)))  # type: ignore[no-any-return]


def colour_bar(height: int, width: int) -> Images:
    """Return the colours of an overlay on mid gray, from heat 0 at the left to 1 at the right.

    Parameters
    ----------
    height, width : int
        Size of the bar in pixels.

    Returns
    -------
    ndarray of shape (H, W, 3), dtype uint8
        RGB image.
    """
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None, :].repeat(height, axis=0)
    return overlay(np.full((height, width), _GRAY, np.uint8), ramp)
