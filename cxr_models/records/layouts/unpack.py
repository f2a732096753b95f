"""Images that are not stored as image files, written as PNG beside the manifest."""

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
    """Writes images into a folder and replaces no file.

    Parameters
    ----------
    folder : Path or None
        Folder of the images; the first image creates it. None refuses to unpack.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def file(self, name: str, make: Callable[[], Pixels]) -> str:
        """Return the path of an image, which is written unless it exists.

        Parameters
        ----------
        name : str
            Name of the file, with its suffix ``.png``.
        make : callable
            Makes the pixels.

        Raises
        ------
        ValueError
            If there is no folder, or another image has that name.
        OSError
            If it cannot be written.
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
