"""Writing of images that a set does not store as image files, as PNG in a folder."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

import cxr_enhance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class Unpacker:
    """Writer of images into a folder; existing files are not replaced.

    Parameters
    ----------
    folder : Path or None
        Folder of the images. It is created with the first image. With None, `file` raises
        ValueError.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def file(self, name: str, make: Callable[[], Pixels]) -> str:
        """Write an image if its file does not exist, and return its absolute path.

        Parameters
        ----------
        name : str
            Name of the file, with the suffix ``.png``.
        make : callable
            Function without arguments that returns the pixels.

        Raises
        ------
        ValueError
            If there is no folder, or the file exists with other pixels.
        OSError
            If the file cannot be written.
        """
        if self._folder is None:
            raise ValueError(
                "`out` must be given for this set, whose images are written as PNG into a folder "
                "beside the manifest; got none."
            )
        path = self._folder / name
        pixels = functools.cache(make)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            cxr_enhance.write_image(path, pixels())
        elif not np.array_equal(cxr_enhance.read_image(path), pixels()):
            raise ValueError(
                f"`{path}` must not exist, or be what this command wrote; got another image. Move "
                "it, or choose another name for the manifest."
            )
        return str(path.absolute())
