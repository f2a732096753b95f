"""Prediction of image files: find them, read them on all CPUs, predict, and write a table.

Files are read and prepared by the same code as in training. A file that cannot be read gets a row
with an error.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
from cxr_enhance import Transform, usable_cpus
from cxr_models._cells import CsvWriter, escape_formula
from cxr_models._outputs import Kind, first_row, replaces_output
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.operating_points import called
from cxr_models.inputs.loader import ImageLoader, errors_name_file
from cxr_models.records.scan import find_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from cxr_models.config import DataConfig

    Floats = npt.NDArray[np.float64]
    Images = npt.NDArray[np.uint8]

_PREFETCH_BATCHES = 3
_FIRST_COLUMNS, _LAST_COLUMNS = ("file", "predicted", "called"), ("calibrated", "error")
_BETWEEN_CALLED = _BETWEEN_FILES = ";"


def _is_table(path: Path) -> bool:
    names = first_row(path)
    if names[1:2] and names[1].startswith("probability:"):  # a table of findings
        names.insert(1, "predicted")
    if names[2:3] == ["called"]:  # earlier versions had no such column
        del names[2]
    ends = tuple(names[:2]), tuple(names[-2:])
    return ends == (_FIRST_COLUMNS[:2], _LAST_COLUMNS) and "probability:" in names[2]


TABLE = Kind("a table that cxr-models predict wrote", _is_table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An image file to predict.

    Parameters
    ----------
    path : str
        Path of the file.
    name : str
        Relative name of the outputs for this file. All names differ, and a name joined to a folder
        stays inside this folder.
    """

    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch of files, with the images of the M files that could be read."""

    sources: tuple[Source, ...]
    errors: tuple[str, ...]  # the error of each file; empty if the file could be read
    images: Images  # (M, H, W, C); the prepared images, as input of the model
    # the images as they were read; empty unless originals are kept
    originals: tuple[Any, ...]
    transforms: tuple[Transform, ...]  # mapping of the pixels of `images` to the original images


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The prediction of one file, patient or study."""

    file: str  # the file; the first file of a patient or study
    probabilities: tuple[float, ...] | None  # None if there is an error
    error: str  # why there are no probabilities; empty without an error
    files: tuple[str, ...] = ()  # all files of a patient or study; empty for a single file
    logits: tuple[float, ...] = ()  # the logits of `probabilities`, before any calibration


def find_sources(inputs: Sequence[str | os.PathLike[str]]) -> list[Source]:
    """Return the image files of `inputs`; folders are searched recursively, in order.

    Parameters
    ----------
    inputs : sequence of str or PathLike
        Files and folders. A file is taken with any name. Of a folder, files with the suffix of an
        image format and DICOM files with any name are taken. Hidden files and linked folders are
        skipped.

    Returns
    -------
    list of Source
        Each file once.

    Raises
    ------
    ValueError
        If there are no files.
    """
    sources: dict[str, Source] = {}
    names: set[str] = set()
    for given in (os.fspath(path) for path in inputs):
        inside = _files_under(given) if os.path.isdir(given) else [given]
        for path in inside:
            name = os.path.relpath(path, given) if path != given else os.path.basename(path)
            if os.path.realpath(path) not in sources:
                sources[os.path.realpath(path)] = Source(path=path, name=_new(name, names))
    if not sources:
        raise ValueError(
            f"`INPUT` must name images or folders of images; got {', '.join(map(repr, inputs))}, "
            "where there are none."
        )
    return list(sources.values())


