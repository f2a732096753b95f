"""The stored words of one frame of a DICOM image, native or compressed, before any transform."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.codec import (
    NATIVE,
    RLE,
    check_stream,
    code_stream,
    corrected_header,
    is_lossless,
)
from cxr_enhance.io.dicom.decoder_pool import decode_in_child_process
from cxr_enhance.io.dicom.frames import compressed_frame, holds_fragments, native_bytes
from cxr_enhance.io.dicom.grayscale import stored_range
from cxr_enhance.io.dicom.header import is_big_endian
from cxr_enhance.io.dicom.justify import count_stray, shift_of
from cxr_enhance.io.dicom.plugins import (
    cure_for,
    decoder_for,
    is_bounded,
    load_pydicom,
    plugin_name,
)

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.codec import CodeStream
    from cxr_enhance.io.dicom.elements import Elements, View
    from cxr_enhance.io.dicom.header import DicomHeader


class Stored(NamedTuple):
    """One frame as stored.

    `words` is an ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16: RGB, or gray words
    that still have signs and spare bits. The array may be a read-only view of the file's bytes.
    """

    words: Image
    header: DicomHeader  # corrected where the pixels contradict the file's header
    decoder: str = ""  # name and version; empty for native pixels


def stored_words(elements: Elements, header: DicomHeader, frame: int) -> Stored:
    """Return one frame as stored; corrections of the header are added to ``elements.notes``.

    Raises
    ------
    ValueError
        If the pixel data are missing, short, damaged, of another size than the header states, or of
        a kind that is not decoded.
    ImportError
        If the decoder of the pixels is not installed.
    """
    if elements.pixels is None:
        raise ValueError(f"{RULE}; got a DICOM file without pixel data.")
    notes = elements.notes
    if holds_fragments(elements):
        data = compressed_frame(memoryview(elements.pixels[:]), elements, header, frame)
        stream = code_stream(data)
        header, syntax = corrected_header(data, stream, header, notes)
        check_stream(stream, data, header, syntax)
        values, decoder = _decoded(data, stream, header, syntax)
        if stream is not None and is_lossless(syntax) and _has_overlays_above(stream, header):
            header = dataclasses.replace(header, bits_allocated=8 if stream.bits <= 8 else 16)
            whole = values & ((1 << stream.bits) - 1)
            words = whole.astype(np.uint8 if header.bits_allocated == 8 else np.uint16, copy=False)
            return _in_place(np.ascontiguousarray(words), header, notes, decoder)
        if syntax != RLE:
            return Stored(_within_range(values, stream, header, notes), header, decoder)
        words = values.astype(np.uint8 if header.bits_allocated == 8 else np.uint16, copy=False)
        return _in_place(np.ascontiguousarray(words), header, notes, decoder)
    check_native(len(elements.pixels), header, notes)
    words = _native_frame(elements.pixels, elements.pixels_vr, header, frame)
    if header.samples == 1:
        words = words.reshape(header.height, header.width)
    else:
        words = _native_colour(words, header)
    return _in_place(words, header, notes)


def _has_overlays_above(stream: CodeStream, header: DicomHeader) -> bool:
    """Return whether the header declares overlays in bits of the stream above the stored bits."""
    return header.overlay_bits & ((1 << stream.bits) - 1) >= 1 << header.bits_stored


def _in_place(words: Image, header: DicomHeader, notes: list[str], decoder: str = "") -> Stored:
    """Find the position of values in their words; shift colour values to the low bits.

    Gray values are not shifted, because the table of `display_table` does that later.
    """
    shift = shift_of(words, header, notes)
    stray = count_stray(words, shift, header)
    if stray:
        notes.append(
            f"{stray} values have bits outside the {header.bits_stored} stored ones, which no "
            "overlay declares; those bits are left out"
        )
    header = dataclasses.replace(header, high_bit=shift + header.bits_stored - 1)
    if header.samples == 1 or header.bits_stored == header.bits_allocated:
        return Stored(words, header, decoder)
    colour = (words >> shift) & ((1 << header.bits_stored) - 1)
    return Stored(colour.astype(_word_type(header)), header, decoder)


def _word_type(header: DicomHeader) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if header.bits_stored <= 8 else np.uint16


def check_native(length: int, header: DicomHeader, notes: list[str]) -> None:
    """Note contradictions between the header and native pixel data of `length` bytes.

    Raises
    ------
    ValueError
        If the pixel data of a YBR_FULL_422 image have no shared colour values: then they are RGB or
        YBR_FULL, and nothing shows which.
    """
    if header.transfer_syntax not in NATIVE:
        notes.append(f"native pixels under transfer syntax {header.transfer_syntax}")
    if header.photometric in ("YBR_ICT", "YBR_RCT"):
        notes.append(
            f"Photometric Interpretation {header.photometric} of native pixels; taken as RGB"
        )
    declared = header.frames * _native_frame_size(header)
    if declared <= length <= declared + declared % 2:  # a byte makes the length even
        return
    if length < declared:
        notes.append(f"pixel data have {length} bytes, the header states {declared}")
        return
    if header.photometric == "YBR_FULL_422" and length - declared * 3 // 2 in (0, 1):
        raise ValueError(
            f"{RULE}; got a DICOM image in YBR_FULL_422 whose pixel data have 3 bytes a pixel. "
            "Correct its Photometric Interpretation to RGB or YBR_FULL."
        )
    notes.append(
        f"pixel data have {length} bytes, the header states {declared}; the rest is left out"
    )


def _native_frame_size(header: DicomHeader) -> int:
    """Return the number of bytes that the header states for a frame of native pixels."""
    samples = 2 if header.photometric == "YBR_FULL_422" else header.samples
    return header.height * header.width * samples * header.bits_allocated // 8


def _native_frame(pixels: View, vr: str, header: DicomHeader, frame: int) -> Image:
    size = _native_frame_size(header)
    part: bytes | memoryview | bytearray = b""
    if (frame + 1) * size <= len(pixels):
        is_swapped = header.bits_allocated == 8 and is_big_endian(header) and vr == "OW"
        part = native_bytes(pixels, frame * size, size, swapped=is_swapped)
    if len(part) < size:  # a file that is cut while it is read gives fewer bytes
        there = frame * size + len(part) if part else len(pixels)
        raise ValueError(
            f"{RULE}; got a DICOM file whose pixel data are short: {header.frames} frames of "
            f"{header.width} x {header.height} pixels need {header.frames * size} bytes, "
            f"{there} are there."
        )
    if header.bits_allocated == 8:
        return np.frombuffer(part, np.uint8)
    words16 = np.frombuffer(part, ">u2" if is_big_endian(header) else "<u2")
    return words16.astype(np.uint16, copy=False)


def _native_colour(words: Image, header: DicomHeader) -> Image:
    """Rearrange native colour words into RGB with the channels last."""
    shape = (header.height, header.width)
    if header.photometric == "YBR_FULL_422":  # Y0 Y1 Cb Cr for two neighbours
        if header.width % 2:
            raise ValueError(f"{RULE}; got a DICOM image in YBR_FULL_422 of odd width.")
        fours = words.reshape(-1, 4)
        image = np.stack([fours[:, :2], *(np.repeat(fours[:, k : k + 1], 2, 1) for k in (2, 3))], 2)
        image = image.reshape(*shape, 3)
    elif header.planar:
        image = np.moveaxis(words.reshape(3, *shape), 0, -1)
    else:
        image = words.reshape(*shape, 3)
    if header.photometric.startswith("YBR_FULL"):
        if image.dtype != np.uint8:
            raise ValueError(f"{RULE}; got a DICOM image in {header.photometric} of 16 bits.")
        convert = load_pydicom("pydicom.pixels").convert_color_space
        image = convert(np.ascontiguousarray(image), "YBR_FULL", "RGB")
    return np.ascontiguousarray(image)


def _decoded(
    data: bytes, stream: CodeStream | None, header: DicomHeader, syntax: str
) -> tuple[Any, str]:
    """Decode a frame to the values of its code stream, with the stream's own depth and sign."""
    try:
        decoder, plugins = decoder_for(syntax)
    except NotImplementedError:
        name = load_pydicom("pydicom.uid").UID(syntax).name
        raise ValueError(
            f"{RULE}; got a DICOM file in the transfer syntax {name!r}, which is not read. "
            "Convert it to Explicit VR Little Endian first."
        ) from None
    allocated, signed = header.bits_allocated, False
    bits = allocated  # with fewer bits, pydicom would mask bits of the words of RLE
    if stream is not None:
        bits, allocated, signed = stream.bits, 8 if stream.bits <= 8 else 16, stream.signed
    options = {
        "number_of_frames": 1,
        "rows": header.height,
        "columns": header.width,
        "samples_per_pixel": header.samples,
        "photometric_interpretation": header.photometric,
        "planar_configuration": int(header.planar),
        "bits_allocated": allocated,
        "bits_stored": bits,
        "pixel_representation": int(signed),
        "pixel_keyword": "PixelData",
    }
    capsule = load_pydicom("pydicom.encaps").encapsulate([data])
    reasons: list[str] = []
    for plugin in plugins:
        try:
            if is_bounded(plugin, syntax):
                image, _ = decoder.as_array(capsule, index=0, decoding_plugin=plugin, **options)
            else:
                image = decode_in_child_process(syntax, plugin, capsule, options)
        except (MemoryError, KeyboardInterrupt, SystemExit):
            raise
        # Decoders raise any error on damaged data; decoders in Rust raise a BaseException.
        except BaseException as error:
            reasons.append(f"{plugin}: {_last_line(error).removeprefix(f'{plugin}: ')}")
        else:
            return image, plugin_name(plugin, syntax)
    raise ValueError(
        f"{RULE}; got a DICOM file whose compressed pixels cannot be decoded "
        f"({'; '.join(reasons)}).{cure_for(syntax, plugins)}"
    )


