"""Headers that contradict their pixels: the pixels decide where they can, and a note tells."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest

from cxr_enhance import read_image
from cxr_enhance.io import image_info
from cxr_enhance.io.dicom.decode import decode_dicom
from cxr_enhance.io.options import ReadOptions
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pydicom = pytest.importorskip("pydicom")
pytestmark = pytest.mark.opencv

from pydicom import uid  # noqa: E402

from tests.helpers.dicom_files import (  # noqa: E402
    HTJ2K_FRAME,
    HTJ2K_PIXELS,
    compressed,
    data_set,
    element,
    jpeg_lossless,
    lut_item,
    saved,
)
from tests.helpers.image_files import drawn, encoded  # noqa: E402

jpeg_ls = pytest.importorskip("jpeg_ls")
openjpeg = pytest.importorskip("openjpeg.utils")

GRAY8 = drawn(36, 52)
GRAY12 = drawn(36, 52, dtype=np.uint16) >> 4
SIGNED12 = GRAY12.astype(np.int16) - 2048


def read_with_notes(data, **options):
    """Read an image and give what was said of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = read_image(data, **options)
    return image, " ".join(str(warning.message) for warning in caught)


def j2k(pixels, bits, **options):
    """Encode JPEG 2000 of so many bits; without loss unless a ratio is given."""
    return bytes(openjpeg.encode_array(pixels, bits_stored=bits, use_mct=False, **options))


def near_lossless(pixels, error):
    """Encode JPEG-LS of the depth of the array."""
    return bytes(jpeg_ls.encode_array(pixels, error))


# White that overshoots, as at the edge of a collimator, and what is far below it.
DEEPER = np.tile(np.array([[4000, 4095, 4096, 4200], [0, 1, 2048, 5000]], np.uint16), (16, 8))
DEEPER_SIGNED = np.tile(np.array([[-2048, -2100, 0, 2047], [2048, 2100, -1, 1]], np.int16), (16, 8))

DEEP = {
    "jpeg-2000": (uid.JPEG2000, j2k(DEEPER, 16)),
    "jpeg-2000-lossless": (uid.JPEG2000Lossless, j2k(DEEPER, 13)),
    "jpeg-ls": (uid.JPEGLSNearLossless, near_lossless(DEEPER, 0)),
    "jpeg": (uid.JPEGLossless, jpeg_lossless(DEEPER, bits=16)),
}


@pytest.mark.parametrize("name", DEEP)
def test_decoded_pixels_above_the_stored_range_are_white(name):
    syntax, frame = DEEP[name]
    image, notes = read_with_notes(saved(data_set(DEEPER, bits=12), syntax, [frame]))
    assert_same_image(image, np.minimum(DEEPER, 4095))
    assert "384 pixels beyond the range of Bits Stored 12" in notes


def test_near_lossless_overshoot_of_jpeg_ls_is_white():
    pixels = np.random.default_rng(0).integers(4080, 4096, (16, 16)).astype(np.uint16)
    pixels[0, 0] = 4200  # without it the encoder would choose 12 bits
    frame = near_lossless(pixels, 9)
    values, _ = jpeg_ls.decode_pixel_data(frame)
    decoded = np.frombuffer(values, np.uint16).reshape(16, 16)
    assert (decoded > 4095).sum() > 5
    image, _ = read_with_notes(saved(data_set(pixels, bits=12), uid.JPEGLSNearLossless, [frame]))
    assert_same_image(image, np.minimum(decoded, 4095))


def test_deeper_inverted_pixels_are_black():
    data = saved(
        data_set(DEEPER, bits=12, photometric="MONOCHROME1"), uid.JPEG2000, [j2k(DEEPER, 16)]
    )
    assert_same_image(read_with_notes(data)[0], 4095 - np.minimum(DEEPER, 4095))


def test_deeper_signed_pixels_are_clipped_at_both_ends():
    data = saved(data_set(DEEPER_SIGNED, bits=12), uid.JPEG2000, [j2k(DEEPER_SIGNED, 16)])
    expected = (np.clip(DEEPER_SIGNED, -2048, 2047) + 2048).astype(np.uint16)
    assert_same_image(read_with_notes(data)[0], expected)


