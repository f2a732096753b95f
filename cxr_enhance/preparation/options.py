"""`Preparation`: the checked options of `prepare`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from cxr_enhance._params import EnhanceParams
from cxr_enhance._validation import check_choice

Fit: TypeAlias = Literal["squash", "pad", "crop"]
Order: TypeAlias = Literal["enhance-first", "resize-first"]
Interpolation: TypeAlias = Literal["nearest", "linear", "cubic", "area"]
DType: TypeAlias = Literal["uint8", "uint16"]

LONGEST_SIDE = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """Options of :func:`cxr_enhance.prepare`: border, size, enhancement and type of an image.

    An object is immutable, hashable and picklable. It checks its values when it is made.

    Parameters
    ----------
    params : EnhanceParams or None, default EnhanceParams()
        Options of the enhancement; None does not enhance the image.
    size : (int, int) or None, default None
        Height and width of the result, in pixels, each at most 65,535. None keeps the size of the
        image, unless `long_side` or `spacing` is given.
    fit : {"squash", "pad", "crop"}, default "squash"
        How an image of another aspect ratio is fitted to `size`. "squash" scales each axis
        independently. "pad" keeps the aspect ratio and fills the rest with black. "crop" keeps the
        aspect ratio and crops both ends of the axis that is too long. "pad" and "crop" are only
        allowed with `size`.
    long_side : int or None, default None
        Length of the longer side of the result, in pixels; the aspect ratio is kept. Only allowed
        without `size`.
    spacing : float or None, default None
        Height and width of one pixel of the result, in millimetres. Only allowed without `size` and
        `long_side`, and for images whose pixel spacing is known.
    crop_border : bool, default False
        Whether a uniform frame and the area that a collimator's blades shade are cropped first.
    order : {"enhance-first", "resize-first"}, default "enhance-first"
        "enhance-first" enhances the image at its own size and then scales, crops or pads it.
        "resize-first" scales, crops or pads the image and then enhances it. Padding has the value
        0. With "enhance-first", padding is black in the result. With "resize-first", padding is
        black before the enhancement, which treats it as a part of the image.
    interpolation : {"nearest", "linear", "cubic", "area"}, default "area"
        OpenCV's interpolation for resizing. "cubic" overshoots at edges; values are clipped to
        0..white.
    dtype : {"uint8", "uint16"} or None, default None
        Dtype of the result. Values are scaled and rounded so that white becomes the largest value
        of this dtype; white is ``2**params.bits - 1`` or the largest value of the image's dtype.
        None keeps dtype and values.

    Raises
    ------
    TypeError
        If an option has the wrong type.
    ValueError
        If an option is out of range, or two contradict each other.

    Examples
    --------
    >>> from cxr_enhance import Preparation
    >>> Preparation(size=(224, 224), fit="pad").fit
    'pad'
    """

    params: EnhanceParams | None = field(default_factory=EnhanceParams)
    size: tuple[int, int] | None = None
    fit: Fit = "squash"
    long_side: int | None = None
    spacing: float | None = None
    crop_border: bool = False
    order: Order = "enhance-first"
    interpolation: Interpolation = "area"
    dtype: DType | None = None

    def __post_init__(self) -> None:
        if self.params is not None and not isinstance(self.params, EnhanceParams):
            raise TypeError(
                f"`params` must be EnhanceParams or None; got {type(self.params).__name__}."
            )
        if self.size is not None:
            object.__setattr__(self, "size", _checked_size(self.size))
        check_choice("fit", self.fit, get_args(Fit))
        if self.long_side is not None:
            _check_long_side(self.long_side)
        if self.spacing is not None:
            object.__setattr__(self, "spacing", _checked_spacing(self.spacing))
        if not isinstance(self.crop_border, bool):
            raise TypeError(f"`crop_border` must be a bool; got {self.crop_border!r}.")
        check_choice("order", self.order, get_args(Order))
        check_choice("interpolation", self.interpolation, get_args(Interpolation))
        if self.dtype is not None:
            check_choice("dtype", self.dtype, get_args(DType))
        self._check_together()

    def _check_together(self) -> None:
        sizes = ("size", "long_side", "spacing")
        given = [name for name in sizes if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"`{given[1]}` is only allowed without `{given[0]}`; got both.")
        if self.fit != "squash" and self.size is None:
            raise ValueError(f"`fit` {self.fit!r} is only allowed with `size`; got none.")
        if self.order == "resize-first" and not given:
            raise ValueError(
                "`order` 'resize-first' is only allowed with `size`, `long_side` or `spacing`; got "
                "none."
            )


def _checked_size(size: object) -> tuple[int, int]:
    rule = "`size` must be two positive ints (height, width)"
    if not isinstance(size, tuple | list) or not all(type(side) is int for side in size):
        raise TypeError(f"{rule}; got {size!r}.")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"{rule}; got {size!r}.")
    if max(size) > LONGEST_SIDE:
        raise ValueError(f"{rule} of at most {LONGEST_SIDE}; got {size!r}.")
    return size[0], size[1]


def _check_long_side(long_side: object) -> None:
    if type(long_side) is not int:
        raise TypeError(f"`long_side` must be an int; got {long_side!r}.")
    if not 1 <= long_side <= LONGEST_SIDE:
        raise ValueError(f"`long_side` must be from 1 to {LONGEST_SIDE}; got {long_side}.")


def _checked_spacing(spacing: object) -> float:
    if isinstance(spacing, bool) or not isinstance(spacing, int | float):
        raise TypeError(f"`spacing` must be a number of millimetres; got {spacing!r}.")
    if not (math.isfinite(spacing) and spacing > 0):
        raise ValueError(f"`spacing` must be a positive number of millimetres; got {spacing!r}.")
    return float(spacing)
