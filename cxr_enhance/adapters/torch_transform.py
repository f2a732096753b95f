"""Picklable callables for PyTorch: for one image, for a batch, and for collating samples."""

from __future__ import annotations

import contextlib
import copy
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import torch
    from torch.utils.data import default_collate
except ImportError as error:
    raise ImportError(
        "torch is needed for cxr_enhance.adapters.torch_transform. "
        'Install it with: pip install "cxr-enhance[torch]"'
    ) from error

import cxr_enhance
from cxr_enhance import EnhanceParams
from cxr_enhance.adapters._torch import pil
from cxr_enhance.adapters._torch.samples import is_marked_otherwise, map_images
from cxr_enhance.adapters._value_range import (
    DEFAULTS,
    NUMPY,
    TORCH,
    bits_of,
    check_precision,
    check_value_range,
    through_levels,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LEVELS = (torch.uint8, torch.uint16)


class EnhanceTransform(torch.nn.Module):  # type: ignore[misc]
    """Enhance one image as `cxr_enhance.enhance` does; a transform for torchvision v2 pipelines.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    layout : {"chw", "hwc"}, optional
        Order of the axes. None uses "chw" for tensors and "hwc" for arrays, as torchvision does.
    value_range : (float, float), default (0, 1)
        Black and white of float images.

    Raises
    ------
    TypeError
        If an option has the wrong type. If an image is neither a tensor, an array nor a PIL image,
        is not on the CPU, or has another dtype than uint8, uint16 and floats.
    ValueError
        If an option, or the shape or range of an image, is out of range.

    Notes
    -----
    Takes tensors and arrays of shape (H, W), (C, H, W) or (H, W, C), C 1 or 3. Returns the same
    type with one channel, or with three if ``params.output`` is "rgb". An image of shape (H, W)
    gives (H, W) if ``params.output`` is "gray". PIL images of mode L, RGB, I;16, I and F give PIL
    images. The input is not modified. The result keeps a tensor's subclass.

    Floats are rounded to ``2**params.bits`` levels. Where ``params.bits`` is None, there are 256
    levels for the range (0, 255) and 65,536 levels for other ranges. Rounding changes a value by at
    most half a level, which is 7.7e-6 of the range for 65,536 levels. The result equals that of
    `enhance` for the rounded levels. Values outside the range by at most half a level are clipped;
    other values outside the range are refused.

    The transform is a torch module and works in ``torch.nn.Sequential``. It needs no torchvision.
    It also takes whole samples (tuples, lists and dictionaries), as torchvision's ``v2.Compose``
    passes them. In a sample, PIL images and ``tv_tensors.Image`` are enhanced. If a sample has
    neither, the first tensor or array of two or more axes is enhanced.

    The transform is picklable and has no state. It runs in the workers of a DataLoader, forked or
    spawned, on one thread in each worker.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> from cxr_enhance.adapters.torch_transform import EnhanceTransform
    >>> EnhanceTransform()(torch.zeros((3, 64, 64), dtype=torch.uint8)).shape
    torch.Size([1, 64, 64])
    """

    def __init__(
        self,
        params: EnhanceParams | None = None,
        *,
        layout: str | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        _check_layout(layout)
        self.params = EnhanceParams.or_default(params)
        self.layout = layout
        self.value_range = check_value_range(value_range, DEFAULTS["torch"])

    def forward(self, *sample: Any) -> Any:
        """Return the enhanced image, or the sample with its image enhanced."""
        only = sample[0] if len(sample) == 1 else sample
        if isinstance(only, tuple | list | dict) or is_marked_otherwise(only):
            return map_images(self._enhance, only)
        return self._enhance(only)

    def _enhance(self, image: Any) -> Any:
        if pil.is_image(image):
            array = pil.to_array(image)
            function = functools.partial(cxr_enhance.enhance, params=self.params)
            result = _through_levels(function, array, self, "image", image)
            return pil.from_array(result, image.mode)
        array = _to_array(image, "image", self.value_range, self.params.bits)
        first = _channels_first(image, self.layout)
        _check_shape(array.shape, "image", ("H", "W"), first=first)
        if array.ndim == 3 and first:
            array = array.transpose(1, 2, 0)
        flat = array.ndim == 2
        function = functools.partial(cxr_enhance.enhance, params=self.params)
        result = _through_levels(function, array, self, "image", image)
        if result.ndim == 2 and not flat:
            result = result[..., None]
        if result.ndim == 3 and first:
            result = np.ascontiguousarray(result.transpose(2, 0, 1))
        return _like(result, image)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.params!r}, {_options(self)})"


