"""Compute one table for modality LUT, VOI LUT or window, and polarity, over all stored words.

The arithmetic is that of the standard (PS3.3 C.11.1 and C.11.2) in binary64.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from cxr_enhance.io.dicom.grayscale import Window, stored_range
from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.header import DicomHeader
    from cxr_enhance.io.dicom.lookup import Table

Voi: TypeAlias = Literal["auto", "window", "lut", "none"]
_CHUNK = 1 << 14  # words whose indices fit the cache


def display_table(header: DicomHeader, voi: Voi, notes: list[str]) -> Image:
    """Map every word that a pixel may hold to the value that is shown.

    Returns
    -------
    ndarray of 256 or 65,536 entries, dtype uint8 or uint16
        The shown value of every word. The range that the header allows is mapped to
        0..2**bits - 1. It is 0..4095 for 12 bits, for instance, or -1024..3071 for 12 bits with an
        intercept. Bits outside the stored bits are ignored.
    """
    stored = stored_values(header)
    bits = shown_bits(header, voi)
    table, window = _chosen(header, voi, notes)
    if table is not None:
        shown = _look_up(_modality(header, stored), table)
    elif window is not None:
        shown = (2**bits - 1) * _windowed(_modality(header, stored), window)
    elif header.modality_table is not None:
        shown = _look_up(stored, header.modality_table)
    else:  # a rescale alone moves and stretches the range, and may reverse it
        low, high = stored_range(bits, signed=header.signed)
        falls = header.rescale is not None and header.rescale[0] < 0
        shown = (high - stored if falls else stored - low).astype(np.float64)
    levels = 2**bits - 1
    result = np.clip(np.rint(shown), 0, levels)
    if header.inverted:
        result = levels - result
    return result.astype(np.uint8 if bits <= 8 else np.uint16)


def with_window(header: DicomHeader, window: tuple[float, float]) -> DicomHeader:
    """Replace the header's window and VOI LUT by a given window (center, width).

    The VOI LUT Function stays that of the header.

    Raises
    ------
    ValueError
        If the width is less than 1 and the function is LINEAR, which divides by the width less 1.
    """
    center, width = window
    function = header.window_function
    if function == "LINEAR" and width < 1:
        raise ValueError(
            f"`window` must have a width of at least 1 for the VOI LUT Function LINEAR; got "
            f"{width:g}."
        )
    return dataclasses.replace(header, window=Window(center, width, function), voi_table=None)


def shown_bits(header: DicomHeader, voi: Voi) -> int:
    """Return the number of bits of the values that `display_table` maps to."""
    if header.voi_table is not None and voi in ("auto", "lut"):
        return header.voi_table.bits
    if header.modality_table is not None:
        return header.modality_table.bits
    return header.bits_stored


def changes_nothing(table: Image, words: Image) -> bool:
    """Return whether the table maps each word to itself."""
    return table.dtype == words.dtype and bool((table == np.arange(table.size)).all())


def apply_table(table: Image, words: Image) -> Image:
    """Return ``table[words]``, computed several times faster."""
    if words.dtype == np.uint8 == table.dtype:
        return load_cv2().LUT(words, table)  # type: ignore[no-any-return]
    if words.dtype == table.dtype == np.uint16:
        cv2 = load_cv2()
        try:
            return cv2.LUT(words, table.reshape(1, -1))  # type: ignore[no-any-return]
        except cv2.error:  # OpenCV before 5 has no table of 16 bits
            pass
    result = np.empty(words.shape, table.dtype)
    source, target = words.reshape(-1), result.reshape(-1)
    indices = np.empty(_CHUNK, np.intp)
    for start in range(0, source.size, _CHUNK):
        part = source[start : start + _CHUNK]
        indices[: part.size] = part
        np.take(table, indices[: part.size], out=target[start : start + part.size], mode="clip")
    return result


def stored_values(header: DicomHeader) -> npt.NDArray[np.int64]:
    """Return the stored value of every word: its stored bits, with their sign."""
    words = np.arange(1 << header.bits_allocated, dtype=np.int64)
    values = (words >> (header.high_bit + 1 - header.bits_stored)) & ((1 << header.bits_stored) - 1)
    if header.signed:
        sign = 1 << (header.bits_stored - 1)
        values = (values ^ sign) - sign
    return values


def _modality(header: DicomHeader, stored: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Apply the modality LUT or rescale."""
    if header.modality_table is not None:
        return _look_up(stored, header.modality_table)
    slope, intercept = header.rescale or (1.0, 0.0)
    return stored.astype(np.float64) * slope + intercept


def _chosen(header: DicomHeader, voi: Voi, notes: list[str]) -> tuple[Table | None, Window | None]:
    table = header.voi_table if voi in ("auto", "lut") else None
    window = header.window if voi in ("auto", "window") and table is None else None
    if voi in ("window", "lut") and table is None and window is None:
        notes.append(f"no usable VOI {voi}; shown over the whole range")
    return table, window


def _look_up(values: npt.NDArray[np.number], table: Table) -> npt.NDArray[np.float64]:
    entries: npt.NDArray[np.float64] = np.array(table.values, np.float64)
    # A value between two entries takes the lower entry, as in pydicom; the standard is silent.
    places = np.clip(values - table.first, 0, len(entries) - 1).astype(np.int64)
    result: npt.NDArray[np.float64] = entries[places]
    return result


def _windowed(values: npt.NDArray[np.float64], window: Window) -> npt.NDArray[np.float64]:
    """Apply a window; return fractions of the output range, 0..1, that never fall with `values`."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        with np.errstate(over="ignore"):  # exp overflows to infinity, whose reciprocal is right
            return np.asarray(1 / (1 + np.exp(-4 * (values - center) / width)))
    if window.function == "LINEAR":
        center, width = center - 0.5, width - 1
    below, above = values <= center - width / 2, values > center + width / 2
    between = ~below & ~above
    result = np.where(below, 0.0, 1.0)
    if between.any():
        result[between] = (values[between] - center) / width + 0.5
    return result
