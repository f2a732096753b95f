"""Write images to files atomically; the extension determines the format."""

from __future__ import annotations

import io
import operator
import os
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from cxr_enhance._validation import as_kernel_input, check_image
from cxr_enhance.io.atomic import write_atomically
from cxr_enhance.io.opencv import load_cv2
from cxr_enhance.io.options import check_name
from cxr_enhance.io.png import encode_png, load_isal

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io.png import FilterRows


class _Format(NamedTuple):
    name: str
    holds_uint16: bool
    max_side: int
    quality_flag: str | None  # OpenCV's name of the quality option, where there is one


_PNG = _Format("PNG", True, 1_000_000, None)
_NPY = _Format("NumPy", True, 2**31, None)
_TIFF = _Format("TIFF", True, 2**20, None)
_JPEG = _Format("JPEG", False, 65_500, "IMWRITE_JPEG_QUALITY")
_FORMATS = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".webp": _Format("WebP", False, 16_383, "IMWRITE_WEBP_QUALITY"),
    ".npy": _NPY,
}


def write_image(
    path: str | os.PathLike[str],
    image: Image,
    *,
    quality: int = 95,
    overwrite: bool = True,
) -> None:
    """Write an image to a file; the extension determines the format.

    Parameters
    ----------
    path : str or PathLike
        Name of the file. The extension is ``.png``, ``.tif`` or ``.tiff`` (lossless, 8 or 16 bits),
        ``.jpg``, ``.jpeg`` or ``.webp`` (lossy, 8 bits), or ``.npy`` (NumPy array). The folder must
        exist.
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or RGB image. Any strides and byte order; not modified.
    quality : int, default 95
        Quality of JPEG and WebP, 1..100. No effect on lossless formats.
    overwrite : bool, default True
        Whether an existing file may be replaced.

    Raises
    ------
    TypeError
        If `path` is not a name, or `image` is not a uint8 or uint16 array.
    ValueError
        If the extension is not one of these, the format cannot hold the image (uint16 in JPEG or
        WebP, a side too long), `quality` is out of range, or `path` is a device or pipe.
    FileExistsError
        If `path` exists and `overwrite` is false.
    OSError
        If the file cannot be written.
    ImportError
        If OpenCV is missing or cannot be loaded (not needed for ``.npy``).

    See Also
    --------
    read_image

    Notes
    -----
    The file is written to the folder of `path` under a temporary name and then renamed. A reader
    sees the old file or the new file, but no incomplete file. A failure leaves no temporary file. A
    new file gets the permissions that the umask allows; a replaced file keeps its permissions. A
    symbolic link is replaced, not followed. The data are not flushed to the disk (no fsync).
    Safe to call from several threads; encoding releases the GIL.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> from cxr_enhance import read_image, write_image
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scan.png"
    >>> write_image(path, np.full((48, 64), 4095, dtype=np.uint16))
    >>> read_image(path).dtype
    dtype('uint16')
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"`path` must be a file's name; got {type(path).__name__}.")
    check_name(path, "path")
    name = os.fsdecode(path)
    extension = os.path.splitext(name)[1].lower()
    if extension not in _FORMATS:
        raise ValueError(f"`path` must end in {_list_or(list(_FORMATS))}; got {name!r}.")
    pixels = as_kernel_input(check_image(image))
    file_format = _FORMATS[extension]
    _check_fits(pixels, file_format, by_command=False)
    quality = _check_quality(quality)
    if file_format is _NPY:
        write_atomically(name, lambda file: _save_array(file, pixels), overwrite=overwrite)
        return
    encoded = _encode(pixels, extension, file_format, quality)
    write_atomically(name, lambda file: file.write(encoded), overwrite=overwrite)


def encode_image(
    image: Image, extension: str, quality: int, filter_rows: FilterRows | None = None
) -> Any:
    """Encode `image` in the format of `extension`, with the same pixels as `write_image`.

    Errors name the options of commands.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or RGB image.
    extension : str
        Extension of a file's name, with its dot.
    quality : int
        Quality of JPEG and WebP, 1..100.
    filter_rows : callable or None
        Function that filters the rows of a PNG image, which ISA-L then compresses in a third of
        OpenCV's time. OpenCV encodes PNG if this is None or ISA-L is not installed.

    Returns
    -------
    bytes-like
        The content of the file; no other code holds a reference to it.
    """
    file_format = _FORMATS[extension]
    _check_fits(image, file_format, by_command=True)
    if file_format is _NPY:
        file = io.BytesIO()
        _save_array(file, image)
        return file.getbuffer()
    if file_format is _PNG and filter_rows is not None and load_isal() is not None:
        return encode_png(image, filter_rows)
    return _encode(image, extension, file_format, _check_quality(quality))


def _check_fits(image: Image, file_format: _Format, *, by_command: bool) -> None:
    """Refuse an image that a format cannot hold; the cure is for a command or for Python code."""
    if image.dtype == np.uint16 and not file_format.holds_uint16:
        cure = "Choose --format png." if by_command else _cure_of_depth(image)
        raise ValueError(
            f"`image` must have dtype uint8 for {file_format.name}; got uint16. {cure}"
        )
    side = max(image.shape[:2])
    if side > file_format.max_side:
        endings = (".png", ".npy") if by_command else (".tif", ".npy")
        larger = [ending for ending in endings if _FORMATS[ending].max_side >= side]
        cure = f"Write {' or '.join(larger)}."
        if by_command:
            cure = f"Choose --format {' or '.join(ending[1:] for ending in larger)}."
        raise ValueError(
            f"`image` must have at most {file_format.max_side} pixels a side for "
            f"{file_format.name}; got shape {image.shape}. {cure}"
        )


def _cure_of_depth(image: Image) -> str:
    """Return how to write 16 bits, or to reduce them: images of 16 bits often use fewer."""
    bits = int(image.max()).bit_length()
    reduced = f"(image >> {bits - 8}).astype(np.uint8)" if bits > 8 else "image.astype(np.uint8)"
    return f"Write .png or .tif, or reduce the {bits} bits that this image uses with {reduced}."


def _check_quality(quality: object) -> int:
    if isinstance(quality, bool) or not hasattr(quality, "__index__"):
        raise TypeError(f"`quality` must be an int; got {quality!r}.")
    value = operator.index(quality)
    if not 1 <= value <= 100:
        raise ValueError(f"`quality` must be from 1 to 100; got {quality!r}.")
    return value


def _encode(image: Image, extension: str, file_format: _Format, quality: int) -> Any:
    cv2 = load_cv2()
    pixels = image
    if image.ndim == 3:
        pixels = image[..., 0] if image.shape[2] == 1 else image[..., ::-1]
    flag = file_format.quality_flag
    options = [] if flag is None else [getattr(cv2, flag), quality]
    try:
        done, encoded = cv2.imencode(extension, np.ascontiguousarray(pixels), options)
    except cv2.error as error:
        done, reason = False, f": {error.err}"
    else:
        reason = ""
    if not done:
        raise ValueError(
            f"`image` must be one that OpenCV can write as {file_format.name}; got shape "
            f"{image.shape}, dtype {image.dtype}{reason}."
        )
    return encoded


def _save_array(file: BinaryIO, image: Image) -> None:
    """Write the bytes of `np.save`, whose errors on a full disk have no number and no name."""
    pixels = np.ascontiguousarray(image)
    header = np.lib.format.header_data_from_array_1_0(pixels)
    np.lib.format.write_array_header_1_0(file, header)
    file.write(pixels.data)


def _list_or(items: list[str]) -> str:
    return f"{', '.join(items[:-1])} or {items[-1]}"