class EnhanceBatch(torch.nn.Module):  # type: ignore[misc]
    """Enhance a batch of images of one size, with the result of `cxr_enhance.enhance_batch`.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    layout : {"chw", "hwc"}, optional
        Order of the axes of each image. None uses "chw" for tensors and "hwc" for arrays.
    num_threads : int, optional
        Number of threads that share a batch. None uses every CPU this process may use. Use 1 in
        the workers of a DataLoader.
    value_range : (float, float), default (0, 1)
        Black and white of float images.

    Raises
    ------
    TypeError
        As `EnhanceTransform`.
    ValueError
        If an option or the shape of a batch is out of range.

    Notes
    -----
    Takes tensors and arrays of shape (N, H, W), (N, C, H, W) or (N, H, W, C), C 1 or 3, but neither
    PIL images nor whole samples. The other notes of `EnhanceTransform` apply.
    """

    def __init__(
        self,
        params: EnhanceParams | None = None,
        *,
        layout: str | None = None,
        num_threads: int | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        cxr_enhance.enhance_batch([], params, num_threads=num_threads)
        _check_layout(layout)
        self.params = params or EnhanceParams()
        self.layout = layout
        self.num_threads = num_threads
        self.value_range = check_value_range(value_range, DEFAULTS["torch"])

    def forward(self, images: Any) -> Any:
        """Return the enhanced batch."""
        array = _to_array(images, "images", self.value_range, self.params.bits)
        first = _channels_first(images, self.layout)
        _check_shape(array.shape, "images", ("N", "H", "W"), first=first)
        if array.ndim == 4 and first:
            array = array.transpose(0, 2, 3, 1)
        # Three axes are always a batch of gray images here. With a last size of 1 or 3,
        # `enhance_batch` would refuse them, because they could be one image with channels.
        flat = array.ndim == 3
        array = array[..., None] if flat else array
        function = functools.partial(
            cxr_enhance.enhance_batch, params=self.params, num_threads=self.num_threads
        )
        result = _through_levels(function, array, self, "images", images)
        if result.ndim == 3:
            result = result[..., None]
        if flat and self.params.output == "gray":
            result = result[..., 0]
        if result.ndim == 4 and first:
            result = np.ascontiguousarray(result.transpose(0, 3, 1, 2))
        return _like(result, images)

    def __repr__(self) -> str:
        options = f"{_options(self)}, num_threads={self.num_threads!r}"
        return f"{type(self).__name__}({self.params!r}, {options})"


class EnhanceCollate:
    """Collate samples and enhance their images together: a `collate_fn` for a DataLoader.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    images : int or str or None, default 0
        Position of the images in a collated tuple or list, or their key in a collated dictionary.
        None if each sample is an image and nothing else.
    layout : {"chw", "hwc"}, optional
        As in `EnhanceBatch`.
    num_threads : int, default 1
        Number of threads that share a batch. 1 is best with several workers of a DataLoader.
    collate_fn : callable, optional
        Function that makes a batch of a list of samples; None uses torch's `default_collate`.
    value_range : (float, float), default (0, 1)
        Black and white of float images.

    Raises
    ------
    TypeError
        As `EnhanceTransform`.
    ValueError
        If an option or the shape of a batch is out of range.

    Notes
    -----
    The images of a batch must have one size, unless `collate_fn` brings them to one size.
    """

    def __init__(
        self,
        params: EnhanceParams | None = None,
        *,
        images: int | str | None = 0,
        layout: str | None = None,
        num_threads: int = 1,
        collate_fn: Callable[[Sequence[Any]], Any] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.enhance = EnhanceBatch(
            params, layout=layout, num_threads=num_threads, value_range=value_range
        )
        if isinstance(images, bool) or not isinstance(images, int | str | None):
            raise TypeError(f"`images` must be an int, a str or None; got {images!r}.")
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(f"`collate_fn` must be callable or None; got {collate_fn!r}.")
        self.images = images
        self.collate_fn = collate_fn

    def __call__(self, samples: Sequence[Any]) -> Any:
        """Return the collated batch with its images enhanced."""
        batch = (self.collate_fn or default_collate)(samples)
        if self.images is None:
            return self.enhance(batch)
        done = self.enhance(self._images_of(batch))
        if isinstance(batch, dict):
            changed = copy.copy(batch)
            changed[self.images] = done
            return changed
        assert isinstance(self.images, int)
        items = list(batch)
        items[self.images] = done
        return type(batch)(*items) if hasattr(batch, "_fields") else type(batch)(items)

    def _images_of(self, batch: Any) -> Any:
        if isinstance(batch, dict) or (
            isinstance(batch, tuple | list) and isinstance(self.images, int)
        ):
            with contextlib.suppress(LookupError):
                return batch[self.images]  # type: ignore[index]
        kind = f"a {type(batch).__name__}"
        if isinstance(batch, tuple | list | dict):
            kind += f" with {list(batch) if isinstance(batch, dict) else len(batch)}"
        raise ValueError(
            "`images` must be a place in, or a key of, what samples collate to, or None where they "
            f"are images; got {self.images!r} for {kind}."
        )

    def __repr__(self) -> str:
        options = f"images={self.images!r}, collate_fn={self.collate_fn!r}"
        return f"{type(self).__name__}({self.enhance!r}, {options})"


def _check_layout(layout: str | None) -> None:
    if layout not in (None, "chw", "hwc"):
        raise ValueError(f"`layout` must be 'chw', 'hwc' or None; got {layout!r}.")


def _channels_first(image: Any, layout: str | None) -> bool:
    return layout == "chw" if layout is not None else isinstance(image, torch.Tensor)


def _check_shape(shape: tuple[int, ...], name: str, flat: tuple[str, ...], *, first: bool) -> None:
    """Raise if `shape` is wrong; called before axes are moved, so that errors show the input's."""
    colour = (*flat[:-2], "C", *flat[-2:]) if first else (*flat, "C")
    if len(shape) == len(flat):
        return
    if len(shape) == len(colour) and shape[colour.index("C")] in (1, 3):
        return
    rules = " or ".join(f"({', '.join(axes)})" for axes in (flat, colour))
    cure = ""
    if len(shape) == len(colour):
        cure = " Drop the alpha channel." if shape[colour.index("C")] == 4 else ""
        if shape[-1 if first else len(flat) - 2] in (1, 3):
            cure = f" Pass layout={'hwc' if first else 'chw'!r}."
    raise ValueError(f"`{name}` must have shape {rules}, C being 1 or 3; got {tuple(shape)}.{cure}")


def _to_array(image: Any, name: str, value_range: tuple[float, float], bits: int | None) -> Any:
    if not isinstance(image, torch.Tensor):
        if not isinstance(image, np.ndarray):
            raise TypeError(
                f"`{name}` must be a tensor or a NumPy array; got {type(image).__name__}. Convert "
                "it with np.asarray."
            )
        return image
    if image.is_nested:
        raise TypeError(
            f"`{name}` must be one dense tensor; got a nested one. Use "
            f"[EnhanceTransform()(image) for image in {name}.unbind()]."
        )
    if image.device.type != "cpu":
        raise TypeError(f"`{name}` must lie on the CPU; got {image.device}. Use `.cpu()`.")
    if image.layout is not torch.strided:
        raise TypeError(f"`{name}` must be dense; got {image.layout}. Use `.to_dense()`.")
    dtype = str(image.dtype).removeprefix("torch.")
    if image.dtype.is_floating_point:
        check_precision(dtype, value_range, bits_of(value_range, bits), name, TORCH)
        image = image if image.dtype == torch.float64 else image.float()
    elif image.dtype not in _LEVELS:
        raise TypeError(
            f"`{name}` must have dtype uint8, uint16, float32 or float64; got {dtype}."
            f"{_dtype_cure(image, name)}"
        )
    return image.detach().as_subclass(torch.Tensor).numpy()


def _dtype_cure(image: Any, name: str) -> str:
    if image.dtype == torch.bool:
        return f" Use {name}.to(torch.uint8) * 255."
    if image.dtype == torch.int16 and image.numel() and int(image.min()) < 0:
        return f" For 16 bits that were read with a sign, use {name}.view(torch.uint16)."
    if image.dtype.is_complex or image.is_quantized:
        return ""
    return f" For values 0..255, use {name}.to(torch.uint8); for 0..65535, {name}.to(torch.uint16)."


def _through_levels(
    function: Callable[[Any], Any],
    array: Any,
    transform: EnhanceTransform | EnhanceBatch,
    name: str,
    image: Any,
) -> Any:
    suggestions = TORCH if isinstance(image, torch.Tensor) else NUMPY
    bits = transform.params.bits
    return through_levels(
        function, array, transform.value_range, bits=bits, name=name, suggestions=suggestions
    )


def _like(result: Any, image: Any) -> Any:
    if not isinstance(image, torch.Tensor):
        return result
    tensor = torch.from_numpy(result).to(image.dtype)
    return tensor if type(image) is torch.Tensor else tensor.as_subclass(type(image))


def _options(transform: Any) -> str:
    options = f"layout={transform.layout!r}"
    if transform.value_range != DEFAULTS["torch"]:
        options += f", value_range={transform.value_range!r}"
    return options
