"""The chain as MONAI transforms: for an array, and for entries of a dictionary."""

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
from cxr_enhance.adapters._unit_range import through_16_bits

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping


class Enhance(Transform):  # type: ignore[misc]
    """Enhance a channel-first image as `cxr_enhance.enhance` would.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None takes the study's.

    Raises
    ------
    TypeError
        If `params` or an image has the wrong type or dtype.
    ValueError
        If the shape or range of an image is out of range.

    Notes
    -----
    Images: (C, H, W), C 1 or 3, arrays, tensors or MetaTensors of uint8, uint16 or float 0..1 (use
    ``ScaleIntensity`` before). The result has one channel, or three if ``params.output`` is "rgb",
    and the type, dtype, device and meta data of the image. Floats go through 16 bits: input and
    output are rounded to multiples of 1/65535, a change of at most 7.7e-6 in each value that is
    enhanced; the result is `enhance` of those levels exactly.

    Columns of the grid count along the last size. MONAI's readers give PNG and DICOM as (C, W, H):
    there, swap the two numbers of a grid that is not square, or transpose the image first.

    Thread-safe and without state; other devices than the CPU are copied from and to.
    """

    backend = (TransformBackends.NUMPY,)

    def __init__(self, params: EnhanceParams | None = None) -> None:
        cxr_enhance.enhance_batch([], params)  # raises unless `params` are such
        self.params = params or EnhanceParams()

    def __call__(self, img: Any) -> Any:
        """Return the enhanced image."""
        if not isinstance(img, np.ndarray | torch.Tensor):
            raise TypeError(
                f"`img` must be an array or a tensor; got {type(img).__name__}. Use LoadImage and "
                "EnsureChannelFirst before."
            )
        array, *_ = convert_data_type(img, np.ndarray)
        if array.ndim != 3 or array.shape[0] not in (1, 3):
            raise ValueError(f"`img` must have shape (1, H, W) or (3, H, W); got {array.shape}.")
        function = functools.partial(cxr_enhance.enhance, params=self.params)
        result = through_16_bits(function, np.moveaxis(array, 0, -1))
        if result.ndim == 2:
            result = result[..., None]
        result = np.ascontiguousarray(np.moveaxis(result, -1, 0))
        return convert_to_dst_type(result, dst=img, dtype=result.dtype)[0]


class Enhanced(MapTransform):  # type: ignore[misc]
    """Enhance entries of a dictionary; `Enhance` for each key.

    Parameters
    ----------
    keys : str or iterable of str
        The entries to enhance.
    params : EnhanceParams, optional
        The options; None takes the study's.
    allow_missing_keys : bool, default False
        Whether entries may be missing.

    Raises
    ------
    TypeError, ValueError
        As `Enhance`.
    KeyError
        If an entry is missing and may not be.

    Notes
    -----
    Those of `Enhance`.
    """

    backend = Enhance.backend

    def __init__(
        self,
        keys: Hashable | Iterable[Hashable],
        params: EnhanceParams | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.enhance = Enhance(params)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of `data` with the entries enhanced."""
        done = dict(data)
        for key in self.key_iterator(done):
            done[key] = self.enhance(done[key])
        return done


EnhanceD = EnhanceDict = Enhanced
