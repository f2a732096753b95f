"""CPU seconds and bytes a file, for the sizes of public archives: the figures of docs/archives.md.

``python -m benchmarks.files.archive_estimate`` prints JSON. CPU time of one thread, the median of
several files, generated; reading and writing is to memory, so that the disk's share is to be added.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pydicom

import cxr_enhance as cxe
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.task import encoded_output, result_image
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import decode_image
from cxr_enhance.io.write import encode_image
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = 5


def native_dicom(height: int, width: int, seed: int) -> bytes:
    """Make an uncompressed DICOM of 12 bits with a window, as MIMIC-CXR's are."""
    image = synthetic_radiograph(height, width, seed=seed, bits=12)
    data_set = pydicom.Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3"
    data_set.Rows, data_set.Columns = image.shape
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PixelRepresentation = 0
    data_set.WindowCenter, data_set.WindowWidth = "2048", "4096"
    data_set.PixelData = image.tobytes()
    data_set["PixelData"].VR = "OW"
    data_set.file_meta = pydicom.dataset.FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file = io.BytesIO()
    pydicom.dcmwrite(file, data_set, enforce_file_format=True)
    return file.getvalue()


def jpeg(height: int, width: int, seed: int) -> bytes:
    """Make an 8-bit JPEG as CheXpert's are."""
    return bytes(encode_image(synthetic_radiograph(height, width, seed=seed), ".jpg", 90))


JOBS = {
    "full size, PNG": Job(params=cxe.EnhanceParams()),
    "long side 1024, PNG": Job(params=cxe.EnhanceParams(), long_side=1024),
    "long side 512, PNG": Job(params=cxe.EnhanceParams(), long_side=512),
    "mimic-cxr-jpg": Job(params=None, read=ReadOptions(voi="none"), output_format="jpeg"),
}
SOURCES: dict[str, Callable[[int], bytes]] = {
    "MIMIC-CXR: DICOM 3056 x 2544, 12 bits": lambda seed: native_dicom(3056, 2544, seed),
    "CheXpert: JPEG 2828 x 2320": lambda seed: jpeg(2828, 2320, seed),
    "an archive: DICOM 2500 x 2048, 12 bits": lambda seed: native_dicom(2500, 2048, seed),
}


def steps_of(source: bytes, job: Job) -> tuple[list[float], int]:
    """Give the CPU seconds of decoding, enhancing and encoding one file, and the output's bytes."""
    clock = [time.thread_time()]
    decoded = decode_image(source, job.read)
    clock.append(time.thread_time())
    image = result_image(decoded, job, []).image
    clock.append(time.thread_time())
    size = len(encoded_output(image, source, job, []))
    clock.append(time.thread_time())
    return [float(seconds) for seconds in np.diff(clock)], size


def measure(sources: list[bytes], job: Job) -> dict[str, float]:
    """Time the steps of one kind of file."""
    times: dict[str, list[float]] = {"decode_s": [], "enhance_s": [], "encode_s": []}
    sizes = []
    for source in [sources[0], *sources]:  # the first once more: it compiles and loads
        seconds, size = steps_of(source, job)
        sizes.append(size)
        for name, each in zip(times, seconds, strict=True):
            times[name].append(each)
    medians = {name: round(statistics.median(each[1:]), 4) for name, each in times.items()}
    total = sum(medians.values())
    return {**medians, "cpu_s": round(total, 4), "input_mb": round(len(sources[0]) / 1e6, 2),
            "output_mb": round(statistics.median(sizes) / 1e6, 3)}  # fmt: skip


if __name__ == "__main__":
    cv2.setNumThreads(1)
    found = {
        name: {job_name: measure([make(seed) for seed in range(FILES)], job)
               for job_name, job in JOBS.items()}
        for name, make in SOURCES.items()
    }  # fmt: skip
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
