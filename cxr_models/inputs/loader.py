"""Files to arrays of one size, enhanced or not, on all CPUs; and a cache of the result on disk.

Imports no framework: the pipeline calls it, and every other module that needs the same pixels.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import cxr_enhance
from cxr_enhance import usable_cpus
from cxr_enhance.io.atomic import replaces_whole
from cxr_enhance.io.samples import file_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from cxr_enhance import Transform
    from cxr_models.config import DataConfig

    Images = npt.NDArray[np.uint8]

_CHUNK = 64  # images read between two steps of progress


class ImageLoader:
    """A function from paths to a batch for a model.

    Parameters
    ----------
    config : DataConfig
        Size, fit, border, order and enhancement are taken from it.

    Notes
    -----
    Gives uint8 of shape (N, H, W, 1), or RGB of shape (N, H, W, 3) without enhancement. Each image
    is prepared by `cxr_enhance.prepare`. Sixteen bits are enhanced as such and then become eight:
    white (65,535, or the white of ``enhance.bits``) becomes 255, rounded. Images are resized with
    OpenCV's bilinear method; the study does not keep the aspect. Errors name the file.
    """

    def __init__(self, config: DataConfig) -> None:
        self._preparation = config.preparation
        self.shape = (*config.image_size, config.channels)

    def __call__(self, paths: Sequence[str]) -> Images:
        """Return the images of `paths`, read on all CPUs."""
        out = np.empty((len(paths), *self.shape), np.uint8)

        def load(index: int) -> None:
            out[index] = self.load(paths[index])

        with ThreadPoolExecutor(max(min(usable_cpus(), len(paths)), 1)) as pool:
            list(pool.map(load, range(len(paths))))  # raises the first failure
        return out

    def with_transforms(self, paths: Sequence[str]) -> tuple[Images, tuple[Transform, ...]]:
        """Return the images of `paths`, and where the pixels of each come from."""
        with ThreadPoolExecutor(max(min(usable_cpus(), len(paths)), 1)) as pool:
            images, transforms = zip(*pool.map(self.load_with_transform, paths), strict=True)
        return np.stack(images), transforms

    def load(self, path: str) -> Images:
        """Return the image of `path`, of shape (H, W, C)."""
        return self.load_with_transform(path)[0]

    def load_with_transform(self, path: str) -> tuple[Images, Transform]:
        """Return the image of `path`, and where its pixels come from."""
        image = cxr_enhance.read_image(path)
        try:
            return self.prepare_with_transform(image)
        except (TypeError, ValueError) as error:  # settings that do not fit this image
            raise type(error)(f"{error} File: {path!r}.") from error

    def prepare(self, image: Any) -> Images:
        """Prepare an image that `cxr_enhance.read_image` returned; the shape is (H, W, C)."""
        return self.prepare_with_transform(image)[0]

    def prepare_with_transform(self, image: Any) -> tuple[Images, Transform]:
        """Return a prepared image, and where its pixels come from."""
        with _opencvs_own_code():
            image, transform = cxr_enhance.prepare(image, self._preparation)
        if self._preparation.params is None and image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=-1)
        return image.reshape(self.shape), transform


@contextlib.contextmanager
def _opencvs_own_code() -> Iterator[None]:
    """Keep OpenCV from handing work to IPP, which rounds 16 bits otherwise and is in x86 alone.

    The switch belongs to the thread and is restored.
    """
    if not hasattr(cv2, "ipp") or not cv2.ipp.useIPP():
        yield
        return
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(True)


def cache_key(config: DataConfig, paths: Sequence[str]) -> str:
    """Hash all that the pixels depend on: settings, files, their sizes and times of change."""
    settings: dict[str, object] = {
        "size": config.image_size,
        "order": config.order,
        "enhance": None if config.enhance is None else config.enhance.to_dict(),
        "version": cxr_enhance.__version__,
    }
    if config.fit != "squash":  # older caches keep their names
        settings["fit"] = config.fit
    if config.crop_border:
        settings["crop_border"] = True
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in paths:
        status = os.stat(file_behind(path))
        digest.update(f"{os.path.abspath(path)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]


def cached_images(
    config: DataConfig,
    paths: Sequence[str],
    folder: str | os.PathLike[str],
    *,
    progress: Callable[[int], object] | None = None,
) -> Images:
    """Return the images of `paths` from a cache, which is made if need be.

    Parameters
    ----------
    config : DataConfig
        See `ImageLoader`.
    paths : sequence of str
        Files.
    folder : str or PathLike
        Folder of the cache; made if need be. Other settings or files go to files of their own.
    progress : callable, optional
        Called with the number of images read, every now and then.

    Returns
    -------
    ndarray of shape (N, H, W, C), dtype uint8
        Mapped from the file, not loaded; read-only.

    Raises
    ------
    ValueError
        If an image cannot be read.
    OSError
        If a file cannot be read or the cache not be written.
    """
    folder = Path(folder)
    path = folder / f"images-{cache_key(config, paths)}.npy"
    images = _mapped(path)
    if images is None:
        folder.mkdir(parents=True, exist_ok=True)
        load = ImageLoader(config)
        shape = (len(paths), *load.shape)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        # Written and not mapped: a full disk then raises an error, and does not end the process.
        with replaces_whole(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(paths), _CHUNK):
                part = paths[start : start + _CHUNK]
                file.write(load(part).data)
                if progress is not None:
                    progress(len(part))
        images = np.load(path, mmap_mode="r")
    return images


def _mapped(path: Path) -> Images | None:
    """Map the images in a file; None where there is no file, or its end is missing."""
    try:
        return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]
    except (FileNotFoundError, ValueError, EOFError):
        return None
