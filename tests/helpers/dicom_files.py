"""DICOM files for tests, in all variants that an export of a hospital can contain."""

from __future__ import annotations

import base64
import io
import itertools
import struct
import warnings

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from cxr_enhance import read_image

DX = "1.2.840.10008.5.1.4.1.1.1.1.1"


def data_set(pixels, *, bits=None, photometric=None, **elements):
    """Return a data set with `pixels` of shape (H, W), (H, W, 3) or (frames, H, W).

    Keywords are further DICOM elements.
    """
    pixels = np.asarray(pixels)
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = DX, generate_uid(entropy_srcs=["test"])
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.5"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Doe^Jane", "SECRET-4711", "19700101"
    ds.InstitutionName, ds.Modality = "St. Elsewhere", "DX"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LAT"]
    ds.ViewPosition, ds.ImageLaterality = "PA", "L"
    ds.PixelSpacing = ["0.2", "0.1"]
    frames = pixels.ndim == 3 and not colour
    ds.Rows, ds.Columns = pixels.shape[1:] if frames else pixels.shape[:2]
    if frames:
        ds.NumberOfFrames = len(pixels)
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = photometric or ("RGB" if colour else "MONOCHROME2")
    if colour:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored = bits or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in elements.items():
        setattr(ds, name, value)
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if ds.BitsAllocated == 16 else "OB"
    return ds


def saved(ds, transfer_syntax=ExplicitVRLittleEndian, frames=None):
    """Return the bytes of the file of a data set.

    `frames` are compressed frames that replace `PixelData`; None keeps `PixelData`.
    """
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    if frames is not None:
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some data sets are invalid on purpose
        pydicom.dcmwrite(file, ds, enforce_file_format=True)
    return file.getvalue()


def compressed(ds, transfer_syntax, plugin="", **options):
    """Return the bytes of the file of a data set, compressed with pydicom's encoder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(transfer_syntax, encoding_plugin=plugin, **options)
    return saved(ds, transfer_syntax)


def lut_item(first, bits, values, vr="US"):
    """Return an item of a lookup table sequence."""
    item = Dataset()
    item.add_new(0x00283002, vr, [len(values) % 65_536, first, bits])
    item.add_new(0x00283006, "OW", np.asarray(values, "<u2").tobytes())
    return item


def shown_by_pydicom(data, voi="auto", frame=0):
    """Return pydicom's pixels of a file, before the range is shifted and polarity is handled."""
    ds = pydicom.dcmread(io.BytesIO(data), force=True)
    pixels = ds.pixel_array
    if ds.get("NumberOfFrames", 1) > 1:
        pixels = pixels[frame]
    values = apply_modality_lut(pixels, ds)
    if voi == "window":
        ds.VOILUTSequence = []
    if voi == "lut":
        del ds.WindowCenter
    if voi == "none":
        return values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a VOI LUT on rescaled values
        return apply_voi_lut(values, ds)


def element(tag, vr, value, length=None):
    """Return an explicit little-endian element; `length` can be a wrong length on purpose."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    length = len(value) if length is None else length
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return head + struct.pack("<HI", 0, length) + value
    return head + struct.pack("<H", length) + value


HTJ2K_PIXELS = (250 * np.arange(12)[:, None] + 57 * np.arange(20)).astype(np.uint16)
# `HTJ2K_PIXELS`, compressed losslessly with OpenJPH. No package that the tests need can encode
# HTJ2K.
HTJ2K_FRAME = base64.b64decode(
    "/0//UQApQAAAAAAUAAAADAAAAAAAAAAAAAAAFAAAAAwAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUE"
    "BEAB/1wAEyCIkJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAI4AAf+TwAAm"
    "T/QFB3QAwAASgE4Ch3QAwAASQAAVAADHdAC4EBf+AOI0AMAAEkAAFSAAwnQAi4vFAAAA9jYAwAAVEAAFeP5+0Q/h"
    "C3YAZCQjGclIxuAo/lKBvrgAwAArIAAWsDAMwzD878p6cIJ3APLl5eXl5eXl5eX8hj2MYHv2MYHsvAD/2Q=="
)


def segment(marker, content):
    """Return a JPEG marker segment."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def scan_data(bits):
    """Return a text of zeros and ones packed as entropy-coded data."""
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    return data.replace(b"\xff", b"\xff\0")


def difference_code(difference):
    """Return the JPEG code of a difference as a text of bits; the size has a 5-bit Huffman code."""
    size = int(abs(difference)).bit_length()
    if not size:
        return "00000"
    low = difference if difference > 0 else difference + (1 << size) - 1
    return f"{size:05b}{low:0{size}b}"


# Huffman table in which the code of each size is the size itself, with 5 bits
SIZES_CODE = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])


def jpeg_lossless(pixels, bits=8, order=1):
    """Return a lossless JPEG (process 14), coded by first differences."""
    height, width = pixels.shape
    values = pixels.astype(int)
    codes = []
    for y in range(height):
        for x in range(width):
            left = values[y, x - 1] if x else values[y - 1, 0] if y else 1 << bits - 1
            codes.append(difference_code(values[y, x] - left))
    return (
        b"\xff\xd8"
        + segment(0xC3, struct.pack(">BHHBBBB", bits, height, width, 1, 1, 0x11, 0))
        + segment(0xC4, SIZES_CODE)
        + segment(0xDA, bytes([1, 1, 0, order, 0, 0]))
        + scan_data("".join(codes))
        + b"\xff\xd9"
    )


def jpeg_extended(blocks):
    """Return a 12-bit JPEG (process 4).

    Each value of `blocks`, of shape (rows, columns), becomes 8 x 8 equal pixels.
    """
    rows, columns = blocks.shape
    levels = [0, *(8 * (int(value) - 2048) for value in blocks.flat)]  # DC, quantised by 1
    codes = [difference_code(b - a) + "0" for a, b in itertools.pairwise(levels)]
    return (
        b"\xff\xd8"
        + segment(0xDB, bytes([0, *[1] * 64]))
        + segment(0xC1, struct.pack(">BHHBBBB", 12, 8 * rows, 8 * columns, 1, 1, 0x11, 0))
        + segment(0xC4, SIZES_CODE)
        + segment(0xC4, bytes([0x10, 1, *[0] * 15, 0]))  # AC table with only the end of block
        + segment(0xDA, bytes([1, 1, 0, 0, 63, 0]))
        + scan_data("".join(codes))
        + b"\xff\xd9"
    )


def j2k(pixels, bits, **options):
    """Return a JPEG 2000 image with `bits` bits; it is lossless unless a ratio is given."""
    import openjpeg.utils

    return bytes(openjpeg.utils.encode_array(pixels, bits_stored=bits, use_mct=False, **options))


def near_lossless(pixels, error):
    """Return a JPEG-LS image with the bit depth of the array."""
    import jpeg_ls

    return bytes(jpeg_ls.encode_array(pixels, error))


def read_with_notes(data, **options):
    """Read an image; return the image and the texts of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = read_image(data, **options)
    return image, " ".join(str(warning.message) for warning in caught)
