"""Load a batch of image files as enhanced images of one size, on several threads."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

import cxr_enhance
from cxr_enhance import EnhanceParams, Preparation
from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance._types import Image
    from cxr_enhance.preparation.options import DType, Fit, Interpolation

Resize: TypeAlias = Literal["after", "before"]

_LOG = logging.getLogger("cxr_enhance")
_CHOICES = {
    "on_error": ("raise", "skip", "zeros"),
    "resize": ("after", "before"),
    "interpolation": ("nearest", "linear", "cubic", "area"),
    "dtype": ("uint8", "uint16"),
}


class Loader:
    """Callable that loads N files; it takes N file names, or N file contents.

    See `cxr_enhance.adapters.tf_data.load_and_enhance_op` for the options.
    """

    def __init__(
        self,
        size: tuple[int, int],
        params: EnhanceParams | None,
        *,
        encoded: bool,
        on_error: str,
        resize: Resize,
        interpolation: Interpolation,
        dtype: DType,
        fit: Fit,
        crop_border: bool,
        num_threads: int | None,
    ) -> None:
        cxr_enhance.enhance_batch([], params, num_threads=num_threads)
        params = params or EnhanceParams()
        if params.channel_order != "rgb":
            raise ValueError("`params.channel_order` must be 'rgb', the order read; got 'bgr'.")
        given = {
            "on_error": on_error,
            "resize": resize,
            "interpolation": interpolation,
            "dtype": dtype,
        }
        for name, value in given.items():
            if not isinstance(value, str) or value not in _CHOICES[name]:
                choices = ", ".join(map(repr, _CHOICES[name]))
                raise ValueError(f"`{name}` must be one of {choices}; got {value!r}.")
        if not isinstance(encoded, bool):
            raise TypeError(f"`encoded` must be a bool; got {encoded!r}.")
        self._preparation = Preparation(
            params=params,
            size=size,
            fit=fit,
            crop_border=crop_border,
            order="resize-first" if resize == "before" else "enhance-first",
            interpolation=interpolation,
            dtype=dtype,
        )
        height, width = size
        self.shape = (height, width, 3 if params.output == "rgb" else 1)
        self._encoded = encoded
        self._on_error = on_error
        self._threads = num_threads or usable_cpus()
        load_cv2()  # raises here, before the first file, if OpenCV is missing

    def __call__(self, sources: Sequence[bytes]) -> tuple[Image, np.ndarray[Any, Any]]:
        """Return the images, and a bool array that is True for each usable item of `sources`."""
        images = np.zeros((len(sources), *self.shape), self._preparation.dtype)
        usable = np.zeros(len(sources), bool)

        def load(i: int) -> None:
            try:
                images[i] = self._load(sources[i])
            except (ValueError, OSError, MemoryError) as error:
                name = f"element {i}" if self._encoded else repr(os.fsdecode(sources[i]))
                if self._on_error == "raise":
                    raise ValueError(f"Cannot load {name}: {error}") from error
                _LOG.warning("Cannot load %s, %s: %s", name, self._consequence(), error)
            else:
                usable[i] = True

        with ThreadPoolExecutor(max(min(self._threads, len(sources)), 1)) as pool:
            list(pool.map(load, range(len(sources))))  # raises the first failure
        return (images[usable] if self._on_error == "skip" else images), usable

    def _consequence(self) -> str:
        return "left out" if self._on_error == "skip" else "zeros in its place"

    def _load(self, source: bytes) -> Image:
        image = cxr_enhance.read_image(source if self._encoded else os.fsdecode(source))
        return cxr_enhance.prepare(image, self._preparation).image.reshape(self.shape)
