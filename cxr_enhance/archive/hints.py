"""Hints about valid options that do not suit a valid image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance._engine.planning import plan_of

if TYPE_CHECKING:
    from cxr_enhance._params import EnhanceParams
    from cxr_enhance._types import Image

_FEW_BINS = 256


class Hint(NamedTuple):
    """A hint; a run prints the first hint of each `kind` and counts the further hints."""

    kind: str
    sentence: str


def hints_of(image: Image, params: EnhanceParams) -> tuple[Hint, ...]:
    """Return the hints about an image that `enhance` accepts with `params`."""
    hints = [_without_effect(image, params), _dark(image, params)]
    return tuple(hint for hint in hints if hint is not None)


def _without_effect(image: Image, params: EnhanceParams) -> Hint | None:
    """Return a hint if the clip limit is below OpenCV's minimum of one pixel in a bin.

    With more than 256 bins, a limit equal to the minimum also gives a hint. With so many bins, only
    very high limits are above the minimum.
    """
    if not params.clip_limit:
        return None
    plan = plan_of(image.shape, image.dtype, params)
    area = plan.tile_width * plan.tile_height
    few = plan.num_bins <= _FEW_BINS
    if params.clip_limit * area / plan.num_bins >= (1 if few else 2):
        return None
    leaves_floor = 2 * plan.num_bins / area
    if few:
        cure = f"Use fewer tiles (--tile-grid-size) or a limit above {leaves_floor:.6g}"
    else:
        shift = "--bit-shift 0 " if params.bit_shift else ""
        fewer = "" if params.clip_limit * area >= _FEW_BINS else " and fewer tiles"
        cure = f"Use {shift}--num-bins {_FEW_BINS}{fewer}"
    return Hint(
        "limit without effect",
        f"--clip-limit {params.clip_limit:g} has no effect: at {plan.num_bins} gray levels and "
        f"tiles of {area} pixels every limit below {leaves_floor:.6g} keeps 1 pixel a level. "
        f"{cure}.",
    )


def _dark(image: Image, params: EnhanceParams) -> Hint | None:
    """Return a hint if values fill less than a quarter of their range, without a white balance."""
    if params.percentiles is not None:
        return None
    bits = params.bits or 8 * image.itemsize
    least, most = int(image.min()), int(image.max())
    if most - least >= 2**bits // 4 or most == least:
        return None
    used = most.bit_length()
    cure = "White balance stretches them: --percentiles 0.05 99.95 in place of --no-white-balance"
    if used <= bits - 2:
        cure = f"If they have {used} bits, use --bits {used}. {cure}"
    return Hint(
        "narrow range",
        f"values span {least} to {most}, less than a quarter of 0 to {2**bits - 1}, so that results"
        f" have little contrast. {cure}.",
    )
