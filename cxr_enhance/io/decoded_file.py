"""A file decoded with what `read_image` does not return: notes, polarity, padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_enhance.io.read import decode_image, read_if_image, read_start

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.decode import Decoded
    from cxr_enhance.io.options import ReadOptions


def decoded_file(path: str, options: ReadOptions) -> Decoded:
    """Decode the image file at `path`.

    Raises
    ------
    ValueError
        As `read_image`, with the file's name.
    OSError, ImportError, MemoryError
        As `read_image`.
    """
    try:
        data = read_if_image(path, options)
        return decode_image(read_start(path) if data is None else data, options)
    except ValueError as error:
        raise ValueError(f"{error} File: {path!r}.") from error
