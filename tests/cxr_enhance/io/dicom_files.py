"""DICOM files made for tests, in every shape that a hospital export may hold."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

DX = "1.2.840.10008.5.1.4.1.1.1.1.1"


def data_set(pixels, *, bits=None, photometric=None, **elements):
    """Describe `pixels`, (H, W), (H, W, 3) or (frames, H, W); keywords are further elements."""
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
    """Write a data set to bytes; `frames` are its compressed pixels, `PixelData` stays without."""
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
        warnings.simplefilter("ignore")  # some are wrong on purpose
        pydicom.dcmwrite(file, ds, enforce_file_format=True)
    return file.getvalue()


def compressed(ds, transfer_syntax, plugin="", **options):
    """Compress a data set with pydicom's encoder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(transfer_syntax, encoding_plugin=plugin, **options)
    return saved(ds, transfer_syntax)


def lut_item(first, bits, values, vr="US"):
    """Make an item of a lookup table sequence."""
    item = Dataset()
    item.add_new(0x00283002, vr, [len(values) % 65_536, first, bits])
    item.add_new(0x00283006, "OW", np.asarray(values, "<u2").tobytes())
    return item


def shown_by_pydicom(data, voi="auto", frame=0):
    """Give what pydicom makes of a file, before any range is moved and polarity is seen to."""
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
    """Make an explicit little-endian element, of a false `length` if need be."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    length = len(value) if length is None else length
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return head + struct.pack("<HI", 0, length) + value
    return head + struct.pack("<H", length) + value