def _within_range(
    values: Any, stream: CodeStream | None, header: DicomHeader, notes: list[str]
) -> Image:
    """Convert decoded values to words of the stored range.

    A lossy code stream deeper than Bits Stored overshoots at edges: values above white are clipped
    to white.
    """
    bits, signed = header.bits_stored, header.signed and header.samples == 1
    depth = bits if stream is None else stream.bits
    has_sign = stream is not None and stream.signed
    if depth > bits and not has_sign:
        deep = dataclasses.replace(header, bits_allocated=depth, signed=signed)
        shift = shift_of(values, deep, notes)
        # Overshoot does not reach twice the white in most pixels.
        if not (shift or signed) and np.count_nonzero(values >> (bits + 1)) > values.size // 2:
            shift = depth - bits  # lossy compression has filled the low bits
            notes.append(f"compressed values are left-justified; taken from bit {shift} on")
        values = values >> shift
    elif depth > bits and has_sign and signed and _is_left_justified(values, bits, depth):
        values = values >> (depth - bits)
        notes.append(f"compressed values are left-justified; taken from bit {depth - bits} on")
    if signed and not has_sign:
        values = _with_sign(values, bits, depth)
    elif has_sign and not signed and depth <= bits:  # unsigned words that were encoded as signed
        notes.append("compressed pixels have a sign, the header has none; read without")
        values = values & ((1 << depth) - 1)
    low, high = stored_range(bits, signed=signed)
    if (depth > bits or (has_sign and not signed)) and (values.min() < low or values.max() > high):
        outside = int(np.count_nonzero((values < low) | (values > high)))
        notes.append(
            f"{outside} pixels beyond the range of Bits Stored {bits}, in compressed pixels of "
            f"{depth} bits; clipped to it"
        )
        values = np.clip(values, low, high)
    words = values.astype(_word_type(header), copy=False)
    return np.ascontiguousarray(words & ((1 << bits) - 1) if signed else words)


def _is_left_justified(values: Any, bits: int, depth: int) -> bool:
    """Tell whether signed values are left-justified in the depth of a code stream, lossy or not."""
    beyond = np.where(values < 0, ~values, values) >> (bits - 1)
    if not beyond.any():
        return False
    no_low_bits = not int(np.bitwise_or.reduce(values, axis=None)) & ((1 << (depth - bits)) - 1)
    # Overshoot does not reach twice the range in most pixels.
    return no_low_bits or np.count_nonzero(beyond > 1) > values.size // 2


def _with_sign(values: Any, bits: int, depth: int) -> Any:
    """Restore the sign of values from a code stream without signs.

    The sign is the highest bit of the stream. If all values fit the stored bits, which are fewer,
    the writer has cut its words to these bits: then the sign is the highest stored bit.
    """
    wide = values.astype(np.int32)
    sign = 1 << (depth - 1)
    greatest = int(wide.max())
    if depth > bits and greatest < sign and greatest < 1 << bits:
        sign = 1 << (bits - 1)
    return (wide ^ sign) - sign


def _last_line(error: BaseException) -> str:
    """Return the last line of an error, where pydicom puts the plugin's own error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
