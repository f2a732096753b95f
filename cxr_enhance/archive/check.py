"""Inspect files for reasons not to use them; each file gives one row of a CSV file."""

from __future__ import annotations

import csv
import io
import os
import stat
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance._self_check import digest
from cxr_enhance.archive._cells import escaped_cell
from cxr_enhance.archive.findings import HEADER_TAGS, header_findings, pixel_findings
from cxr_enhance.archive.outcome import reason_of
from cxr_enhance.archive.task import is_image_name
from cxr_enhance.io.dicom.attributes import header_texts
from cxr_enhance.io.dicom.no_image import NoImageError
from cxr_enhance.io.info import image_info
from cxr_enhance.io.opencv import load_cv2
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.io.read import decode_image, read_if_image, read_start

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from cxr_enhance._types import Image
    from cxr_enhance.archive.findings import Kind
    from cxr_enhance.archive.plan import Plan
    from cxr_enhance.archive.planned_files import PlannedFile
    from cxr_enhance.io.info import ImageInfo

_PREFETCHED_FILES = 4  # files per thread that are read before their rows are needed


class Checked(NamedTuple):
    """The row of one file: its findings and its header; `pixels` is a digest of its gray pixels."""

    file: str
    findings: tuple[Kind, ...]
    detail: str = ""
    format: str = ""
    width: int | None = None
    height: int | None = None
    bits: int | None = None
    modality: str | None = None
    view: str | None = None
    pixels: str = ""


def check_files(plan: Plan, threads: int, options: ReadOptions | None = None) -> Generator[Checked]:
    """Inspect the files of a plan and yield their rows in the order of the plan.

    Other files than images that were found in folders give no row. A file whose pixels equal those
    of an earlier file has the finding "equal-pixels", and its detail names the earlier file.
    Files are read with `options`, or with the default options.
    """
    for problem in plan.problems:
        yield Checked(problem.source, ("unreadable",), problem.reason)
    first_of: dict[str, str] = {}
    for row in _in_order(plan.files, threads, options or ReadOptions()):
        if row is None:
            continue
        first = first_of.setdefault(row.pixels, row.file) if row.pixels else row.file
        if first == row.file:
            yield row
        else:
            equal = f"equal to {first}"
            yield row._replace(findings=(*row.findings, "equal-pixels"), detail=equal)


def _in_order(
    files: Sequence[PlannedFile], threads: int, options: ReadOptions
) -> Iterator[Checked | None]:
    with ThreadPoolExecutor(threads, thread_name_prefix="check") as pool:
        waiting = deque(
            pool.submit(check_file, file, options) for file in files[: threads * _PREFETCHED_FILES]
        )
        try:
            for index in range(len(files)):
                yield waiting.popleft().result()
                if index + threads * _PREFETCHED_FILES < len(files):
                    waiting.append(
                        pool.submit(check_file, files[index + threads * _PREFETCHED_FILES], options)
                    )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def check_file(file: PlannedFile, options: ReadOptions) -> Checked | None:
    """Inspect one file; None if it is not an image and its name is not that of an image."""
    row = Checked(file.source, ())
    try:
        if not stat.S_ISREG(os.stat(file.source).st_mode):  # reading a pipe could wait for ever
            raise ValueError("is not a regular file.")
        data = read_if_image(file.source, options)
        if data is None:
            if not file.is_named_by_user and not is_image_name(file.source):
                return None
            data = read_start(file.source)  # decode_image raises the error that names its format
        image = decode_image(data, options).image
        return _row_of_image(row, image, image_info(data), header_texts(data, HEADER_TAGS))
    except NoImageError:
        return None
    except Exception as error:  # one bad file must not end the inspection of a million files
        return row._replace(findings=("unreadable",), detail=reason_of(error))


def _row_of_image(
    row: Checked, image: Image, info: ImageInfo, texts: dict[int, tuple[str, ...]] | None
) -> Checked:
    if image.ndim == 3:
        cv2 = load_cv2()
        image = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return row._replace(
        findings=tuple(dict.fromkeys((*pixel_findings(image), *header_findings(info, texts)))),
        format=info.format,
        width=image.shape[1],
        height=image.shape[0],
        bits=info.bits,
        modality=info.modality,
        view=info.view,
        pixels=digest(image),
    )


def csv_line(cells: Sequence[object]) -> bytes:
    """Encode one row of CSV; cells that a spreadsheet would run as formulas get an apostrophe."""
    file = io.StringIO(newline="")
    csv.writer(file).writerow([escaped_cell(cell) for cell in cells])
    return file.getvalue().encode("utf-8", "surrogateescape")


def row_of(row: Checked) -> bytes:
    """Encode the row of a file."""
    return csv_line([
        ";".join(cell) if isinstance(cell, tuple) else cell for cell in row
    ])  # fmt: skip
