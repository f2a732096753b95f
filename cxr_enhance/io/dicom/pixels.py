"""The stored words of one frame of a DICOM image, native or compressed; nothing is mapped."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_enhance.io._headers import Size, jpeg_frame, jpeg_size
from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom.decode_apart import decode_apart
from cxr_enhance.io.dicom.elements import EXTENDED_OFFSETS, fragments_of
from cxr_enhance.io.dicom.header import is_big_endian
from cxr_enhance.io.dicom.jpeg_2000 import stream_size
from cxr_enhance.io.dicom.plugins import RLE, cure_for, decoder_for, is_bounded, load_pydicom

if TYPE_CHECKING:
    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.elements import Elements
    from cxr_enhance.io.dicom.header import DicomHeader


def stored_words(elements: Elements, header: DicomHeader, frame: int) -> Image:
    """Give one frame as stored.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        Gray as words whose signs and spare bits are still to be seen to, or RGB. May be a
        read-only view of the file's bytes.

    Raises
    ------
    ValueError
        If the pixel data are missing, short, damaged, of another size than the header says or of a
        kind that nothing here decodes.
    ImportError
        If the decoder needed is not installed.
    """
    if elements.pixels is None:
        raise ValueError(f"{RULE}; got a DICOM file without pixel data.")
    if elements.is_encapsulated:
        data = _compressed_frame(elements.pixels, elements, header, frame)
        _check_codec_size(data, header)
        return _decoded(data, header)
    words = _native_frame(elements.pixels, elements.pixels_vr, header, frame)
    if header.samples == 1:
        return words.reshape(header.height, header.width)
    return _native_colour(words, header)


def _native_frame(pixels: memoryview, vr: str, header: DicomHeader, frame: int) -> Image:
    samples = 2 if header.photometric == "YBR_FULL_422" else header.samples
    count = header.height * header.width * samples
    size = count * header.bits_allocated // 8
    if len(pixels) < (frame + 1) * size:
        raise ValueError(
            f"{RULE}; got a DICOM file whose pixel data are short: {header.frames} frames of "
            f"{header.width} x {header.height} pixels need {header.frames * size} bytes, "
            f"{len(pixels)} are there."
        )
    part = pixels[frame * size : (frame + 1) * size]
    if header.bits_allocated == 8:
        words = np.frombuffer(part, np.uint8)
        if is_big_endian(header) and vr == "OW" and size % 2 == 0:
            words = words.reshape(-1, 2)[:, ::-1].reshape(-1)  # two pixels a swapped word
        return words
    words16 = np.frombuffer(part, ">u2" if is_big_endian(header) else "<u2")
    return words16.astype(np.uint16, copy=False)


def _native_colour(words: Image, header: DicomHeader) -> Image:
    """Leave channels last, in RGB."""
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


def _compressed_frame(
    pixels: memoryview, elements: Elements, header: DicomHeader, frame: int
) -> bytes:
    """Join the fragments of one frame."""
    offsets, *fragments = fragments_of(pixels) or [memoryview(b"")]
    if not fragments:
        raise ValueError(f"{RULE}; got a DICOM file without pixel data.")
    if header.frames == 1:
        return b"".join(fragments)
    if len(fragments) == header.frames:
        return bytes(fragments[frame])
    starts = _frame_starts(elements, offsets)
    if len(starts) != header.frames:
        raise ValueError(
            f"{RULE}; got a DICOM file of {header.frames} frames in {len(fragments)} fragments "
            "without a table that tells which is whose."
        )
    end = starts[frame + 1] if frame + 1 < header.frames else 1 << 63
    position, parts = 0, []
    for fragment in fragments:
        if starts[frame] <= position < end:
            parts.append(fragment)
        position += len(fragment) + 8
    return b"".join(parts)


def _frame_starts(elements: Elements, offsets: memoryview) -> tuple[int, ...]:
    extended = elements.found.get(EXTENDED_OFFSETS)
    if extended is not None:
        table, code, size = extended.value, "Q", 8
    else:
        table, code, size = offsets, "I", 4
    return struct.unpack(f"<{len(table) // size}{code}", table[: len(table) // size * size])


def _check_codec_size(data: bytes, header: DicomHeader) -> None:
    """Refuse a compressed frame that unpacks to another size than the header says: a bomb."""
    if header.transfer_syntax == RLE:
        _check_rle_length(data, header)
        return
    size, channels = _codec_size(data)
    if size is not None and size != (header.width, header.height):
        raise ValueError(
            f"{RULE}; got a DICOM image of {header.width} x {header.height} pixels whose "
            f"compressed data hold {size.width} x {size.height}."
        )
    if channels is not None and channels != header.samples:
        raise ValueError(
            f"{RULE}; got a DICOM image of {header.samples} channels whose compressed data hold "
            f"{channels}."
        )


def _check_rle_length(data: bytes, header: DicomHeader) -> None:
    """Refuse more than the least thrifty encoder writes, two bytes for each and some padding."""
    size = header.height * header.width * header.samples * header.bits_allocated // 8
    if len(data) > 2 * size + 4096:
        raise ValueError(
            f"{RULE}; got a DICOM image of {size} bytes in {len(data)} bytes of RLE, more than "
            "any encoder writes."
        )


def _codec_size(data: bytes) -> tuple[Size | None, int | None]:
    """Size and channels that a compressed frame declares; None where it tells none."""
    if data[:2] == b"\xff\xd8":
        place = jpeg_frame(data)
        return jpeg_size(data), None if place is None else data[place + 9]
    try:
        stream = stream_size(data)
    except ValueError as error:
        raise ValueError(f"{RULE}; got a DICOM file whose pixels are {error}.") from None
    if stream is None:
        return None, None
    return Size(stream.width, stream.height), stream.components


def _decoded(data: bytes, header: DicomHeader) -> Image:
    try:
        decoder, plugins = decoder_for(header.transfer_syntax)
    except NotImplementedError:
        name = load_pydicom("pydicom.uid").UID(header.transfer_syntax).name
        raise ValueError(
            f"{RULE}; got a DICOM file in the transfer syntax {name!r}, which is not read. "
            "Convert it to Explicit VR Little Endian first."
        ) from None
    options = {
        "number_of_frames": 1,
        "rows": header.height,
        "columns": header.width,
        "samples_per_pixel": header.samples,
        "photometric_interpretation": header.photometric,
        "planar_configuration": int(header.planar),
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_stored,
        "pixel_representation": int(header.signed),
        "pixel_keyword": "PixelData",
    }
    capsule = load_pydicom("pydicom.encaps").encapsulate([data])
    reasons: list[str] = []
    for plugin in plugins:
        try:
            if is_bounded(plugin, header.transfer_syntax):
                image, _ = decoder.as_array(capsule, index=0, decoding_plugin=plugin, **options)
            else:
                image = decode_apart(header.transfer_syntax, plugin, capsule, options)
        except (MemoryError, KeyboardInterrupt, SystemExit):
            raise
        # Decoders raise whatever they like on damaged data; those in Rust no mere Exception.
        except BaseException as error:
            reasons.append(f"{plugin}: {_first_line(error).removeprefix(f'{plugin}: ')}")
        else:
            return _as_words(image, header)
    raise ValueError(
        f"{RULE}; got a DICOM file whose compressed pixels cannot be decoded "
        f"({'; '.join(reasons)}).{cure_for(header.transfer_syntax, plugins)}"
    )


def _as_words(image: Any, header: DicomHeader) -> Image:
    """Signed values back to the words that hold them; one byte a pixel stays one."""
    kind = np.uint8 if header.bits_allocated == 8 else np.uint16
    return np.ascontiguousarray(image.astype(kind, copy=False))


def _first_line(error: BaseException) -> str:
    """First sentence that tells something; pydicom's own is "unable to decode as exceptions"."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
