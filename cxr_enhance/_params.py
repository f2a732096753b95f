"""`EnhanceParams`: the checked options of `enhance`.

All default values of the options are written in this module and nowhere else.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_enhance._pickling import reads_older_pickles
from cxr_enhance._types import ChannelOrder, Output, Percentiles, TileGridSize
from cxr_enhance._validation import (
    check_bit_shift,
    check_bits,
    check_choice,
    check_clip_limit,
    check_dtype,
    check_num_bins,
    check_params,
    check_percentiles,
    check_size,
    check_tile_grid_size,
)

if TYPE_CHECKING:
    import numpy.typing as npt


class _Default(int):
    """An int whose type shows that it is the default and was not passed by the caller."""


DEFAULT_NUM_BINS = _Default(256)
_FIELDS_BEFORE_BINS = 6  # fields of a record pickled before `num_bins` and `bits` were added


def _with_bins_and_bits(state: list[Any]) -> list[Any]:
    """Return pickled options with `num_bins` and `bits`, which older versions lack."""
    return [*state[:4], None, None, *state[4:]] if len(state) == _FIELDS_BEFORE_BINS else state


@reads_older_pickles(_with_bins_and_bits)
@dataclass(frozen=True, slots=True, kw_only=True)
class EnhanceParams:
    """Options of :func:`cxr_enhance.enhance`: white balance, then gray, then CLAHE.

    The defaults are those of the COVIDLite study, on which the library is based. An object is
    immutable, hashable and picklable. It checks its values when it is made, and it equals itself
    after conversion to JSON and back.

    Parameters
    ----------
    percentiles : (float, float) or None, default (0.05, 99.95)
        Low and high percentile of the white balance, in percent of the channel's pixels,
        ``0 <= low < high <= 100``. None turns white balance off.
    clip_limit : float or None, default 2.0
        Ceiling of CLAHE for a bin, as a multiple of the tile's mean bin count: OpenCV's
        ``clipLimit``. 0 turns clipping off, which is plain adaptive equalization. None turns
        CLAHE off.
    tile_grid_size : (int, int), default (16, 16)
        Number of CLAHE's tiles as (columns, rows), OpenCV's order. No effect if `clip_limit` is
        None.
    bit_shift : int, default 0
        Number of low bits that CLAHE drops before counting and sets to zero in the result:
        OpenCV's ``setBitShift``. For instance 4 for 12-bit data stored in the high bits of uint16.
        No effect if `clip_limit` is None.
    num_bins : int or None, default 256
        Number of gray levels that CLAHE counts and clips, from 2 to 65,536; pixels between two of
        them are interpolated, so that no gray level is lost. With 256, `clip_limit` has the same
        effect on 12-bit and 16-bit images as on 8-bit images. uint8 images have no more than 256
        values, so that their result equals OpenCV's with 256 and with None. None counts every
        value, as OpenCV does: the result equals OpenCV's for 16 bits too, but `clip_limit` seldom
        has an effect there. A number above the number of possible values counts every value. Only
        allowed with `bit_shift` 0; where `bit_shift` is above 0, the default is None. No effect if
        `clip_limit` is None.
    bits : int or None, default None
        Bit depth of the values and results, which fill 0 to ``2**bits - 1``; from 1 to the number
        of bits of the dtype. For instance 12 for 12-bit values in the low bits of uint16. A larger
        value in an image is an error. None uses all bits of the dtype.
    channel_order : {"rgb", "bgr"}, default "rgb"
        Order of the channels of colour images. It matters where the channels differ.
    output : {"gray", "rgb"}, default "gray"
        "gray" returns one channel. "rgb" returns three equal channels, which networks pretrained
        on colour images expect.

    Raises
    ------
    TypeError
        If an option has the wrong type.
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> from cxr_enhance import EnhanceParams
    >>> params = EnhanceParams(clip_limit=3.0, tile_grid_size=(8, 8))
    >>> EnhanceParams.from_json(params.to_json()) == params
    True
    """

    percentiles: Percentiles | None = (0.05, 99.95)
    clip_limit: float | None = 2.0
    tile_grid_size: TileGridSize = (16, 16)
    bit_shift: int = 0
    num_bins: int | None = DEFAULT_NUM_BINS
    bits: int | None = None
    channel_order: ChannelOrder = "rgb"
    output: Output = "gray"

    def __post_init__(self) -> None:
        # Values are stored as plain Python numbers, so that equal records have equal hashes and
        # equal JSON.
        store = object.__setattr__
        if self.percentiles is not None:
            store(self, "percentiles", check_percentiles(self.percentiles))
        if self.clip_limit is not None:
            store(self, "clip_limit", check_clip_limit(self.clip_limit))
        store(self, "tile_grid_size", check_tile_grid_size(self.tile_grid_size))
        store(self, "bit_shift", check_bit_shift(self.bit_shift))
        if isinstance(self.num_bins, _Default) and self.bit_shift > 0:
            store(self, "num_bins", None)
        store(self, "num_bins", check_num_bins(self.num_bins, self.bit_shift))
        store(self, "bits", check_bits(self.bits))
        check_choice("channel_order", self.channel_order, ("rgb", "bgr"))
        check_choice("output", self.output, ("gray", "rgb"))

    @classmethod
    def or_default(cls, params: EnhanceParams | None) -> EnhanceParams:
        """Return `params`, or the defaults if `params` is None.

        Raises
        ------
        TypeError
            If `params` is neither an `EnhanceParams` nor None.
        """
        return check_params(params, cls())

    def check_for(self, height: int, width: int, dtype: npt.DTypeLike = np.uint8) -> None:
        """Raise if `enhance` would refuse images of this size and dtype with these options.

        The check needs no pixels, so that a pipeline can refuse options before it reads its first
        image.

        Parameters
        ----------
        height, width : int
            Size of the images in pixels, at least 1.
        dtype : dtype-like, default uint8
            Dtype of the images, uint8 or uint16.

        Raises
        ------
        TypeError
            If `dtype` is neither uint8 nor uint16, or a size is not an int.
        ValueError
            If a size is below 1, or `bits`, `bit_shift`, `tile_grid_size` or `clip_limit` does not
            fit such images. The message equals that of `enhance`.

        Examples
        --------
        >>> import numpy as np
        >>> from cxr_enhance import EnhanceParams
        >>> EnhanceParams(bits=12).check_for(2048, 2500, np.uint16)
        >>> EnhanceParams(bit_shift=8).check_for(224, 224)
        Traceback (most recent call last):
            ...
        ValueError: `bit_shift` must be from 0 to 7 for uint8 images; got 8.
        """
        from cxr_enhance._engine.planning import plan_of

        size = (check_size("height", height), check_size("width", width))
        plan_of(size, check_dtype(dtype), self)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as a dictionary of JSON types (tuples as lists)."""
        options = dataclasses.asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in options.items()
        }

    @classmethod
    def from_dict(cls, options: dict[str, Any]) -> EnhanceParams:
        """Make a record from `options`; missing options get their defaults, but `num_bins` None.

        A dictionary without `num_bins` was stored by a version that had no such option and counted
        every value.

        Raises
        ------
        TypeError
            If `options` is not a dictionary, or an option has the wrong type.
        ValueError
            If a name is unknown or an option is out of range.
        """
        if not isinstance(options, dict):
            raise TypeError(f"`options` must be a dict; got {type(options).__name__}.")
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(str(name) for name in options if name not in known)
        if unknown:
            raise ValueError(
                f"`options` must have only the names {', '.join(known)}; got {', '.join(unknown)}."
            )
        return cls(**{"num_bins": None, **options})

    def to_json(self) -> str:
        """Return the options as the text of one JSON object, sorted by name."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> EnhanceParams:
        """Make a record from the JSON object in `text`, as `from_dict` does.

        Raises
        ------
        TypeError
            If `text` is not a str, or an option has the wrong type.
        ValueError
            If `text` is not one JSON object, a name is unknown or an option is out of range.
        """
        if not isinstance(text, str):
            raise TypeError(f"`text` must be a str; got {type(text).__name__}.")
        try:
            options = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(
                f"`text` must be one JSON object; got invalid JSON: {error}."
            ) from error
        if not isinstance(options, dict):
            raise ValueError(f"`text` must be one JSON object; got {type(options).__name__}.")
        return cls.from_dict(options)
