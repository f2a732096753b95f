"""Picklable callables for PyTorch: one image in a transform pipeline, or a batch when collated."""

from __future__ import annotations

import contextlib
import copy
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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DTYPES = {torch.uint8: np.uint8, torch.uint16: np.uint16}


class EnhanceTransform:
    """Enhance one image as `cxr_enhance.enhance` would; a step of a torchvision v2 pipeline.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None takes the study's.
    layout : {"chw", "hwc"}, optional
        Where channels stand. None: first in tensors, last in arrays, as torchvision has them.

    Raises
    ------
    TypeError
        If `params` has the wrong type, or an image is neither a tensor nor an array, lies on
        another device than the CPU, or is not uint8 or uint16.
    ValueError
        If `layout` or the shape of an image is out of range.

    Notes
    -----
    Takes tensors and arrays of shape (H, W), (C, H, W) or (H, W, C), C 1 or 3, and returns the
    same kind with one channel, or three if ``params.output`` is "rgb"; (H, W) stays (H, W) if it
    is not. The input is not modified. Subclasses of tensors are kept. Needs no torchvision; fits
    its ``v2.Compose`` where that is given the image alone.

    Picklable and without state, so it runs in workers of a DataLoader, forked or spawned, and
    runs on one thread in each.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> from cxr_enhance.adapters.torch_transform import EnhanceTransform
    >>> EnhanceTransform()(torch.zeros((3, 64, 64), dtype=torch.uint8)).shape
    torch.Size([1, 64, 64])
    """

    def __init__(self, params: EnhanceParams | None = None, *, layout: str | None = None) -> None:
        cxr_enhance.enhance_batch([], params)  # raises unless `params` are such
        _check_layout(layout)
        self.params = params or EnhanceParams()
        self.layout = layout

    def __call__(self, image: Any) -> Any:
        """Return the enhanced image."""
        array = _to_array(image, "image")
        first = _channels_first(image, self.layout)
        _check_shape(array.shape, "image", ("H", "W"), first=first)
        if array.ndim == 3 and first:
            array = array.transpose(1, 2, 0)
        flat = array.ndim == 2
        result = cxr_enhance.enhance(array, self.params)
        if result.ndim == 2 and not flat:
            result = result[..., None]
        if result.ndim == 3 and first:
            result = np.ascontiguousarray(result.transpose(2, 0, 1))
        return _like(result, image)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.params!r}, layout={self.layout!r})"


class EnhanceBatch:
    """Enhance a batch of equal images as `cxr_enhance.enhance_batch` would.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None takes the study's.
    layout : {"chw", "hwc"}, optional
        Where channels stand. None: before the sizes in tensors, last in arrays.
    num_threads : int, optional
        Threads that share a batch. None takes every CPU this process may use; in the workers of
        a DataLoader say 1.

    Raises
    ------
    TypeError
        As `EnhanceTransform`.
    ValueError
        If an option or the shape of a batch is out of range.

    Notes
    -----
    Takes (N, H, W), (N, C, H, W) or (N, H, W, C), C 1 or 3; otherwise as `EnhanceTransform`.
    """

    def __init__(
        self,
        params: EnhanceParams | None = None,
        *,
        layout: str | None = None,
        num_threads: int | None = None,
    ) -> None:
        cxr_enhance.enhance_batch([], params, num_threads=num_threads)
        _check_layout(layout)
        self.params = params or EnhanceParams()
        self.layout = layout
        self.num_threads = num_threads

    def __call__(self, images: Any) -> Any:
        """Return the enhanced batch."""
        array = _to_array(images, "images")
        first = _channels_first(images, self.layout)
        _check_shape(array.shape, "images", ("N", "H", "W"), first=first)
        if array.ndim == 4 and first:
            array = array.transpose(0, 2, 3, 1)
        # Three sizes are a batch here, however narrow its images; the library would have to guess.
        flat = array.ndim == 3
        array = array[..., None] if flat else array
        result = cxr_enhance.enhance_batch(array, self.params, num_threads=self.num_threads)
        if result.ndim == 3:
            result = result[..., None]
        if flat and self.params.output == "gray":
            result = result[..., 0]
        if result.ndim == 4 and first:
            result = np.ascontiguousarray(result.transpose(0, 3, 1, 2))
        return _like(result, images)

    def __repr__(self) -> str:
        options = f"layout={self.layout!r}, num_threads={self.num_threads!r}"
        return f"{type(self).__name__}({self.params!r}, {options})"


class EnhanceCollate:
    """Collate samples and enhance their images together: a `collate_fn` for a DataLoader.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None takes the study's.
    images : int or str or None, default 0
        Where the images stand in a collated batch: the place in a tuple, the key of a dictionary,
        or None where samples are images.
    layout : {"chw", "hwc"}, optional
        As in `EnhanceBatch`.
    num_threads : int, default 1
        Threads that share a batch; workers of a DataLoader are many already.
    collate_fn : callable, optional
        From samples to a batch; None takes torch's `default_collate`.

    Raises
    ------
    TypeError
        As `EnhanceTransform`.
    ValueError
        If an option or the shape of a batch is out of range.

    Notes
    -----
    Images of a batch must have one size, unless `collate_fn` sees to that.
    """

    def __init__(
        self,
        params: EnhanceParams | None = None,
        *,
        images: int | str | None = 0,
        layout: str | None = None,
        num_threads: int = 1,
        collate_fn: Callable[[Sequence[Any]], Any] | None = None,
    ) -> None:
        self.enhance = EnhanceBatch(params, layout=layout, num_threads=num_threads)
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
    """Check before anything is transposed, so that the shape shown is the one that came."""
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


def _to_array(image: Any, name: str) -> Any:
    if not isinstance(image, torch.Tensor):
        if not isinstance(image, np.ndarray):
            raise TypeError(
                f"`{name}` must be a tensor or a NumPy array; got {type(image).__name__}. Convert "
                "it with np.asarray."
            )
        return image
    if image.device.type != "cpu":
        raise TypeError(f"`{name}` must lie on the CPU; got {image.device}. Use `.cpu()`.")
    if image.layout is not torch.strided:
        raise TypeError(f"`{name}` must be dense; got {image.layout}. Use `.to_dense()`.")
    if image.dtype not in _DTYPES:
        cure = ""
        if image.dtype.is_floating_point:
            cure = " For values 0..1, use (image * 255).round().to(torch.uint8)."
        raise TypeError(f"`{name}` must have dtype uint8 or uint16; got {image.dtype}.{cure}")
    return image.detach().as_subclass(torch.Tensor).numpy()


def _like(result: Any, image: Any) -> Any:
    if not isinstance(image, torch.Tensor):
        return result
    tensor = torch.from_numpy(result)
    return tensor if type(image) is torch.Tensor else tensor.as_subclass(type(image))
