"""MONAI transforms that enhance an array, or entries of a dictionary."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import torch
    from monai.transforms import MapTransform, Transform
    from monai.utils import TransformBackends, convert_data_type, convert_to_dst_type
except ImportError as error:
    raise ImportError(
        "monai is needed for cxr_enhance.adapters.monai_transform. "
        'Install it with: pip install "cxr-enhance[monai]"'
    ) from error

import cxr_enhance
from cxr_enhance import EnhanceParams
from cxr_enhance.adapters._value_range import (
    DEFAULTS,
    NUMPY,
    TORCH,
    bits_of,
    check_precision,
    check_value_range,
    is_float,
    through_levels,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping


class Enhance(Transform):  # type: ignore[misc]
    """Enhance a channel-first image, with the result of `cxr_enhance.enhance`.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    value_range : (float, float), default (0, 1)
        Black and white of float images. Use (0, 65535) for a 16-bit PNG read by `LoadImage`.

    Raises
    ------
    TypeError
        If an option or an image has the wrong type or dtype.
    ValueError
        If an option, or the shape or range of an image, is out of range.

    Notes
    -----
    Images are arrays, tensors or MetaTensors of shape (C, H, W), C 1 or 3, dtype uint8, uint16 or
    float. MONAI converts uint16 to int32 tensors; int32 tensors are therefore read as uint16. The
    result has one channel, or three if ``params.output`` is "rgb". It has the type, dtype, device
    and meta data of the image.

    Floats are rounded to ``2**params.bits`` levels. Where ``params.bits`` is None, there are 256
    levels for the range (0, 255) and 65,536 levels for other ranges. Rounding changes a value by at
    most half a level, which is 7.7e-6 of the range for 65,536 levels. The result equals that of
    `enhance` for the rounded levels. Values outside the range by at most half a level are clipped;
    other values outside the range are refused.

    Columns of the grid count along the last axis. MONAI's readers return PNG and DICOM images as
    (C, W, H). For these images, swap the two numbers of a grid that is not square, or transpose the
    image first.

    The transform is thread-safe and has no state. An image on another device is copied to the CPU,
    and the result is copied back.
    """

    backend = (TransformBackends.NUMPY,)

    def __init__(
        self,
        params: EnhanceParams | None = None,
        *,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.params = EnhanceParams.or_default(params)
        self.value_range = check_value_range(value_range, DEFAULTS["monai"])

    def __call__(self, img: Any) -> Any:
        """Return the enhanced image."""
        if not isinstance(img, np.ndarray | torch.Tensor):
            raise TypeError(
                f"`img` must be an array or a tensor; got {type(img).__name__}. Use LoadImage and "
                "EnsureChannelFirst before."
            )
        is_tensor = isinstance(img, torch.Tensor)
        given: Any = img
        if is_tensor:
            given = given.to(_dtype_of(given, self.value_range, self.params.bits))
        else:
            _check_dtype(img)
        array, *_ = convert_data_type(given, np.ndarray)
        if array.ndim != 3 or array.shape[0] not in (1, 3):
            raise ValueError(
                f"`img` must have shape (1, H, W) or (3, H, W); got {array.shape}."
                f"{_shape_cure(array.shape)}"
            )
        if not array.size:
            raise ValueError(f"`img` must have at least one pixel; got shape {array.shape}.")
        function = functools.partial(cxr_enhance.enhance, params=self.params)
        image = np.moveaxis(array, 0, -1)
        suggestions = TORCH if is_tensor else NUMPY
        result = through_levels(
            function,
            image,
            self.value_range,
            bits=self.params.bits,
            name="img",
            suggestions=suggestions,
        )
        if result.ndim == 2:
            result = result[..., None]
        result = np.ascontiguousarray(np.moveaxis(result, -1, 0))
        return convert_to_dst_type(result, dst=img, dtype=img.dtype if is_tensor else result.dtype)[
            0
        ]


def _dtype_of(img: Any, value_range: tuple[float, float], bits: int | None) -> Any:
    """Return the dtype that a tensor is converted to; raise if its dtype is not supported."""
    if img.dtype in (torch.uint8, torch.uint16):
        return img.dtype
    if img.dtype.is_floating_point:
        check_precision(_name_of(img), value_range, bits_of(value_range, bits), "img", TORCH)
        return torch.float64 if img.dtype == torch.float64 else torch.float32
    if img.dtype == torch.int32:
        least, most = (int(img.min()), int(img.max())) if img.numel() else (0, 0)
        if least >= 0 and most <= 65535:
            return torch.uint16
        raise ValueError(
            "`img` must lie in 0..65535 where it is int32, which MONAI makes of uint16; got "
            f"{least}..{most}. Use CastToType(np.float32) and pass the values of black and white "
            "as value_range=(black, white)."
        )
    raise _wrong_dtype(_name_of(img), "img.to(torch.uint8)")


def _check_dtype(img: np.ndarray) -> None:
    """Raise if an array's dtype is not supported; `through_levels` checks the float dtypes."""
    if not is_float(img.dtype) and img.dtype.name not in ("uint8", "uint16"):
        raise _wrong_dtype(img.dtype.name, "img.astype(np.uint8)")


def _wrong_dtype(name: str, as_uint8: str) -> TypeError:
    cure = ""
    if name == "bool":
        cure = f" Make a mask 0 and 255 with {as_uint8} * 255."
    elif name == "object":
        cure = " Use np.array(img.tolist())."
    elif "int" in name:
        cure = " For values 0..255, use CastToType(np.uint8); for 0..65535, CastToType(np.uint16)."
    return TypeError(f"`img` must have dtype uint8, uint16, float32 or float64; got {name}.{cure}")


def _name_of(img: Any) -> str:
    return str(img.dtype).removeprefix("torch.")


def _shape_cure(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (2, 4):
        return f" Drop the alpha channel with img[:{shape[0] - 1}]."
    if len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3)):
        return " Use EnsureChannelFirst before."
    return ""


class Enhanced(MapTransform):  # type: ignore[misc]
    """Enhance entries of a dictionary; applies `Enhance` to each key.

    Parameters
    ----------
    keys : str or iterable of str
        Keys of the entries to enhance.
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    allow_missing_keys : bool, default False
        Whether keys may be missing in the dictionary.
    value_range : (float, float), default (0, 1)
        Black and white of float images.

    Raises
    ------
    TypeError, ValueError
        As `Enhance`.
    KeyError
        If a key is missing and `allow_missing_keys` is false.

    Notes
    -----
    The notes of `Enhance` apply.
    """

    backend = Enhance.backend

    def __init__(
        self,
        keys: Hashable | Iterable[Hashable],
        params: EnhanceParams | None = None,
        allow_missing_keys: bool = False,
        *,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.enhance = Enhance(params, value_range=value_range)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of `data` with the entries enhanced."""
        done = dict(data)
        for key in self.key_iterator(done):
            done[key] = self.enhance(done[key])
        return done


EnhanceD = EnhanceDict = Enhanced
