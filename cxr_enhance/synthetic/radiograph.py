"""`synthetic_radiograph`: a drawn chest with the grain, borders and depth of a real exposure."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Literal

import numpy as np

from cxr_enhance.synthetic._anatomy import draw_chest
from cxr_enhance.synthetic._drawing import RandomBits, enlarge, step

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.synthetic._drawing import Map

_GRID = 1024  # the anatomy is drawn at most this fine, and enlarged


def synthetic_radiograph(
    height: int = 1024,
    width: int = 1024,
    *,
    seed: int = 0,
    bits: int = 8,
    opacity: float = 0.0,
    opacity_pattern: Literal["patchy", "diffuse"] = "patchy",
) -> Image:
    """Draw a frontal chest radiograph.

    Soft tissue, lungs with vessels, ribs, clavicles, spine, heart, diaphragm, a side marker, grain
    and a collimated border. Position, proportions, exposure and grain vary with `seed`. It looks
    like a chest and has the histogram of one; it is no model of any disease.

    Parameters
    ----------
    height, width : int, default 1024
        Size in pixels, each at least 1.
    seed : int, default 0
        At least 0. Equal arguments give equal bytes, on every machine.
    bits : int, default 8
        8 to 16. Values lie in ``0 .. 2**bits - 1``.
    opacity : float, default 0.0
        0..1. How strongly the lungs are clouded.
    opacity_pattern : {"patchy", "diffuse"}, default "patchy"
        A few dense patches, or a haze towards the bases of both lungs.

    Returns
    -------
    ndarray of shape (H, W), dtype uint8 or uint16
        uint8 for 8 bits, uint16 for more. Bone is bright, air dark.

    Raises
    ------
    TypeError
        If a size, `seed` or `bits` is not an int, or `opacity` no number.
    ValueError
        If an argument is out of range.

    Notes
    -----
    The same bytes everywhere: only operations that IEEE 754 rounds in one way are used, and random
    bits come straight from PCG64, whose stream NumPy keeps.
    The anatomy is drawn on at most 1024 x 1024 pixels and enlarged; grain and borders are drawn at
    full size.

    Examples
    --------
    >>> from cxr_enhance.synthetic import synthetic_radiograph
    >>> image = synthetic_radiograph(480, 400, seed=3, bits=12)
    >>> image.shape, image.dtype, int(image.max()) < 4096
    ((480, 400), dtype('uint16'), True)
    """
    height, width = _int_from("height", height, 1), _int_from("width", width, 1)
    seed, bits = _int_from("seed", seed, 0), _int_from("bits", bits, 8, 16)
    if isinstance(opacity, bool) or not isinstance(opacity, int | float | np.number):
        raise TypeError(f"`opacity` must be a number; got {opacity!r}.")
    if not 0 <= opacity <= 1:
        raise ValueError(f"`opacity` must be from 0 to 1; got {opacity!r}.")
    if opacity_pattern not in ("patchy", "diffuse"):
        raise ValueError(
            f"`opacity_pattern` must be 'patchy' or 'diffuse'; got {opacity_pattern!r}."
        )
    # One stream each, so that a clouded chest is otherwise the same one.
    anatomy, clouds, exposure = (RandomBits(seed, stream) for stream in range(3))
    chest = draw_chest(min(height, _GRID), min(width, _GRID), anatomy)
    if opacity:
        chest.cloud(float(opacity), opacity_pattern, clouds)
    density = enlarge(chest.density, height, width)
    _add_grain(density, exposure)
    _collimate(density, exposure)
    _add_marker(density)
    largest = 2**bits - 1
    np.clip(density, 0, 1, out=density)
    density *= largest
    density += 0.5
    return density.astype(np.uint8 if bits == 8 else np.uint16)


def _int_from(name: str, value: object, low: int, high: int | None = None) -> int:
    rule = f"an int of at least {low}" if high is None else f"an int from {low} to {high}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"`{name}` must be {rule}; got {value!r}.")
    number = operator.index(value)
    if number < low or (high is not None and number > high):
        raise ValueError(f"`{name}` must be {rule}; got {value!r}.")
    return number


def _add_grain(density: Map, random: RandomBits) -> None:
    """Add quantum noise, stronger where fewer photons arrive, in place."""
    for row in range(0, density.shape[0], 256):
        part = density[row : row + 256]
        bits = random.raw(part.size).reshape(part.shape)
        lanes = bits & np.uint64(0xFFFF)
        for shift in (16, 32, 48):
            lanes += (bits >> np.uint64(shift)) & np.uint64(0xFFFF)
        noise = lanes.astype(np.float32) * (1 / 65536) - 2  # four uniforms: nearly normal
        part += noise * (0.008 + 0.022 * np.clip(part, 0, 1))


def _collimate(density: Map, random: RandomBits) -> None:
    """Darken what the collimator's blades shade, each a little askew, in place."""
    height, width = density.shape
    across = (np.arange(width, dtype=np.float32) + 0.5) * np.float32(1 / width)
    down = (np.arange(height, dtype=np.float32) + 0.5) * np.float32(1 / height)
    for axis, flip in ((0, False), (0, True), (1, False), (1, True)):
        edge, skew = random.uniform(0.008, 0.035), random.uniform(-0.012, 0.012)
        towards, along = (
            (down[:, None], across[None, :]) if axis == 0 else (across[None, :], down[:, None])
        )
        distance = (1 - towards if flip else towards) - edge - skew * (along - 0.5)
        density *= 0.06 + 0.94 * step(-0.0015, 0.003, distance)


def _add_marker(density: Map) -> None:
    """Set a lead letter L beside the patient's left shoulder, in place."""
    height, width = density.shape
    top, left, size = int(0.07 * height), int(0.88 * width), int(0.04 * min(height, width))
    bar = size // 4
    if bar:
        density[top : top + size, left : left + bar] = 0.97
        density[top + size - bar : top + size, left : left + size * 5 // 8] = 0.97
