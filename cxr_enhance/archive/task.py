"""Read, enhance and write one file; this is the worker function of every engine."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import math
import os
import stat
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_enhance._engine.png_rows import filtered_rows
from cxr_enhance._enhance import enhance
from cxr_enhance._version import __version__
from cxr_enhance.archive.hints import Hint, hints_of
from cxr_enhance.archive.job import MIMIC_CXR_JPG
from cxr_enhance.archive.outcome import Outcome, ends_run, is_transient, reason_of
from cxr_enhance.archive.polarity import with_polarity
from cxr_enhance.io.atomic import temporary_name, write_atomically
from cxr_enhance.io.dicom.no_image import NoImageError
from cxr_enhance.io.dicom.write import derived_dicom
from cxr_enhance.io.folders import IMAGE_SUFFIXES
from cxr_enhance.io.opencv import load_cv2
from cxr_enhance.io.read import decode_image, read_if_image, read_start
from cxr_enhance.io.write import encode_image
from cxr_enhance.preparation.prepare import Prepared, prepared_image
from cxr_enhance.preparation.sizing import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._params import EnhanceParams
    from cxr_enhance._types import Image
    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.planned_files import PlannedFile
    from cxr_enhance.io.dicom.decode import Decoded
    from cxr_enhance.preparation.transform import Box, Transform


def never_stopped() -> bool:
    """Return False, so that a task is not stopped: the default of `stopped`."""
    return False


class EncodedOutput(NamedTuple):
    """The content of an output that is still to be written, and the outcome of its file."""

    outcome: Outcome
    content: bytes | None  # None if the outcome is "exists", "skipped" or "failed"


def process(
    file: PlannedFile, job: Job, workspace: str | None, stopped: Callable[[], bool] = never_stopped
) -> Outcome | None:
    """Read one file, enhance it and write the result.

    Parameters
    ----------
    file : PlannedFile
        The file to read, and the path of its output.
    job : Job
        Options that determine the content of the output.
    workspace : str or None
        Folder in which the output is written before it is moved; None uses the folder of the
        output.
    stopped : callable
        Function that is called between the steps; the task stops if it returns True.

    Returns
    -------
    Outcome or None
        The outcome of the file, as for `make_output`. None if the task was stopped before its end.
    """
    started = time.perf_counter()
    made = make_output(file, job, stopped)
    if made is None or made.content is None:
        return None if made is None else made.outcome
    try:
        outcome = _write_output(made.outcome, file, made.content, workspace)
    except Exception as error:
        outcome = made.outcome._replace(**failure_of_writing(error, workspace))
    return outcome._replace(seconds=time.perf_counter() - started)


def make_output(
    file: PlannedFile, job: Job, stopped: Callable[[], bool] = never_stopped
) -> EncodedOutput | None:
    """Read one file, enhance it and encode the result.

    Parameters
    ----------
    file : PlannedFile
        The file to read. If its output exists and must not be replaced, nothing is read.
    job : Job
        Options that determine the content of the output.
    stopped : callable
        Function that is called between the steps; the task stops if it returns True.

    Returns
    -------
    EncodedOutput or None
        None if the task was stopped before its end. The function raises no exception because of a
        file. A file that is not an image is skipped if it was found in a folder. It fails if the
        user named it, or if its extension is that of an image. A valid DICOM object without an
        image is always skipped. A file that `job` does not select is skipped too.
    """
    started = time.perf_counter()
    outcome = Outcome(file.source, file.target, "exists")
    try:
        status = os.stat(file.source)
        outcome = outcome._replace(input_size=status.st_size, input_mtime_ns=status.st_mtime_ns)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could wait for ever
            raise ValueError("is not a regular file.")
        if not file.replace and os.path.lexists(file.target):
            return EncodedOutput(outcome, None)
        reason = job.selection.reason_against(file.source)
        if reason:
            return EncodedOutput(outcome._replace(status="skipped", reason=reason), None)
        data = read_if_image(file.source, job.read)
        if data is None:
            if not _should_be_image(file):
                return EncodedOutput(outcome._replace(status="skipped", reason="no image"), None)
            data = read_start(file.source)  # decode_image raises the error that names its format
        if stopped():
            return None
        decoded = decode_image(data, job.read)
        if stopped():
            return None
        bits = None if job.params is None else job.params.bits
        decoded, polarity = with_polarity(decoded, job.invert, bits)
        hints = list(polarity.hints)
        image, transform = result_image(decoded, job, hints)
        if stopped():
            return None
        notes = list(decoded.notes)
        content = encoded_output(
            image, data, job, notes, transform, is_inverted=polarity.is_inverted
        )
        if stopped():
            return None
        outcome = outcome._replace(
            status="written",
            output_size=len(content),
            transform=transform,
            seconds=time.perf_counter() - started,
            notes="; ".join(notes),
            polarity=polarity.note,
            hints=tuple(hints),
            decoder=decoded.decoder,
        )
        return EncodedOutput(outcome, content)
    except NoImageError as error:
        failure: dict[str, Any] = {"status": "skipped", "reason": reason_of(error)}
    except Exception as error:  # one bad file must not end a run over a million files
        if not os.path.exists(file.source):  # the file has vanished, and may come back
            outcome = outcome._replace(input_size=None, input_mtime_ns=None)
        failure = {
            "status": "failed",
            "reason": reason_of(error),
            "transient": is_transient(error),
            "ends_run": ends_run(error),
        }
    return EncodedOutput(outcome._replace(**failure, seconds=time.perf_counter() - started), None)


def failure_of_writing(error: Exception, workspace: str | None) -> dict[str, Any]:
    """Return the fields of the outcome of a file whose output could not be written."""
    lost = _is_output_folder_lost(workspace)
    return {
        "status": "failed",
        "reason": reason_of(error),
        "transient": lost or is_transient(error, writing=True),
        "ends_run": lost or ends_run(error, writing=True),
        "output_size": None,
        "transform": None,
    }


def _write_output(
    outcome: Outcome, file: PlannedFile, encoded: bytes, workspace: str | None
) -> Outcome:
    """Write an output; keep an existing file unless `file.replace` is true."""
    make_target_folder(file.target, workspace)
    link = "" if workspace is None else os.path.join(workspace, temporary_name())
    with contextlib.suppress(FileExistsError):
        write_atomically(
            file.target,
            lambda output: output.write(encoded),
            overwrite=file.replace,
            temporary_folder=workspace,
            link=link or None,
        )
        return outcome._replace(link=link)
    return outcome._replace(status="exists", output_size=None, transform=None)


def make_target_folder(target: str, workspace: str | None) -> None:
    """Make the folder of an output.

    Raises
    ------
    OSError
        If the folder cannot be made, or the run's own folder is gone.
    """
    if workspace is not None and not os.path.isdir(workspace):
        # Without this check the output folder would be made anew, for outputs without a manifest.
        gone = os.path.dirname(workspace)
        raise FileNotFoundError(errno.ENOENT, "The run's folder in the output folder is gone", gone)
    folder = os.path.dirname(target)
    try:
        os.makedirs(folder or ".", exist_ok=True)
    except FileExistsError as error:  # a file has the folder's name: no outcome "exists"
        raise NotADirectoryError(error.errno, "Not a directory", folder) from error


def _is_output_folder_lost(workspace: str | None) -> bool:
    """Return whether the output folder is gone or read-only, so that no output can be written."""
    if workspace is None:
        return False
    usable = os.W_OK | os.X_OK
    return not all(os.access(folder, usable) for folder in (workspace, os.path.dirname(workspace)))


def result_image(decoded: Decoded, job: Job, hints: list[Hint]) -> Prepared:
    """Prepare and enhance an image by the options of `job`; add its hints to `hints`."""
    preparation = job.preparation
    try:
        plan = plan_of(decoded.image, preparation, decoded.pixel_spacing)
    except ValueError as error:  # names the record's field; a job's sentences name the option
        raise ValueError(str(error).replace("`spacing`", "`--spacing`")) from error

    def chain(image: Image) -> Image:
        if job.params is None:
            return _mimic_cxr_jpg(image, was_inverted=decoded.was_inverted)
        hints.extend(hints_of(image, job.params))
        part, size = plan.border, plan.border.area
        if job.resize_first:  # with black margins, of which the padding is a smaller share
            part = plan.transform.crop
            size = part.area * math.prod(plan.transform.output_size)
            size //= math.prod(plan.transform.scaled_size)
        params = params_without_padding(job.params, _padding_in(part, decoded), size)
        return enhance(image, params)

    image = prepared_image(decoded.image, preparation, plan, chain)
    return Prepared(np.ascontiguousarray(image), plan.transform)


def _padding_in(part: Box, decoded: Decoded) -> int:
    """Count the padding pixels inside `part`, a crop of the image.

    Padding has the value of the darkest pixels of the image and cannot be distinguished from them.
    As many of the darkest pixels outside `part` as possible are taken as padding.
    """
    image = decoded.image
    if not decoded.padding or part.area == image.shape[0] * image.shape[1]:
        return decoded.padding
    darkest = image.min()
    cut_off = np.count_nonzero(image == darkest) - np.count_nonzero(part.of(image) == darkest)
    return max(decoded.padding - int(cut_off), 0)


def params_without_padding(params: EnhanceParams, padding: int, size: int) -> EnhanceParams:
    """Shift the percentiles, so that they are those of the pixels without padding.

    `padding` is the number of padding pixels, `size` the number of all pixels. Padding is as dark
    as the darkest pixel, so that padding pixels come first in the order of values.
    """
    if params.percentiles is None or not padding or size - padding < 2:
        return params
    low, high = (
        (padding + cut / 100 * (size - padding - 1)) * 100 / (size - 1)
        for cut in params.percentiles
    )
    return dataclasses.replace(params, percentiles=(low, min(high, 100.0)))


def _mimic_cxr_jpg(image: Image, *, was_inverted: bool) -> Image:
    """Map the range of values to 8 bits and equalize the histogram, as MIMIC-CXR-JPG does.

    The recipe truncates to 8 bits before it inverts MONOCHROME1.
    """
    cv2 = load_cv2()
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    stored = gray.max() - gray if was_inverted else gray - gray.min()
    most = max(int(stored.max()), 1)
    small = (stored.astype(np.float64) / most * 255).astype(np.uint8)
    return cv2.equalizeHist(255 - small if was_inverted else small)  # type: ignore[no-any-return]


def encoded_output(
    image: Image,
    data: bytes,
    job: Job,
    notes: list[str],
    transform: Transform | None = None,
    *,
    is_inverted: bool = False,
) -> bytes:
    """Encode an output by the options of `job`; DICOM outputs keep the header in `data`."""
    if job.output_format != "dicom":
        filter_rows = filtered_rows if job.compression == "fast" else None
        return encode_image(image, job.extension, job.quality, filter_rows)  # type: ignore[no-any-return]
    recipe = MIMIC_CXR_JPG if job.params is None else "enhanced"
    description = f"{recipe} by cxr-enhance {__version__}, options {job.digest()}"
    return derived_dicom(
        image,
        data,
        description=description,
        strip_identity=job.strip_identity,
        pseudonym_key=job.pseudonym_key,
        bits=None if job.params is None else job.params.bits,
        scale=None if transform is None or transform.is_stretch else transform.scale,
        is_inverted=is_inverted,
        notes=notes,
    )


def _should_be_image(file: PlannedFile) -> bool:
    return file.is_named_by_user or is_image_name(file.source)


def is_image_name(path: str) -> bool:
    """Return whether a file's name is that of an image."""
    name = os.path.basename(path)
    # On file systems of other kinds, macOS adds a file "._scan.png" to scan.png.
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith("._")
