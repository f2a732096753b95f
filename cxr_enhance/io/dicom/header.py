"""DICOM's raw elements to what describes the image, tolerant of what is missing or wrong.

Every repair is a note in words; nothing that identifies a patient is looked at.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.elements import (
    EXPLICIT_BIG,
    LUT_DATA,
    LUT_DESCRIPTOR,
    MODALITY_LUT,
    VOI_LUT,
    Elements,
)

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.elements import Element

_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_ALLOCATED, _STORED, _HIGH_BIT, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_CENTER, _WIDTH, _WINDOW_FUNCTION = 0x00281050, 0x00281051, 0x00281056
_INTERCEPT, _SLOPE = 0x00281052, 0x00281053
_MODALITY, _VIEW = 0x00080060, 0x00185101
_LATERALITY, _IMAGE_LATERALITY = 0x00200060, 0x00200062
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_GRAY = ("MONOCHROME1", "MONOCHROME2")


class Window(NamedTuple):
    """A VOI window."""

    center: float
    width: float
    function: str


class Table(NamedTuple):
    """A lookup table: `values` for inputs from `first` on, of so many `bits`."""

    first: int
    bits: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomHeader:
    """What the pixels are and how they are shown."""

    transfer_syntax: str
    height: int
    width: int
    samples: int
    frames: int
    photometric: str
    planar: bool
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    rescale: tuple[float, float] | None
    modality_table: Table | None
    window: Window | None
    voi_table: Table | None
    modality: str | None
    view: str | None
    laterality: str | None


def read_header(elements: Elements) -> DicomHeader:
    """Describe the image; what was repaired goes to ``elements.notes``.

    Raises
    ------
    ValueError
        If rows or columns are missing or 0, or the pixels are of a kind that is not read.
    """
    values = _Values(elements)
    height, width = values.number(_ROWS), values.number(_COLUMNS)
    if not height or not width:
        raise ValueError(f"{RULE}; got a DICOM file without an image: no rows or no columns.")
    samples = values.number_or(_SAMPLES, 1, "Samples per Pixel")
    allocated = values.number_or(_ALLOCATED, 16, "Bits Allocated")
    if samples not in (1, 3) or allocated not in (8, 16):
        raise ValueError(
            f"{RULE} of 1 or 3 channels of 8 or 16 bits; got a DICOM image of {samples} channels "
            f"of {allocated} bits."
        )
    stored = values.number_or(_STORED, allocated, "Bits Stored")
    if not 1 <= stored <= allocated:
        elements.notes.append(f"Bits Stored {stored} of {allocated}; taken as {allocated}")
        stored = allocated
    high = values.number(_HIGH_BIT)
    if high is None or not stored - 1 <= high < allocated:
        if high is not None:
            elements.notes.append(f"High Bit {high} of {stored} bits; taken as {stored - 1}")
        high = stored - 1
    frames = values.integer_text(_FRAMES)
    return DicomHeader(
        transfer_syntax=elements.transfer_syntax,
        height=height,
        width=width,
        samples=samples,
        frames=max(frames or 1, 1),
        photometric=_photometric(values, samples),
        planar=values.number(_PLANAR) == 1,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=values.number_or(_SIGNED, 0, "Pixel Representation") == 1,
        rescale=_rescale(values),
        modality_table=values.table(MODALITY_LUT, "Modality LUT"),
        window=_window(values),
        voi_table=values.table(VOI_LUT, "VOI LUT"),
        modality=values.text(_MODALITY),
        view=values.text(_VIEW),
        laterality=values.text(_IMAGE_LATERALITY) or values.text(_LATERALITY),
    )


def _photometric(values: _Values, samples: int) -> str:
    said = values.text(_PHOTOMETRIC)
    allowed = _GRAY if samples == 1 else _COLOUR
    if said is not None and said in allowed:
        return said
    if said is not None and not (samples == 1 and said.startswith("MONO")):
        raise ValueError(
            f"{RULE} that is {', '.join(_GRAY + _COLOUR[:-1])} or {_COLOUR[-1]}; got a DICOM image "
            f"of {said!r}."
        )
    assumed = "MONOCHROME2" if samples == 1 else "RGB"
    values.note(
        f"Photometric Interpretation {'missing' if said is None else said}; taken as {assumed}"
    )
    return assumed


def _rescale(values: _Values) -> tuple[float, float] | None:
    slope, intercept = values.real(_SLOPE), values.real(_INTERCEPT)
    if slope is None or intercept is None:
        if (slope is None) != (intercept is None):
            values.note("Rescale Slope or Intercept missing; rescale left out")
        return None
    if slope == 0:
        values.note("Rescale Slope 0; rescale left out")
        return None
    return slope, intercept


def _window(values: _Values) -> Window | None:
    center, width = values.real(_CENTER), values.real(_WIDTH)
    if center is None or width is None:
        if _CENTER in values.found or _WIDTH in values.found:
            values.note("Window Center or Width missing or no number; window left out")
        return None
    function = values.text(_WINDOW_FUNCTION) or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        values.note(f"VOI LUT Function {function!r} unknown; taken as LINEAR")
        function = "LINEAR"
    if width < 1 if function == "LINEAR" else width <= 0:
        values.note(f"Window Width {width:g}; window left out")
        return None
    return Window(center, width, function)


class _Values:
    """Elements by their value's kind; None where missing or not of that kind."""

    def __init__(self, elements: Elements) -> None:
        self.found, self.tables = elements.found, elements.tables
        self.order, self.note = elements.order, elements.notes.append

    def number(self, tag: int) -> int | None:
        element = self.found.get(tag)
        if element is None or len(element.value) < 2:
            return None
        return int(struct.unpack_from(self.order + "H", element.value)[0])

    def number_or(self, tag: int, default: int, name: str) -> int:
        value = self.number(tag)
        if value is None:
            self.note(f"{name} missing; taken as {default}")
            return default
        return value

    def text(self, tag: int) -> str | None:
        """First value of a text, in capitals as code strings are, without what does not print."""
        element = self.found.get(tag)
        if element is None:
            return None
        text = bytes(element.value[:256]).decode("latin-1").split("\\")[0].strip(" \0").upper()
        return "".join(char for char in text if char.isprintable())[:64] or None

    def real(self, tag: int) -> float | None:
        text = self.text(tag)
        try:
            value = math.nan if text is None else float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            if text is not None:
                self.note(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is no number; left out")
            return None
        return value

    def integer_text(self, tag: int) -> int | None:
        value = self.real(tag)
        return None if value is None else int(value)

    def table(self, tag: int, name: str) -> Table | None:
        item = self.tables.get(tag)
        if item is None:
            return None
        table = _table(item, self.order, signed=self.number(_SIGNED) == 1)
        if table is None:
            self.note(f"{name} damaged; left out")
        return table


def _table(item: dict[int, Element], order: str, *, signed: bool) -> Table | None:
    descriptor: Any = item.get(LUT_DESCRIPTOR)
    data: Any = item.get(LUT_DATA)
    if descriptor is None or data is None or len(descriptor.value) < 6:
        return None
    count, first, bits = struct.unpack_from(order + "HHH", descriptor.value)
    count = count or 65_536
    if not 8 <= bits <= 16:
        return None
    # Without a VR the kind is that of the pixels.
    if first >= 32_768 and (descriptor.vr == "SS" or (not descriptor.vr and signed)):
        first -= 65_536
    if len(data.value) >= 2 * count:
        values = struct.unpack_from(f"{order}{count}H", data.value)
    elif len(data.value) >= count and bits == 8:  # two entries a word, as the standard once had it
        values = tuple(bytes(data.value[:count]))
    else:
        return None
    return Table(first, bits, tuple(value & (1 << bits) - 1 for value in values))


def is_big_endian(header: DicomHeader) -> bool:
    """Tell whether native pixels are stored with the high byte first."""
    return header.transfer_syntax == EXPLICIT_BIG