@pytest.mark.parametrize("depth", [12, 16])
def test_signed_pixels_in_code_streams_without_sign_are_read(depth):
    frame = near_lossless(SIGNED12.view(np.uint16) & ((1 << depth) - 1), 0)
    data = saved(data_set(SIGNED12, bits=12), uid.JPEGLSLossless, [frame])
    assert_same_image(read_image(data), GRAY12)


def test_a_code_stream_with_a_sign_under_a_header_without_is_read_without():
    frame = j2k((GRAY12.astype(np.int32) ^ 2048).astype(np.int16) - 2048, 12)
    image, notes = read_with_notes(saved(data_set(GRAY12, bits=12), uid.JPEG2000, [frame]))
    assert_same_image(image, GRAY12)
    assert "have a sign, the header has none" in notes


def test_undershoot_of_a_deeper_signed_stream_is_black():
    pixels = np.tile(np.array([[-3, 0, 5, 4095]], np.int16), (32, 8))
    data = saved(data_set(pixels.view(np.uint16), bits=12), uid.JPEG2000, [j2k(pixels, 16)])
    expected = np.maximum(pixels, 0).astype(np.uint16)
    assert_same_image(read_with_notes(data)[0], expected)


def test_native_spare_bits_are_masked_and_not_clipped():
    image, notes = read_with_notes(saved(data_set(GRAY12 | 0x7000, bits=12)))
    assert_same_image(image, GRAY12)
    assert f"{GRAY12.size} values have bits outside the 12 stored ones" in notes


@pytest.mark.parametrize(
    "syntax",
    [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless],
)
@pytest.mark.parametrize("pixels", [GRAY12, SIGNED12], ids=["unsigned", "signed"])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_right_justified_values_are_read_whatever_high_bit_says(syntax, pixels, high):
    ds = data_set(pixels, bits=12)
    if syntax != uid.ExplicitVRLittleEndian:
        ds = pydicom.dcmread(io.BytesIO(compressed(ds, syntax)))
    ds.HighBit = high
    data = saved(ds, syntax)
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert (f"High Bit {high} of 12 bits stored" in notes) == (high != 11)
    if syntax != uid.RLELossless:  # whose values would have to be decoded first
        assert all(note in notes for note in image_info(data).notes)
    assert any("High Bit" in note for note in image_info(data).notes) == (high != 11)


@pytest.mark.parametrize("high", [11, 13, 15])
@pytest.mark.parametrize("compress", [False, True])
def test_left_justified_values_are_read_whatever_high_bit_says(high, compress):
    ds = data_set(GRAY12 << 4, bits=12, HighBit=high)
    if compress:
        data = saved(ds, uid.JPEGLossless, [jpeg_lossless(GRAY12 << 4, bits=16)])
    else:
        data = saved(ds)
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert ("High Bit" in notes) == (high != 15 or compress)


def test_overlays_in_spare_bits_do_not_count_against_high_bit():
    ds = data_set((GRAY12 << 4) | (GRAY12 & 1), bits=12, HighBit=15)
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 0)
    assert_same_image(read_image(saved(ds)), GRAY12)


