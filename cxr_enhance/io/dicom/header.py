"""The description of a DICOM image, read from its raw elements.

Missing and wrong elements are repaired where that is possible; every repair gives a note. No
element that identifies a patient is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.elements import EXPLICIT_BIG, GE_BIG_PIXELS, tag_text
from cxr_enhance.io.dicom.grayscale import Window, read_grayscale, stored_range
from cxr_enhance.io.dicom.lookup import Table
from cxr_enhance.io.dicom.values import Values

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.elements import Elements

_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_ALLOCATED, _STORED, _HIGH_BIT, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_MODALITY, _VIEW = 0x00080060, 0x00185101
_LATERALITY, _IMAGE_LATERALITY = 0x00200060, 0x00200062
# Spacing in the patient, on the detector, of a scanned film.
_SPACINGS = (0x00280030, 0x00181164, 0x00182010)
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_GRAY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomHeader:
    """The form of the pixels, and the transforms by which they are shown."""

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
    overlay_bits: int
    rescale: tuple[float, float] | None
    modality_table: Table | None
    window: Window | None
    window_function: str
    voi_table: Table | None
    padding: tuple[int, int] | None
    inverted: bool
    modality: str | None
    view: str | None
    laterality: str | None
    pixel_spacing: tuple[float, float] | None


def read_header(elements: Elements) -> DicomHeader:
    """Describe the image; each repair adds to ``elements.notes``.

    Raises
    ------
    ValueError
        If rows or columns are missing or 0, or the pixels are of a kind that is not read.
    """
    values = Values(elements)
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
    signed = values.flag(_SIGNED, "Pixel Representation")
    photometric = _photometric(values, samples)
    gray = read_grayscale(values, photometric, stored_range(stored, signed=signed), signed=signed)
    return DicomHeader(
        transfer_syntax=elements.transfer_syntax,
        height=height,
        width=width,
        samples=samples,
        frames=values.count(_FRAMES, "Number of Frames"),
        photometric=photometric,
        planar=samples > 1 and values.flag(_PLANAR, "Planar Configuration"),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high,
        signed=signed,
        overlay_bits=_overlay_bits(values, allocated, range(high + 1 - stored, high + 1)),
        modality=values.text(_MODALITY),
        view=values.text(_VIEW),
        laterality=values.text(_IMAGE_LATERALITY) or values.text(_LATERALITY),
        pixel_spacing=_pixel_spacing(values),
        **gray._asdict(),
    )


def _pixel_spacing(values: Values) -> tuple[float, float] | None:
    """Return the first spacing that the header has, in millimetres down and across."""
    spacings = map(values.positive_pair, _SPACINGS)
    return next((spacing for spacing in spacings if spacing is not None), None)


def _overlay_bits(values: Values, allocated: int, stored: range) -> int:
    """Return a mask of the bits of a word that hold overlays instead of the image.

    These overlays have no Overlay Data. Their Overlay Bits Allocated must be that of the image, but
    may be wrong. Some de-identifiers remove the data of other overlays, whose Overlay Bits
    Allocated is 1 and whose Overlay Bit Position is 0; no bit of a word holds them.
    """
    bits = 0
    for group in range(0x6000, 0x6020, 2):
        position = values.number(group << 16 | 0x0102)
        data = values.by_tag.get(group << 16 | 0x3000)
        if position is None or position >= allocated or (data is not None and len(data.value)):
            continue
        stated = values.number(group << 16 | 0x0100)
        if stated != allocated:
            if position == 0 or position in stored:
                continue
            values.note(
                f"overlay {tag_text(group << 16)} in bit {position} of the pixels, with Overlay "
                f"Bits Allocated {'missing' if stated is None else stated}; taken as {allocated}"
            )
        bits |= 1 << position
    return bits


def _photometric(values: Values, samples: int) -> str:
    stated = values.text(_PHOTOMETRIC)
    allowed = _GRAY if samples == 1 else _COLOUR
    if stated is not None and stated in allowed:
        return stated
    if stated is not None and not (samples == 1 and stated.startswith("MONO")):
        raise ValueError(
            f"{RULE} of 1 channel that is {' or '.join(_GRAY)}, or of 3 channels that is "
            f"{', '.join(_COLOUR[:-1])} or {_COLOUR[-1]}; got a DICOM image of {samples} "
            f"channel{'s' * (samples > 1)} that is {stated!r}."
        )
    assumed = "MONOCHROME2" if samples == 1 else "RGB"
    values.note(
        f"Photometric Interpretation {'missing' if stated is None else stated}; taken as {assumed}"
    )
    return assumed


def is_big_endian(header: DicomHeader) -> bool:
    """Return whether native pixels are stored with the high byte first."""
    return header.transfer_syntax in (EXPLICIT_BIG, GE_BIG_PIXELS)
