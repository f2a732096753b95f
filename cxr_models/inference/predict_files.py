"""Files to probabilities: find them, read them on all CPUs as for training, keep failures."""

from __future__ import annotations

import csv
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
from cxr_enhance import Transform, usable_cpus
from cxr_models._cells import harmless
from cxr_models._outputs import Kind, first_line, replaces_output
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.operating_points import called
from cxr_models.inputs.loader import ImageLoader
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
    names = first_line(path).decode("utf-8", "surrogateescape").split(",")
    if names[1:2] and names[1].startswith("probability:"):  # of findings
        names.insert(1, "predicted")
    if names[2:3] == ["called"]:  # earlier versions had no such column
        del names[2]
    ends = tuple(names[:2]), tuple(names[-2:])
    return ends == (_FIRST_COLUMNS[:2], _LAST_COLUMNS) and "probability:" in names[2]


TABLE = Kind("a table that cxr-models predict wrote", _is_table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to predict.

    Parameters
    ----------
    path : str
        Where it is.
    name : str
        Name of its outputs, relative to the folder of inputs; no two are equal, and none leaves
        a folder it is joined to.
    """

    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Files, and the images of those that could be read."""

    sources: tuple[Source, ...]
    errors: tuple[str, ...]  # what is wrong with each; empty where nothing is
    images: Images  # (M, H, W, C); of those without an error, as the model takes them
    # the same as they were read, where they are to be kept; otherwise empty
    originals: tuple[Any, ...]
    transforms: tuple[Transform, ...]  # where the pixels of `images` come from


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The prediction of a file; `probabilities` is None where `error` says why."""

    file: str
    probabilities: tuple[float, ...] | None
    error: str
    files: tuple[str, ...] = ()  # of a patient or study, whose first file is `file`


def find_sources(inputs: Sequence[str | os.PathLike[str]]) -> list[Source]:
    """List the files of `inputs`; folders are searched to the bottom, in order.

    Parameters
    ----------
    inputs : sequence of str or PathLike
        Files, taken whatever their names; and folders, of which files with the suffix of an image
        and DICOM files of any name are taken. Hidden ones and linked folders are passed over.

    Returns
    -------
    list of Source
        Each file once.

    Raises
    ------
    ValueError
        If there are none.
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
    """Read files by the same code as for training, on all CPUs, some batches in advance.

    Parameters
    ----------
    config : DataConfig
        The run's.
    sources : sequence of Source
        What to read.
    size : int
        Files a batch.
    keep_originals : bool, default False
        Whether batches hold the images as they were read too.

    Yields
    ------
    Batch
        In order.
    """
    loader = ImageLoader(config)

    def read(source: Source) -> tuple[Images, Transform, Any] | str:
        try:
            image = cxr_enhance.read_image(source.path)
            return *loader.prepare_with_transform(image), image if keep_originals else None
        except OSError as error:
            return f"{error.strerror or error}."
        except Exception as error:  # a bad file must not end the prediction of the others
            text = str(error).removesuffix(f" File: {source.path!r}.")  # its row names it
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
        From images to logits of shape (M, K); see `cxr_models.inference.logits.predict_logits`.
    batches : iterator of Batch
        As `read_batches` yields them.
    to_probabilities : callable, optional
        From logits to calibrated probabilities, both of shape (M, K), such as
        `cxr_models.inference.calibrated_run.ServedRun.probabilities`.
    watch : callable, optional
        Called with each batch that has images and their probabilities, of shape (M, K).

    Yields
    ------
    Row
        In order, one for each file.
    """
    for batch in batches:
        probabilities = np.empty((0, 0))
        if len(batch.images):
            probabilities = to_probabilities(logits_of(batch.images))
            if watch is not None:
                watch(batch, probabilities)
        rows = iter(probabilities.tolist())
        for source, error in zip(batch.sources, batch.errors, strict=True):
            shares = None if error else tuple(next(rows))
            yield Row(file=source.path, probabilities=shares, error=error)


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
    """Write the predictions of files as CSV, whole or not at all.

    Parameters
    ----------
    path : str or PathLike
        File to write, with the columns ``file``, ``predicted``, ``called``, ``probability:CLASS``
        for each class, ``calibrated`` (``yes`` or ``no``) and ``error``. Of files with an error the
        columns between are empty. Rows of patients or studies have ``images`` and ``files`` before
        ``calibrated``: the number of their files, and the files with ``;`` between them. What a
        spreadsheet would take for a formula, such as a name that begins with ``=``, is behind an
        apostrophe.
    rows : sequence of Row
        What to write.
    class_names : sequence of str
        K classes.
    calibrated : bool
        Whether the probabilities are.
    thresholds : sequence of float or None, optional
        Operating point of each class, by which `cxr_models.evaluation.operating_points.called`
        fills ``called``, several classes with ``;`` between them; without it the column is empty.
    overwrite : bool, default False
        Whether an earlier table may be replaced.
    inputs : sequence of str or PathLike, optional
        Files that were read, of which none is replaced.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is false.
    ValueError
        If it exists and is no earlier table, or an input.
    OSError
        If it cannot be written.
    """
    with (
        replaces_output(Path(path), TABLE, overwrite=overwrite, inputs=inputs) as temporary,
        # Names that are no UTF-8 keep their bytes.
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        shares = [f"probability:{name}" for name in class_names]
        of_units = ["images", "files"] if any(row.files for row in rows) else []
        writer.writerow([*_FIRST_COLUMNS, *shares, *of_units, *_LAST_COLUMNS])
        for row in rows:
            if row.probabilities is None:
                empty = [""] * (len(class_names) + len(of_units))
                writer.writerow([harmless(row.file), "", "", *empty, "", harmless(row.error)])
                continue
            predicted = class_names[int(np.argmax(row.probabilities))]
            calls = called(row.probabilities, class_names, thresholds) if thresholds else ()
            flag = "yes" if calibrated else "no"
            cells = [harmless(predicted), harmless(_BETWEEN_CALLED.join(calls)), *row.probabilities]
            cells += _files_cells(row) if of_units else ()
            writer.writerow([harmless(row.file), *cells, flag, ""])


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
    """Write the predictions of findings, as `write_rows` does of classes.

    Parameters
    ----------
    path : str or PathLike
        File to write, with the columns ``file``, ``probability:FINDING`` for each finding,
        ``called:FINDING`` for each (1 where the probability reaches the operating point, 0 where
        not, empty where the finding has none), ``images`` and ``files`` as `write_rows` has them,
        ``calibrated`` and ``error``.
    rows : sequence of Row
        What to write.
    findings : sequence of str
        K findings.
    calibrated : bool
        Whether the probabilities of all findings are.
    thresholds : sequence of float or None, optional
        Operating point of each finding.
    overwrite, inputs
        As for `write_rows`.

    Raises
    ------
    FileExistsError, ValueError, OSError
        As `write_rows` raises.
    """
    points = thresholds or [None] * len(findings)
    with (
        replaces_output(Path(path), TABLE, overwrite=overwrite, inputs=inputs) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        columns = [f"{prefix}:{name}" for prefix in ("probability", "called") for name in findings]
        of_units = ["images", "files"] if any(row.files for row in rows) else []
        writer.writerow(["file", *columns, *of_units, *_LAST_COLUMNS])
        for row in rows:
            if row.probabilities is None:
                empty = [""] * (len(columns) + len(of_units))
                writer.writerow([harmless(row.file), *empty, "", harmless(row.error)])
                continue
            calls = [
                "" if point is None else int(share >= point)
                for share, point in zip(row.probabilities, points, strict=True)
            ]
            flag = "yes" if calibrated else "no"
            cells = [*row.probabilities, *calls, *(_files_cells(row) if of_units else ())]
            writer.writerow([harmless(row.file), *cells, flag, ""])


def _files_cells(row: Row) -> tuple[int, str]:
    return len(row.files), harmless(_BETWEEN_FILES.join(row.files))


def _files_under(folder: str) -> list[str]:
    # Why a file cannot be read is stated in its row.
    return [os.path.join(folder, name) for name in find_images(folder).images]


def _new(name: str, used: set[str]) -> str:
    """Return `name`, with a number if it is used, and add it to the used names."""
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}-{number}"
    used.add(free)
    return free
