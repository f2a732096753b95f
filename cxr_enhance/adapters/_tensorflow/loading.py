"""A batch of image files to a batch of enhanced images of one size, on several threads."""

from __future__ import annotations

import importlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
from cxr_enhance import EnhanceParams
from cxr_enhance._engine.cpu import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_enhance._types import Image

_LOG = logging.getLogger("cxr_enhance")
_CHOICES = {
    "on_error": ("raise", "skip", "zeros"),
    "resize": ("after", "before"),
    "interpolation": ("nearest", "linear", "cubic", "area"),
    "dtype": ("uint8", "uint16"),
}


class Loader:
    """Call it with N file names or contents; see `load_and_enhance_op` for the options."""

    def __init__(
        self,
        size: tuple[int, int],
        params: EnhanceParams | None,
        *,
        encoded: bool,
        on_error: str,
        resize: str,
        interpolation: str,
        dtype: str,
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
        self._height, self._width = _check_size(size)
        self._params = params
        self._encoded = encoded
        self._on_error = on_error
        self._resize_first = resize == "before"
        self._dtype = np.dtype(dtype)
        self._threads = num_threads or usable_cpus()
        self._cv2 = _load_cv2()
        self._interpolation = getattr(self._cv2, f"INTER_{interpolation.upper()}")
        self.shape = (self._height, self._width, 3 if params.output == "rgb" else 1)

    def __call__(self, sources: Sequence[bytes]) -> tuple[Image, np.ndarray[Any, Any]]:
        """Return the images and which of `sources` could be used."""
        images = np.zeros((len(sources), *self.shape), self._dtype)
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
        if self._resize_first:
            image = self._resize(image)
        image = cxr_enhance.enhance(image, self._params)
        if not self._resize_first:
            image = self._resize(image)
        return self._convert(image).reshape(self.shape)

    def _resize(self, image: Image) -> Image:
        if image.shape[:2] == (self._height, self._width):
            return image
        size_wh = (self._width, self._height)
        return self._cv2.resize(image, size_wh, interpolation=self._interpolation)  # type: ignore[no-any-return]

    def _convert(self, image: Image) -> Image:
        if image.dtype == self._dtype:
            return image
        if self._dtype == np.uint16:
            return image.astype(np.uint16) * np.uint16(257)
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _check_size(size: object) -> tuple[int, int]:
    rule = "`size` must be two positive ints (height, width)"
    if not isinstance(size, tuple | list) or not all(type(side) is int for side in size):
        raise TypeError(f"{rule}; got {size!r}.")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"{rule}; got {size!r}.")
    return size[0], size[1]


def _load_cv2() -> Any:
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        raise ImportError(
            "OpenCV is needed to load and resize image files. "
            'Install it with: pip install "cxr-enhance[cli]"'
        ) from error