def read_batches(
    config: DataConfig, sources: Sequence[Source], size: int, *, keep_originals: bool = False
) -> Iterator[Batch]:
    """Read and prepare image files on all CPUs, by the same code as in training.

    Up to three batches are read in advance.

    Parameters
    ----------
    config : DataConfig
        The image settings of the run.
    sources : sequence of Source
        The files to read.
    size : int
        Number of files in a batch.
    keep_originals : bool, default False
        Whether batches also have the images as they were read.

    Yields
    ------
    Batch
        The batches, in the order of `sources`.
    """
    loader = ImageLoader(config)

    def read(source: Source) -> tuple[Images, Transform, Any] | str:
        try:
            image = cxr_enhance.read_image(source.path)
            with errors_name_file(source.path):
                return *loader.prepare_with_transform(image), image if keep_originals else None
        except OSError as error:
            return f"{error.strerror or error}."
        except Exception as error:  # a bad file must not stop the prediction of other files
            text = str(error).removesuffix(f" File: {source.path!r}.")  # the row has the file name
            return text or type(error).__name__

    def made(
        part: Sequence[Source], results: Sequence[tuple[Images, Transform, Any] | str]
    ) -> Batch:
        good = [result for result in results if not isinstance(result, str)]
        return Batch(
            sources=tuple(part),
            errors=tuple(result if isinstance(result, str) else "" for result in results),
            images=np.stack([image for image, _, _ in good])
            if good
            else np.empty((0, *loader.shape), np.uint8),
            originals=tuple(original for _, _, original in good) if keep_originals else (),
            transforms=tuple(transform for _, transform, _ in good),
        )

    pool = ThreadPoolExecutor(usable_cpus())
    try:
        waiting: deque[Any] = deque()
        for start in range(0, len(sources), size):
            part = sources[start : start + size]
            waiting.append((part, [pool.submit(read, source) for source in part]))
            if len(waiting) > _PREFETCH_BATCHES:
                part, futures = waiting.popleft()
                yield made(part, [future.result() for future in futures])
        for part, futures in waiting:
            yield made(part, [future.result() for future in futures])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def predict(
    logits_of: Callable[[Images], Floats],
    batches: Iterator[Batch],
    *,
    to_probabilities: Callable[[Floats], Floats] = softmax,
    watch: Callable[[Batch, Floats], object] | None = None,
) -> Iterator[Row]:
    """Predict every file.

    Parameters
    ----------
    logits_of : callable
        Function from images (M, H, W, C) to logits (M, K), such as
        `cxr_models.inference.logits.predict_logits` for a model.
    batches : iterator of Batch
        The result of `read_batches`.
    to_probabilities : callable, optional
        Function from logits (M, K) to calibrated probabilities (M, K), such as
        `cxr_models.inference.calibrated_run.ServedRun.probabilities`. The default is the softmax,
        without calibration.
    watch : callable, optional
        Function that is called with each batch that has images, and their probabilities (M, K).

    Yields
    ------
    Row
        One row for each file, in order.
    """
    for batch in batches:
        logits = probabilities = np.empty((0, 0))
        if len(batch.images):
            logits = logits_of(batch.images)
            probabilities = to_probabilities(logits)
            if watch is not None:
                watch(batch, probabilities)
        rows = zip(probabilities.tolist(), logits.tolist(), strict=True)
        for source, error in zip(batch.sources, batch.errors, strict=True):
            if error:
                yield Row(file=source.path, probabilities=None, error=error)
                continue
            shares, of_image = map(tuple, next(rows))
            yield Row(file=source.path, probabilities=shares, error="", logits=of_image)