STEPS = np.arange(0, 4096, 5, np.uint16)
RAMP = STEPS[None].repeat(4, 0)


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(
    ("entries", "bits", "taken"),
    [
        (np.arange(4096) * 4, 10, 14),  # wider than declared
        (np.arange(4096), 10, 12),
        (np.arange(4096), 16, 12),  # the word's bits declared
        (np.arange(4096) // 16, 16, 8),
        (np.arange(4096) * 8, 16, None),  # the lower half of the range may be meant
        (np.arange(4096) * 16, 0, 16),
        (np.arange(4096) * 16, 32, 16),
    ],
)
def test_bits_of_a_table_are_those_of_its_entries(keyword, entries, bits, taken):
    ds = data_set(RAMP, bits=12, photometric="MONOCHROME1")
    setattr(ds, keyword, [lut_item(0, bits, entries)])
    image, notes = read_with_notes(saved(ds))
    top = 2 ** (taken or 16) - 1
    expected = (top - entries[RAMP]).astype(np.uint8 if taken == 8 else np.uint16)
    assert_same_image(image, expected)
    assert (f"LUT of {bits} bits holds entries of {taken}" in notes) == (taken is not None)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("bits", [8, 16])
def test_entries_packed_two_a_word_are_read(syntax, bits):
    entries = (np.arange(4096) // 16).astype(np.uint8)
    ds = data_set(RAMP, bits=12, VOILUTSequence=[lut_item(0, bits, [0, 0])])
    item = ds.VOILUTSequence[0]
    item.LUTDescriptor = [4096, 0, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries.tobytes()
    if syntax == uid.ExplicitVRBigEndian:
        item.LUTData = entries.reshape(-1, 2)[:, ::-1].tobytes()
        ds.PixelData = RAMP.astype(">u2").tobytes()
    image, _ = read_with_notes(saved(ds, syntax))
    assert_same_image(image, entries[RAMP])


def test_a_table_shorter_than_declared_ends_with_its_last_entry():
    ds = data_set(RAMP, bits=12, VOILUTSequence=[lut_item(0, 16, np.arange(3000) * 20)])
    ds.VOILUTSequence[0].LUTDescriptor = [4096, 0, 16]
    ds.VOILUTSequence[0]["LUTDescriptor"].VR = "US"
    image, notes = read_with_notes(saved(ds))
    assert_same_image(image, (np.minimum(RAMP, 2999) * 20).astype(np.uint16))
    assert "VOI LUT of 4096 entries, 3000 are there" in notes


ENTRIES = np.arange(3000) * 20


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_a_first_value_mapped_without_its_sign_is_told_by_the_rescale(syntax):
    pixels = np.array([[0, 500, 1999, 2999]], np.uint16)
    ds = data_set(
        pixels, bits=12, RescaleSlope="1", RescaleIntercept="-1000",
        VOILUTSequence=[lut_item(64_536, 16, ENTRIES)],
    )  # fmt: skip
    image, notes = read_with_notes(saved(ds, syntax))
    assert_same_image(image, ENTRIES[pixels].astype(np.uint16))
    assert "VOI LUT begins at 64536, beyond most values; taken as -1000" in notes
    assert any("begins at 64536" in note for note in image_info(saved(ds, syntax)).notes)


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize(
    ("pixels", "first", "vr"),
    [
        (np.array([[-1000, -500, 0, 1999]], np.int16), 64_536, "US"),
        (np.array([[40_000, 41_000, 42_999, 39_000]], np.uint16), -25_536, "SS"),
        (np.array([[40_000, 41_000, 42_999, 39_000]], np.uint16), 40_000, "US"),
        (np.array([[-1000, -500, 0, 1999]], np.int16), -1000, "SS"),
    ],
)
def test_a_first_value_mapped_of_the_other_sign_is_told_by_the_pixels(keyword, pixels, first, vr):
    ds = data_set(pixels)
    setattr(ds, keyword, [lut_item(first, 16, ENTRIES, vr=vr)])
    image, notes = read_with_notes(saved(ds))
    meant = 40_000 if pixels.dtype == np.uint16 else -1000
    places = np.clip(pixels.astype(int) - meant, 0, 2999)
    assert_same_image(image, ENTRIES[places].astype(np.uint16))
    assert ("begins at" in notes) == (first != meant)


@pytest.mark.parametrize("written", ["text", "US", "SS"])
def test_an_intercept_without_its_sign_is_told_by_the_window(written):
    window = {"WindowCenter": "40", "WindowWidth": "400"}
    right = saved(data_set(GRAY12, bits=12, RescaleSlope="1", RescaleIntercept="-1024", **window))
    data = saved(data_set(GRAY12, bits=12, RescaleSlope="1", RescaleIntercept="64512", **window))
    old = element(0x00281052, "DS", b"64512 ")
    assert old in data
    if written == "US":
        data = data.replace(old, element(0x00281052, "US", b"\x00\xfc"))
    if written == "SS":
        data = data.replace(old, element(0x00281052, "SS", b"\x00\xfc"))
    image, notes = read_with_notes(data)
    assert_same_image(image, read_image(right))
    assert "Intercept 64512 is beyond" in notes if written == "text" else "(0028,1052)" in notes


def test_a_window_center_without_its_sign_is_told_by_the_values():
    right = data_set(SIGNED12, bits=12, WindowCenter="-400", WindowWidth="900")
    wrong = data_set(SIGNED12, bits=12, WindowCenter="65136", WindowWidth="900")
    image, notes = read_with_notes(saved(wrong))
    assert_same_image(image, read_image(saved(right)))
    assert "Window Center 65136 is beyond all values" in notes


def test_a_window_beyond_all_values_is_told():
    image, notes = read_with_notes(
        saved(data_set(GRAY12, bits=12, WindowCenter="9000", WindowWidth="90"))
    )
    assert image.max() == 0
    assert "window of center 9000 and width 90 beyond all values" in notes


@pytest.mark.parametrize(
    ("written", "read"), [(b"1,5 ", 1.5), (b"1.5\0zz", 1.5), (b"1.5 mm", 1.5), (b"+1.50E0 ", None)]
)
def test_a_number_that_is_not_clean_is_read_with_a_note(written, read):
    data = saved(data_set(GRAY12, bits=12, RescaleSlope="2.25", RescaleIntercept="0"))
    data = data.replace(element(0x00281053, "DS", b"2.25"), element(0x00281053, "DS", written))
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert ("(0028,1053) is no clean number; read as 1.5" in notes) == (read is not None)
    assert image_info(data).rescale == (1.5, 0.0)


@pytest.mark.parametrize(
    "written", [b"nan ", b"inf ", b"1e999 ", b"1_0 ", b"0x10", b"--1 ", b"1.2.3 "]
)
def test_what_is_no_number_is_left_out_with_a_note(written):
    data = saved(data_set(GRAY12, bits=12, RescaleSlope="2.25", RescaleIntercept="0"))
    data = data.replace(element(0x00281053, "DS", b"2.25"), element(0x00281053, "DS", written))
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert "(0028,1053) is no number; left out" in notes


@pytest.mark.parametrize("vr", ["US", "SS", "UL", "SL", "FL", "FD"])
def test_a_rescale_in_binary_is_read(vr):
    form = {"US": "<u2", "SS": "<i2", "UL": "<u4", "SL": "<i4", "FL": "<f4", "FD": "<f8"}[vr]
    window = {"WindowCenter": "3000", "WindowWidth": "1000"}
    ds = data_set(GRAY12, bits=12, RescaleSlope="2", RescaleIntercept="100", **window)
    right = read_image(saved(ds))
    data = saved(ds)
    for tag, text, value in ((0x00281053, b"2 ", 2), (0x00281052, b"100 ", 100)):
        old = element(tag, "DS", text)
        assert old in data
        data = data.replace(old, element(tag, vr, np.array(value, form).tobytes()))
    image, notes = read_with_notes(data)
    assert_same_image(image, right)
    assert f"(0028,1053) written with VR {vr}; read as 2" in notes


def encapsulated(pixels, frame, syntax, **elements):
    """Put a compressed frame under any transfer syntax."""
    data = saved(data_set(pixels, **elements), uid.JPEG2000Lossless, [frame])
    old, new = uid.JPEG2000Lossless.encode(), syntax.encode()
    return data.replace(old, new + b"\0" * (len(old) - len(new)))


RLE_FRAME = next(pydicom.encaps.generate_frames(
    pydicom.dcmread(io.BytesIO(compressed(data_set(GRAY12, bits=12), uid.RLELossless))).PixelData,
    number_of_frames=1,
))  # fmt: skip
STREAMS = {
    "JPEG 2000": (GRAY12, j2k(GRAY12, 12), 12),
    "JPEG": (GRAY12, jpeg_lossless(GRAY12, bits=12), 12),
    "JPEG-LS": (GRAY12, near_lossless(GRAY12, 0), 12),
    "HTJ2K": (HTJ2K_PIXELS, HTJ2K_FRAME, 12),
    "RLE": (GRAY12, RLE_FRAME, 12),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    "syntax",
    [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.JPEGBaseline8Bit, uid.RLELossless],
)
def test_a_frame_is_decoded_as_what_it_is(name, syntax):
    pixels, frame, bits = STREAMS[name]
    if syntax == uid.ImplicitVRLittleEndian:
        ds = data_set(pixels, bits=bits)
        native = saved(ds, syntax)
        start = native.index(b"\xe0\x7f\x10\0")
        whole = pydicom.encaps.encapsulate([frame]) + b"\xfe\xff\xdd\xe0\0\0\0\0"
        data = native[: start + 4] + b"\xff\xff\xff\xff" + whole
    else:
        data = encapsulated(pixels, frame, syntax, bits=bits)
    image, notes = read_with_notes(data)
    assert_same_image(image, pixels)
    same = (name, syntax) in (("RLE", uid.RLELossless), ("JPEG", uid.JPEGBaseline8Bit))
    assert (f"transfer syntax {syntax} over {name}" in notes) == (not same)
    assert any("transfer syntax" in note for note in image_info(data).notes) == (not same)


def test_encapsulated_pixels_of_no_known_kind_under_a_native_syntax_are_one_sentence():
    data = encapsulated(GRAY8, b"no code stream known here", uid.ExplicitVRLittleEndian)
    with pytest.raises(ValueError, match="compressed in a way that is not known"):
        read_image(data)


def test_encapsulated_pixels_of_a_defined_length_are_read():
    data = saved(data_set(GRAY12, bits=12), uid.JPEG2000Lossless, [j2k(GRAY12, 12)])
    start = data.index(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff")
    length = len(data) - start - 12
    data = data[: start + 8] + length.to_bytes(4, "little") + data[start + 12 :]
    assert_same_image(read_image(data), GRAY12)


def test_native_pixels_under_a_compressed_syntax_are_read_with_a_note():
    data = saved(data_set(GRAY12, bits=12))
    old = b"1.2.840.10008.1.2.1\0"
    place = data.index(old)
    new = uid.JPEG2000Lossless.encode()
    shorter = data[: place - 2] + len(new).to_bytes(2, "little") + new + data[place + len(old) :]
    length = int.from_bytes(shorter[140:144], "little") + len(new) - len(old)
    shorter = shorter[:140] + length.to_bytes(4, "little") + shorter[144:]
    image, notes = read_with_notes(shorter)
    assert_same_image(image, GRAY12)
    assert "native pixels under transfer syntax" in notes


@pytest.mark.parametrize("stored", [8, 12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_jpeg_of_8_bits_in_16_allocated_is_read(stored, photometric):
    frame = encoded(".jpg", GRAY8)
    plain = saved(data_set(GRAY8, photometric=photometric), uid.JPEGBaseline8Bit, [frame])
    ds = data_set(GRAY8.astype(np.uint16), bits=stored, photometric=photometric)
    image, notes = read_with_notes(saved(ds, uid.JPEGBaseline8Bit, [frame]))
    assert_same_image(image, read_image(plain))
    assert ("compressed pixels of 8; taken as 8" in notes) == (stored > 8)


def test_a_stream_deeper_than_the_bits_allocated_keeps_its_depth():
    data = saved(data_set(GRAY8), uid.JPEG2000Lossless, [j2k(GRAY12, 12)])
    image, notes = read_with_notes(data)
    assert_same_image(image, GRAY12)
    assert "Bits Stored 8 over compressed pixels of 12; taken as 12" in notes


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (uid.JPEG2000Lossless, "pylibjpeg-openjpeg "),
        (uid.JPEGLSLossless, "pyjpegls "),
        (uid.RLELossless, "pylibjpeg-rle "),
        (None, ""),
    ],
)
def test_the_decoder_of_compressed_pixels_is_told(syntax, name):
    ds = data_set(GRAY12, bits=12)
    data = saved(ds) if syntax is None else compressed(ds, syntax)
    decoder = decode_dicom(data, ReadOptions()).decoder
    assert decoder.startswith(name)
    assert bool(decoder) == bool(name)


def test_an_extra_does_not_change_the_decoder_of_lossy_jpeg(monkeypatch):
    from cxr_enhance.io.dicom import plugins

    decoder = plugins.load_pydicom("pydicom.pixels").get_decoder(uid.JPEGBaseline8Bit)
    here = decoder._available
    monkeypatch.setattr(decoder, "_available", {"pylibjpeg": None, **here})
    assert plugins.decoder_for(uid.JPEGBaseline8Bit)[1][-1] == "pylibjpeg"
    assert plugins.decoder_for(uid.JPEGBaseline8Bit)[1][0] in here


@pytest.mark.parametrize("high", [11, 15])
def test_left_justified_values_compressed_with_loss_are_not_taken_for_white(high):
    pixels = (2 * 1024 + GRAY12 // 2) << 4  # most are far above the range of 12 bits
    frame = near_lossless(pixels.astype(np.uint16), 12)
    data = saved(data_set(GRAY12, bits=12, HighBit=high), uid.JPEGLSNearLossless, [frame])
    image, notes = read_with_notes(data)
    assert np.abs(image.astype(int) - (pixels >> 4)).max() <= 1
    assert "left-justified" in notes
