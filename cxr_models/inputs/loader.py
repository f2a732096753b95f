"""Loading of image files as arrays of one size, on all CPUs, and a cache of these arrays on disk.

The pipeline and every other module that needs the same pixels use this module. It imports no
framework.
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
from cxr_enhance.io.atomic import replace_atomically
from cxr_enhance.io.samples import file_behind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from cxr_enhance import Transform
    from cxr_models.config import DataConfig

    Images = npt.NDArray[np.uint8]

_CHUNK = 64  # number of images read between two reports of progress


class ImageLoader:
    """Loader that reads image files and prepares them as a batch for a model.

    Parameters
    ----------
    config : DataConfig
        Settings of the images: size, fit, border, order and enhancement.

    Notes
    -----
    Batches are uint8. Their shape is (N, H, W, 1) with enhancement, and (N, H, W, 3), RGB, without
    it. Each image is prepared by `cxr_enhance.prepare`. Images of 16 bits are enhanced in 16 bits
    and then converted to 8 bits: white (65,535, or the white of ``enhance.bits``) becomes 255, with
    rounding. Images are resized with the bilinear method of OpenCV. The default ``fit``, as in the
    study, does not keep the aspect ratio. Error messages contain the path of the file.
    """

    def __init__(self, config: DataConfig) -> None:
        self._preparation = config.preparation
        self.shape = (*config.image_size, config.channels)

    def __call__(self, paths: Sequence[str]) -> Images:
        """Return the images of `paths`, of shape (N, H, W, C); threads on all CPUs read them."""
        out = np.empty((len(paths), *self.shape), np.uint8)

        def load(index: int) -> None:
            out[index] = self.load(paths[index])

        with ThreadPoolExecutor(max(min(usable_cpus(), len(paths)), 1)) as pool:
            list(pool.map(load, range(len(paths))))  # raises the first failure
        return out

    def with_transforms(self, paths: Sequence[str]) -> tuple[Images, tuple[Transform, ...]]:
        """Return the images of `paths`, and for each the transform from its file to its pixels."""
        with ThreadPoolExecutor(max(min(usable_cpus(), len(paths)), 1)) as pool:
            images, transforms = zip(*pool.map(self.load_with_transform, paths), strict=True)
        return np.stack(images), transforms

    def load(self, path: str) -> Images:
        """Return the image of `path`, of shape (H, W, C)."""
        return self.load_with_transform(path)[0]

    def load_with_transform(self, path: str) -> tuple[Images, Transform]:
        """Return the image of `path`, and the transform from the file to its pixels."""
        image = cxr_enhance.read_image(path)
        with errors_name_file(path):
            return self.prepare_with_transform(image)

    def prepare(self, image: Any) -> Images:
        """Prepare an image from `cxr_enhance.read_image`; the result has shape (H, W, C)."""
        return self.prepare_with_transform(image)[0]

    def prepare_with_transform(self, image: Any) -> tuple[Images, Transform]:
        """Prepare an image, and return the transform from the image to the result, too."""
        with _opencvs_own_code():
            image, transform = cxr_enhance.prepare(image, self._preparation)
        if self._preparation.params is None and image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=-1)
        return image.reshape(self.shape), transform


@contextlib.contextmanager
def errors_name_file(path: str) -> Iterator[None]:
    """Add the path of a file to errors within the block, where settings do not fit its image.

    The settings of a trained run cannot be changed, so errors also state whose options they name.
    """
    try:
        yield
    except (TypeError, ValueError, cv2.error) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        settings = "Options are settings of the run (data.enhance)."
        raise kind(f"{error} {settings} File: {path!r}.") from error


@contextlib.contextmanager
def _opencvs_own_code() -> Iterator[None]:
    """Switch off IPP in OpenCV within the block.

    IPP rounds 16-bit images differently from OpenCV, and exists on x86 only. The switch applies to
    the current thread and is restored at the end.
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
    """Return a hash of the settings and of the paths, sizes and modification times of the files.

    The pixels of the prepared images depend on nothing else.
    """
    settings: dict[str, object] = {
        "size": config.image_size,
        "order": config.order,
        "enhance": None if config.enhance is None else config.enhance.to_dict(),
        "version": cxr_enhance.__version__,
    }
    if config.fit != "squash":  # default values are not hashed, so old caches keep their names
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
    """Return the prepared images of `paths` from a cache on disk, and write the cache first if new.

    Parameters
    ----------
    config : DataConfig
        Settings of the images; see `ImageLoader`.
    paths : sequence of str
        Paths of N image files.
    folder : str or PathLike
        Folder of the cache. It is created if it does not exist. Each combination of settings and
        files has its own file in it.
    progress : callable, optional
        Function that is called with the number of images read since the last call. None reports
        nothing.

    Returns
    -------
    ndarray of shape (N, H, W, C), dtype uint8
        The images, memory-mapped from the cache file; read-only.

    Raises
    ------
    ValueError
        If an image cannot be decoded.
    OSError
        If a file cannot be read or the cache cannot be written.
    """
    folder = Path(folder)
    path = folder / f"images-{cache_key(config, paths)}.npy"
    images = _mapped(path)
    if images is None:
        folder.mkdir(parents=True, exist_ok=True)
        load = ImageLoader(config)
        shape = (len(paths), *load.shape)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        # Images are written, not assigned to a memory map: a full disk then raises an error
        # instead of killing the process.
        with replace_atomically(path) as temporary, temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(paths), _CHUNK):
                part = paths[start : start + _CHUNK]
                file.write(load(part).data)
                if progress is not None:
                    progress(len(part))
        images = np.load(path, mmap_mode="r")
    return images


def _mapped(path: Path) -> Images | None:
    """Return the memory-mapped images of a file; None if it does not exist or is incomplete."""
    try:
        return np.load(path, mmap_mode="r")  # type: ignore[no-any-return]
    except (FileNotFoundError, ValueError, EOFError):
        return None
