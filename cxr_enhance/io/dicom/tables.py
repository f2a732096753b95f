"""Modality LUT, VOI LUT and polarity as one table over the stored words, evaluated once.

The arithmetic is that of pydicom's ``apply_modality_lut`` and ``apply_voi_lut``, in its order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.header import DicomHeader, Table, Window

Voi: TypeAlias = Literal["auto", "window", "lut", "none"]
_AT_A_TIME = 1 << 14  # words whose indices stay in the cache


def display_table(header: DicomHeader, voi: Voi, notes: list[str]) -> Image | None:
    """Map every word that a pixel may hold to what is shown; None where nothing changes.

    Returns
    -------
    ndarray of 256 or 65,536 entries, dtype uint8 or uint16, or None
        The range that the header allows, such as 0..4095 of 12 bits or -1024..3071 of 12 bits
        with an intercept, goes to 0..2**bits - 1; bits beyond the stored ones are ignored.
    """
    values, low, high = _modality(header)
    bits = header.bits_stored
    if header.modality_table is not None:
        bits = header.modality_table.bits
    table, window = _chosen(header, voi, notes)
    if table is not None:
        values = _look_up(values, table)
        low, high, bits = 0.0, float(2**table.bits - 1), table.bits
    elif window is not None:
        values = _windowed(values, window, low, high)
    levels = 2**bits - 1
    shown = np.rint((values - min(low, high)) * (levels / abs(high - low)))
    result = np.clip(shown, 0, levels).astype(np.uint8 if bits <= 8 else np.uint16)
    if header.photometric == "MONOCHROME1":
        result = (levels - result).astype(result.dtype)
    same_type = result.itemsize * 8 == header.bits_allocated
    return None if same_type and (result == np.arange(result.size)).all() else result


def apply_table(table: Image, words: Image) -> Image:
    """Look each word up; ``table[words]``, several times faster."""
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
    indices = np.empty(_AT_A_TIME, np.intp)
    for start in range(0, source.size, _AT_A_TIME):
        part = source[start : start + _AT_A_TIME]
        indices[: part.size] = part
        np.take(table, indices[: part.size], out=target[start : start + part.size], mode="clip")
    return result


def _stored_values(header: DicomHeader) -> npt.NDArray[np.int64]:
    """Value of every word: the stored bits alone, with their sign."""
    words = np.arange(1 << header.bits_allocated, dtype=np.int64)
    values = (words >> (header.high_bit + 1 - header.bits_stored)) & ((1 << header.bits_stored) - 1)
    if header.signed:
        sign = 1 << (header.bits_stored - 1)
        values = (values ^ sign) - sign
    return values


def _modality(header: DicomHeader) -> tuple[npt.NDArray[np.float64], float, float]:
    """Values after the modality LUT, with their least and greatest possible."""
    values = _stored_values(header)
    if header.modality_table is not None:
        bits = header.modality_table.bits
        return _look_up(values, header.modality_table), 0.0, float(2**bits - 1)
    half = 1 << (header.bits_stored - 1)
    low, high = (-half, half - 1) if header.signed else (0, 2 * half - 1)
    result = values.astype(np.float64)
    if header.rescale is None:
        return result, float(low), float(high)
    slope, intercept = header.rescale
    return result * slope + intercept, low * slope + intercept, high * slope + intercept


def _chosen(header: DicomHeader, voi: Voi, notes: list[str]) -> tuple[Table | None, Window | None]:
    table = header.voi_table if voi in ("auto", "lut") else None
    window = header.window if voi in ("auto", "window") and table is None else None
    if voi in ("window", "lut") and table is None and window is None:
        notes.append(f"no usable VOI {voi}; shown over the whole range")
    return table, window


def _look_up(values: npt.NDArray[np.number], table: Table) -> npt.NDArray[np.float64]:
    entries: npt.NDArray[np.float64] = np.array(table.values, np.float64)
    # Truncation of rescaled values is pydicom's: it assigns floats to an array of integers.
    places = np.clip(values - table.first, 0, len(entries) - 1).astype(np.int64)
    result: npt.NDArray[np.float64] = entries[places]
    return result


def _windowed(
    values: npt.NDArray[np.float64], window: Window, low: float, high: float
) -> npt.NDArray[np.float64]:
    center, width, span = window.center, window.width, high - low
    if window.function == "SIGMOID":
        with np.errstate(over="ignore"):  # exp overflows to infinity, whose reciprocal is right
            return np.asarray(span / (1 + np.exp(-4 * (values - center) / width)) + low)
    if window.function == "LINEAR":
        center, width = center - 0.5, width - 1
    below, above = values <= center - width / 2, values > center + width / 2
    between = ~below & ~above
    result = np.where(below, low, high)
    if between.any():
        result[between] = ((values[between] - center) / width + 0.5) * span + low
    return result
