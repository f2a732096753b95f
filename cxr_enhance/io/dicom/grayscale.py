"""Read from a header how gray values are shown: rescale, tables, window, padding and polarity.

If these contradict each other, the range of values that the header allows decides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io.dicom.elements import MODALITY_LUT, VOI_LUT, tag_text
from cxr_enhance.io.dicom.lookup import read_table

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.lookup import Table
    from cxr_enhance.io.dicom.values import Values

_CENTER, _WIDTH, _WINDOW_FUNCTION = 0x00281050, 0x00281051, 0x00281056
_INTERCEPT, _SLOPE = 0x00281052, 0x00281053
_PADDING, _PADDING_LIMIT = 0x00280120, 0x00280121
_SHAPE = 0x20500020
_WORDS = 1 << 16  # a number written with the wrong sign differs from the right number by this
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_WITHOUT_SIGN = {"US": _WORDS, "UL": 1 << 32}


class Window(NamedTuple):
    """A VOI window."""

    center: float
    width: float
    function: str

    def overlaps(self, values: tuple[float, float]) -> bool:
        """Return whether the window overlaps the range `values`, (least, greatest)."""
        low, high = values
        return self.center - self.width / 2 <= high and self.center + self.width / 2 >= low


class Grayscale(NamedTuple):
    """The transforms from stored values to shown values, as the header states them."""

    rescale: tuple[float, float] | None
    modality_table: Table | None
    window: Window | None
    window_function: str  # VOI LUT Function; also used for a window that the caller chooses
    voi_table: Table | None
    padding: tuple[int, int] | None  # least and greatest stored value
    inverted: bool  # whether the least value is shown as white


def stored_range(bits: int, *, signed: bool) -> tuple[int, int]:
    """Return the least and the greatest value that `bits` bits hold."""
    half = 1 << (bits - 1)
    return (-half, half - 1) if signed else (0, 2 * half - 1)


def read_grayscale(
    values: Values, photometric: str, stored: tuple[int, int], *, signed: bool
) -> Grayscale:
    """Read the transforms of stored values in the range `stored`; repairs go to the notes."""
    is_last = VOI_LUT not in values.tables
    modality_table = _table(values, MODALITY_LUT, stored, signed=signed, is_last=is_last)
    rescale, window = _rescale(values, stored), _window(values)
    if modality_table is not None:
        value_range: tuple[float, float] = (0.0, float(2**modality_table.bits - 1))
    else:
        if rescale is not None and window is not None:
            rescale = _signed_intercept(values, rescale, window, stored)
            rescale = _shown_by(values, rescale, window, stored)
        value_range = rescaled_range(stored, rescale)
    if window is not None:
        window = _signed_center(values, window, value_range)
    return Grayscale(
        rescale=rescale,
        modality_table=modality_table,
        window=window,
        window_function=_window_function(values),
        voi_table=_table(values, VOI_LUT, value_range, signed=signed, is_last=True),
        padding=_padding(values, stored, signed=signed),
        inverted=_inverted(values, photometric),
    )


def rescaled_range(
    stored: tuple[int, int], rescale: tuple[float, float] | None
) -> tuple[float, float]:
    """Return the least and the greatest value after a rescale."""
    slope, intercept = rescale or (1.0, 0.0)
    ends = [value * slope + intercept for value in stored]
    return min(ends), max(ends)


def _table(
    values: Values, tag: int, inputs: tuple[float, float], *, signed: bool, is_last: bool
) -> Table | None:
    item = values.tables.get(tag)
    if item is None:
        return None
    name = "VOI LUT" if tag == VOI_LUT else "Modality LUT"
    order, note = values.order, values.note
    return read_table(item, order, name, inputs, note, signed=signed, is_last=is_last)


def _rescale(values: Values, stored: tuple[int, int]) -> tuple[float, float] | None:
    slope, intercept = _signed(values, _SLOPE), _signed(values, _INTERCEPT)
    if slope is None or intercept is None:
        if (slope is None) != (intercept is None):
            values.note("Rescale Slope or Intercept missing; rescale left out")
        return None
    low, high = rescaled_range(stored, (slope, intercept))
    if low == high or not math.isfinite(high - low):
        beside = "" if slope == 0 else f" with Intercept {intercept:g}"
        values.note(f"Rescale Slope {slope:g}{beside}; rescale left out")
        return None
    return slope, intercept


def _signed(values: Values, tag: int) -> float | None:
    """Read a number; undo an unsigned VR over a negative number."""
    value = values.real(tag)
    words = None if value is None else _WITHOUT_SIGN.get(values.by_tag[tag].vr)
    if value is None or words is None or value < words // 2:
        return value
    values.note(f"{tag_text(tag)} taken as {value - words:g}")
    return value - words


def _signed_intercept(
    values: Values, rescale: tuple[float, float], window: Window, stored: tuple[int, int]
) -> tuple[float, float]:
    slope, intercept = rescale
    other = (slope, intercept - _WORDS)
    if (
        not _WORDS // 2 <= intercept < _WORDS
        or window.overlaps(rescaled_range(stored, rescale))
        or not window.overlaps(rescaled_range(stored, other))
    ):
        return rescale
    values.note(f"Rescale Intercept {intercept:g} is beyond the window; taken as {other[1]:g}")
    return other


def _shown_by(
    values: Values, rescale: tuple[float, float], window: Window, stored: tuple[int, int]
) -> tuple[float, float] | None:
    """Drop a rescale after which the window shows one gray level, or only black and white."""
    slope, levels = abs(rescale[0]), stored[1] - stored[0]
    is_flat = slope * levels * levels < window.width
    is_steep = slope > max(window.width, 1.0)
    shows_grays_without = window.overlaps(stored) and window.width * 256 >= levels
    if not (is_flat or is_steep) or not shows_grays_without:
        return rescale
    values.note(
        f"Rescale Slope {rescale[0]:g} leaves a window of width {window.width:g} no grays; rescale "
        "left out"
    )
    return None


def _signed_center(values: Values, window: Window, value_range: tuple[float, float]) -> Window:
    if window.overlaps(value_range):
        return window
    other = window._replace(center=window.center - _WORDS)
    if _WORDS // 2 <= window.center < _WORDS and other.overlaps(value_range):
        values.note(f"Window Center {window.center:g} is beyond all values; taken as that less "
                    f"{_WORDS}")  # fmt: skip
        return other
    values.note(f"window of center {window.center:g} and width {window.width:g} beyond all values")
    return window


def _window(values: Values) -> Window | None:
    center, width = values.real(_CENTER), values.real(_WIDTH)
    if center is None or width is None:
        if _CENTER in values.by_tag or _WIDTH in values.by_tag:
            values.note("Window Center or Width missing or no number; window left out")
        return None
    stated, function = values.text(_WINDOW_FUNCTION), _window_function(values)
    if stated and stated != function:
        values.note(f"VOI LUT Function {stated!r} unknown; taken as {function}")
    if width < 1 if function == "LINEAR" else width <= 0:
        values.note(f"Window Width {width:g}; window left out")
        return None
    return Window(center, width, function)


def _window_function(values: Values) -> str:
    function = values.text(_WINDOW_FUNCTION) or ""
    return function if function in _FUNCTIONS else "LINEAR"


def _padding(values: Values, stored: tuple[int, int], *, signed: bool) -> tuple[int, int] | None:
    first = values.number(_PADDING)
    if first is None:
        return None
    last = values.number(_PADDING_LIMIT)
    ends = [first, first if last is None else last]
    if signed:
        ends = [end - _WORDS if end >= _WORDS // 2 else end for end in ends]
    low, high = min(ends), max(ends)
    if low <= stored[0] and high >= stored[1]:
        values.note("Pixel Padding Range holds every value; left out")
        return None
    return low, high


def _inverted(values: Values, photometric: str) -> bool:
    """Return whether 0 is white, by Photometric Interpretation and Presentation LUT Shape."""
    shape = values.text(_SHAPE)
    if photometric == "MONOCHROME1":
        if shape == "IDENTITY":
            values.note("Presentation LUT Shape IDENTITY with MONOCHROME1; inverted all the same")
        return True
    if photometric == "MONOCHROME2" and shape == "INVERSE":
        values.note("Presentation LUT Shape INVERSE with MONOCHROME2; inverted")
        return True
    return False