def write_rows(
    path: str | os.PathLike[str],
    rows: Sequence[Row],
    class_names: Sequence[str],
    *,
    calibrated: bool,
    thresholds: Sequence[float | None] = (),
    overwrite: bool = False,
    inputs: Sequence[str | os.PathLike[str]] = (),
) -> None:
    """Write the predictions of files to a CSV file, atomically.

    Parameters
    ----------
    path : str or PathLike
        File to write. Its columns are ``file``, ``predicted``, ``called``, ``probability:CLASS``
        for each class, ``calibrated`` (``yes`` or ``no``) and ``error``. A file with an error has
        only ``file`` and ``error``. Tables of patients or studies have two more columns before
        ``calibrated``: ``images``, the number of files, and ``files``, the files separated by
        ``;``. An apostrophe is put before text that a spreadsheet would read as a formula, such as
        a name that begins with ``=``.
    rows : sequence of Row
        The predictions.
    class_names : sequence of str
        The K classes.
    calibrated : bool
        Whether the probabilities are calibrated.
    thresholds : sequence of float or None, optional
        Operating point of each class. `cxr_models.evaluation.operating_points.called` uses them to
        fill the column ``called``, in which classes are separated by ``;``. If empty, the column is
        empty.
    overwrite : bool, default False
        Whether an earlier table may be replaced.
    inputs : sequence of str or PathLike, optional
        Files that were read; the table must not replace them.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is false.
    ValueError
        If `path` exists and is not an earlier table, or is one of `inputs`.
    OSError
        If the file cannot be written.
    """
    with (
        replaces_output(Path(path), TABLE, overwrite=overwrite, inputs=inputs) as temporary,
        # File names that are not valid UTF-8 keep their bytes.
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = CsvWriter(file)
        shares = [f"probability:{name}" for name in class_names]
        of_units = ["images", "files"] if any(row.files for row in rows) else []
        writer.writerow([*_FIRST_COLUMNS, *shares, *of_units, *_LAST_COLUMNS])
        for row in rows:
            if row.probabilities is None:
                empty = [""] * (len(class_names) + len(of_units))
                writer.writerow(
                    [escape_formula(row.file), "", "", *empty, "", escape_formula(row.error)]
                )
                continue
            predicted = class_names[int(np.argmax(row.probabilities))]
            calls = called(row.probabilities, class_names, thresholds) if thresholds else ()
            flag = "yes" if calibrated else "no"
            cells = [
                escape_formula(predicted),
                escape_formula(_BETWEEN_CALLED.join(calls)),
                *row.probabilities,
            ]
            cells += _files_cells(row) if of_units else ()
            writer.writerow([escape_formula(row.file), *cells, flag, ""])


def write_finding_rows(
    path: str | os.PathLike[str],
    rows: Sequence[Row],
    findings: Sequence[str],
    *,
    calibrated: bool,
    thresholds: Sequence[float | None] = (),
    overwrite: bool = False,
    inputs: Sequence[str | os.PathLike[str]] = (),
) -> None:
    """Write the predictions of findings to a CSV file, atomically.

    Parameters
    ----------
    path : str or PathLike
        File to write. Its columns are ``file``, ``probability:FINDING`` for each finding,
        ``called:FINDING`` for each finding (1 if the probability reaches the operating point, 0 if
        not, empty if the finding has no operating point), for patients or studies ``images`` and
        ``files`` (see `write_rows`), ``calibrated`` (``yes`` or ``no``) and ``error``.
    rows : sequence of Row
        The predictions.
    findings : sequence of str
        The K findings.
    calibrated : bool
        Whether the probabilities of all findings are calibrated.
    thresholds : sequence of float or None, optional
        Operating point of each finding. If empty, no finding has an operating point.
    overwrite : bool, default False
        Whether an earlier table may be replaced.
    inputs : sequence of str or PathLike, optional
        Files that were read; the table must not replace them.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is false.
    ValueError
        If `path` exists and is not an earlier table, or is one of `inputs`.
    OSError
        If the file cannot be written.
    """
    points = thresholds or [None] * len(findings)
    with (
        replaces_output(Path(path), TABLE, overwrite=overwrite, inputs=inputs) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = CsvWriter(file)
        columns = [f"{prefix}:{name}" for prefix in ("probability", "called") for name in findings]
        of_units = ["images", "files"] if any(row.files for row in rows) else []
        writer.writerow(["file", *columns, *of_units, *_LAST_COLUMNS])
        for row in rows:
            if row.probabilities is None:
                empty = [""] * (len(columns) + len(of_units))
                writer.writerow([escape_formula(row.file), *empty, "", escape_formula(row.error)])
                continue
            calls = [
                "" if point is None else int(share >= point)
                for share, point in zip(row.probabilities, points, strict=True)
            ]
            flag = "yes" if calibrated else "no"
            cells = [*row.probabilities, *calls, *(_files_cells(row) if of_units else ())]
            writer.writerow([escape_formula(row.file), *cells, flag, ""])


def _files_cells(row: Row) -> tuple[int, str]:
    return len(row.files), escape_formula(_BETWEEN_FILES.join(row.files))


def _files_under(folder: str) -> list[str]:
    # Files that cannot be read are included; their rows state the error.
    return [os.path.join(folder, name) for name in find_images(folder).images]


def _new(name: str, used: set[str]) -> str:
    """Return `name`, with a number appended if it is used already, and add it to `used`."""
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}-{number}"
    used.add(free)
    return free
