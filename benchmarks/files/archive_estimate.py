"""CPU seconds and bytes per file for images as in public archives: the values of docs/archives.md.

``python -m benchmarks.files.archive_estimate`` writes ``results/files/archive-estimate.json``, from
which ``python -m benchmarks.tables`` makes the tables; ``--print`` prints the results instead. The
results are medians over several generated files, of the CPU time of one thread. Files are read from
memory and written to memory, so the time of the disk must be added.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pydicom

import cxr_enhance as cxe
from cxr_enhance.archive.job import STUDY_SIZE, Job
from cxr_enhance.archive.task import encoded_output, result_image
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import decode_image
from cxr_enhance.io.write import encode_image
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = 5
STORED = Path(__file__).parents[1] / "results" / "files" / "archive-estimate.json"


def native_dicom(height: int, width: int, seed: int) -> bytes:
    """Return an uncompressed 12-bit DICOM file with a window, as in MIMIC-CXR."""
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
    """Return an 8-bit JPEG file, as in CheXpert."""
    return bytes(encode_image(synthetic_radiograph(height, width, seed=seed), ".jpg", 90))


JOBS = {
    "full size, PNG": Job(params=cxe.EnhanceParams()),
    "long side 1024, PNG": Job(params=cxe.EnhanceParams(), long_side=1024),
    "long side 512, PNG": Job(params=cxe.EnhanceParams(), long_side=512),
    "study 224 x 224, PNG": Job(
        params=cxe.EnhanceParams(),
        size_wh=STUDY_SIZE,
        resize_first=True,
        interpolation="linear",
    ),
    "mimic-cxr-jpg": Job(params=None, read=ReadOptions(voi="none"), output_format="jpeg"),
}
SOURCES: dict[str, Callable[[int], bytes]] = {
    "MIMIC-CXR: DICOM 3056 x 2544, 12 bits": lambda seed: native_dicom(3056, 2544, seed),
    "CheXpert: JPEG 2828 x 2320": lambda seed: jpeg(2828, 2320, seed),
    "an archive: DICOM 2500 x 2048, 12 bits": lambda seed: native_dicom(2500, 2048, seed),
}


def steps_of(source: bytes, job: Job) -> tuple[list[float], int]:
    """Return the CPU seconds of decoding, enhancing and encoding, and the bytes of the output."""
    clock = [time.thread_time()]
    decoded = decode_image(source, job.read)
    clock.append(time.thread_time())
    image = result_image(decoded, job, []).image
    clock.append(time.thread_time())
    size = len(encoded_output(image, source, job, []))
    clock.append(time.thread_time())
    return [float(seconds) for seconds in np.diff(clock)], size


def measure(sources: list[bytes], job: Job) -> dict[str, float]:
    """Return the median times of the steps of one kind of file, and the sizes of the files."""
    times: dict[str, list[float]] = {"decode_s": [], "enhance_s": [], "encode_s": []}
    sizes = []
    for source in [sources[0], *sources]:  # an extra first file compiles and loads the code
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
    text = json.dumps(found, indent=1) + "\n"
    if "--print" in sys.argv[1:]:
        sys.stdout.write(text)
    else:
        STORED.parent.mkdir(exist_ok=True)
        STORED.write_text(text, encoding="utf-8")
