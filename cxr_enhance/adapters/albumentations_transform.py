"""An albumentations transform; options of its `CLAHE` that mean the same have the same names."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

try:
    import albumentations
except ImportError as error:
    raise ImportError(
        "albumentations is needed for cxr_enhance.adapters.albumentations_transform. "
        'Install it with: pip install "cxr-enhance[albumentations]"'
    ) from error

import cxr_enhance
from cxr_enhance import EnhanceParams
from cxr_enhance._params import DEFAULT_NUM_BINS
from cxr_enhance.adapters._value_range import DEFAULTS, check_value_range, through_levels

_DEFAULT = EnhanceParams()


class Enhance(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """Enhance an image as `cxr_enhance.enhance` does, with a fixed or a random clip limit.

    Parameters
    ----------
    clip_limit : float or (float, float) or None, default 2.0
        CLAHE's ceiling of a bin, OpenCV's ``clipLimit``. For a pair (low, high), each call draws a
        limit uniformly from this range. A single number is used as it is; in albumentations' own
        `CLAHE`, a single number is the upper end of a range from 1. None turns CLAHE off.
    tile_grid_size : (int, int), default (16, 16)
        Number of tiles as (columns, rows).
    percentiles : (float, float) or None, default (0.05, 99.95)
        Low and high percentile of the white balance, in percent; None turns white balance off.
    bit_shift : int, default 0
        Number of low bits that CLAHE drops before counting.
    num_bins : int or None, default 256
        Number of gray levels that CLAHE counts. With 256, uint16 and float images look like uint8
        images. None counts every value, as OpenCV does. The default is None where `bit_shift` is
        above 0.
    bits : int, optional
        Bit depth of the values of integer images and of the levels of float images, which fill 0
        to ``2**bits - 1``. None uses all bits of an integer dtype; for floats, it uses 8 for the
        range (0, 255) and 16 for other ranges.
    channel_order : {"rgb", "bgr"}, default "rgb"
        Order of the channels of colour images.
    output : {"same", "gray", "rgb"}, default "same"
        Channels of the result: "same" keeps the number of channels of the image, "gray" returns
        one channel, "rgb" returns three. All channels of a result are equal.
    value_range : (float, float), default (0, 1)
        Black and white of float images.
    p : float, default 1.0
        Probability of applying the transform.

    Raises
    ------
    TypeError
        If an option or an image has the wrong type or dtype.
    ValueError
        If an option, or the shape or range of an image, is out of range.

    Notes
    -----
    Images have shape (H, W), (H, W, 1) or (H, W, 3) and dtype uint8, uint16 or float.

    Floats are rounded to ``2**bits`` levels. Where `bits` is None, there are 256 levels for the
    range (0, 255) and 65,536 levels for other ranges. Rounding changes a value by at most half a
    level, which is 7.7e-6 of the range for 65,536 levels. The result equals that of `enhance` for
    the rounded levels. Values outside the range by at most half a level are clipped; other values
    outside the range are refused.

    albumentations installs opencv-python-headless. Therefore install ``cxr-enhance[headless]``
    with it, because two OpenCV wheels overwrite each other.
    """

    def __init__(
        self,
        clip_limit: float | tuple[float, float] | None = _DEFAULT.clip_limit,
        tile_grid_size: tuple[int, int] = _DEFAULT.tile_grid_size,
        *,
        percentiles: tuple[float, float] | None = _DEFAULT.percentiles,
        bit_shift: int = _DEFAULT.bit_shift,
        num_bins: int | None = DEFAULT_NUM_BINS,
        bits: int | None = None,
        channel_order: str = _DEFAULT.channel_order,
        output: str = "same",
        value_range: tuple[float, float] | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        if output not in ("same", "gray", "rgb"):
            raise ValueError(f"`output` must be 'same', 'gray' or 'rgb'; got {output!r}.")
        is_range = isinstance(clip_limit, tuple | list)
        limits: tuple[Any, ...] = tuple(clip_limit) if is_range else (clip_limit,)  # type: ignore[arg-type]
        if is_range and (len(limits) != 2 or None in limits):
            raise ValueError(
                f"`clip_limit` must be a number, None or a range (low, high); got {clip_limit!r}."
            )
        records = [
            EnhanceParams(
                percentiles=percentiles,
                clip_limit=limit,
                tile_grid_size=tile_grid_size,
                bit_shift=bit_shift,
                num_bins=num_bins,
                bits=bits,
                channel_order=channel_order,  # type: ignore[arg-type]
            )
            for limit in limits
        ]
        low, high = records[0].clip_limit, records[-1].clip_limit
        if is_range and not low <= high:  # type: ignore[operator]
            raise ValueError(
                f"`clip_limit` must be a range (low, high) with low <= high; got {clip_limit!r}."
            )
        # The record holds plain Python numbers, which albumentations can write to files.
        self.clip_limit = (low, high) if is_range else low
        self.tile_grid_size = records[0].tile_grid_size
        self.percentiles = records[0].percentiles
        self.bit_shift = records[0].bit_shift
        self.num_bins = records[0].num_bins
        self.bits = records[0].bits
        self.channel_order = channel_order
        self.output = output
        self.value_range = check_value_range(value_range, DEFAULTS["albumentations"])

    def get_params(self) -> dict[str, Any]:
        """Return the clip limit of one call, drawn at random if it is a range."""
        if isinstance(self.clip_limit, tuple):
            return {"clip_limit": self.py_random.uniform(*self.clip_limit)}
        return {"clip_limit": self.clip_limit}

    def apply(self, img: Any, clip_limit: float | None, **params: Any) -> Any:
        """Enhance one image."""
        channels = img.shape[2] if img.ndim == 3 else 1
        channels = {"same": channels, "gray": 1, "rgb": 3}[self.output]
        record = EnhanceParams(
            percentiles=self.percentiles,
            clip_limit=clip_limit,
            tile_grid_size=self.tile_grid_size,
            bit_shift=self.bit_shift,
            num_bins=self.num_bins,
            bits=self.bits,
            channel_order=self.channel_order,  # type: ignore[arg-type]
            output="rgb" if channels == 3 else "gray",
        )
        function = functools.partial(cxr_enhance.enhance, params=record)
        result = through_levels(function, img, self.value_range, bits=self.bits)
        if img.ndim == 3 and result.ndim == 2:
            result = result[..., np.newaxis]
        return result

    def get_transform_init_args_names(self) -> tuple[str, ...]:
        """Return the names of the options, for albumentations' serialization."""
        return (
            "clip_limit", "tile_grid_size", "percentiles", "bit_shift", "num_bins", "bits",
            "channel_order", "output", "value_range",
        )  # fmt: skip
