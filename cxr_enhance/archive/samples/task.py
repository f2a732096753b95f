"""Write one file of samples from many images; this is a task of an engine."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from cxr_enhance._version import __version__
from cxr_enhance.archive.outcome import Outcome
from cxr_enhance.archive.planned_files import PlannedFile
from cxr_enhance.archive.samples.containers import Sample, open_container
from cxr_enhance.archive.selection import is_not_chosen
from cxr_enhance.archive.task import (
    failure_of_writing,
    make_output,
    make_target_folder,
    never_stopped,
)
from cxr_enhance.io.atomic import fill_atomically, temporary_name, write_atomically
from cxr_enhance.io.samples import index_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_enhance.archive.job import Job
    from cxr_enhance.archive.samples.containers import ContainerName
    from cxr_enhance.archive.task import EncodedOutput
    from cxr_enhance.io.samples import Place

_CHUNK = 1 << 20


class PlannedSample(NamedTuple):
    """One image to read, with the key and the columns of its sample."""

    source: str
    key: str
    is_named_by_user: bool  # True: fails if it is not an image. False: found in a folder
    columns: dict[str, str]


class PlannedSamples(NamedTuple):
    """One file of samples to write: a task of an engine."""

    target: str
    container: ContainerName
    samples: tuple[PlannedSample, ...]
    replace: bool


class _StoppedError(Exception):
    """The run was stopped before the file of samples was complete."""


class _RunEndedError(Exception):
    """No further file of the run can be read."""


def process_samples(
    file: PlannedSamples,
    job: Job,
    workspace: str | None,
    stopped: Callable[[], bool] = never_stopped,
    make: Callable[[PlannedFile, Job, Callable[[], bool]], EncodedOutput | None] = make_output,
) -> tuple[Outcome, ...] | None:
    """Read and enhance many images; write them to one file of samples, and write its index.

    Parameters
    ----------
    file : PlannedSamples
        The images to read, and the path of the file of samples.
    job : Job
        Options that determine the content of the samples.
    workspace : str or None
        Folder in which the file is written before it is moved; None uses the folder of the file.
    stopped : callable
        Function that is called between the steps; the task stops if it returns True.
    make : callable
        Function that reads, enhances and encodes one image.

    Returns
    -------
    tuple of Outcome or None
        The outcome of each image, in order; None if the task was stopped before its end. An image
        that cannot be read fails, and the file holds the other images. The last outcome of a
        written file has the link to the file. An outcome that ends the run is returned alone.
    """
    writing = _Writing(file, job, stopped, make)
    if not file.replace and os.path.lexists(file.target):
        return writing.all_with(status="exists")
    link = "" if workspace is None else os.path.join(workspace, temporary_name())
    try:
        make_target_folder(file.target, workspace)
        fill_atomically(
            file.target,
            writing.fill,
            overwrite=file.replace,
            temporary_folder=workspace,
            link=link or None,
        )
        index = json.dumps(writing.index).encode("ascii")
        write_atomically(
            index_path(file.target),
            lambda output: output.write(index),
            overwrite=True,
            temporary_folder=workspace,
        )
    except _StoppedError:
        return None
    except _RunEndedError:
        return (writing.outcomes[-1],)
    except FileExistsError:
        return writing.all_with(status="exists")
    except Exception as error:  # an image's own errors are in its outcome
        failed = writing.all_with(**failure_of_writing(error, workspace))
        return failed[:1] if failed[0].ends_run else failed
    *others, last = writing.outcomes
    return (*others, last._replace(link=link))


class _Writing:
    """A file of samples that is being written: the outcomes so far, and finally the index."""

    def __init__(
        self,
        file: PlannedSamples,
        job: Job,
        stopped: Callable[[], bool],
        make: Callable[[PlannedFile, Job, Callable[[], bool]], EncodedOutput | None],
    ) -> None:
        self._file, self._job, self._stopped, self._make = file, job, stopped, make
        self.outcomes: list[Outcome] = []
        self.index: dict[str, Any] = {}

    def fill(self, path: str) -> None:
        """Write the samples into the file at `path`."""
        extension = self._job.extension[1:]
        with open_container(self._file.container, path) as container:
            for sample in self._file.samples:
                made = self._make(
                    PlannedFile(
                        sample.source, self._file.target, sample.is_named_by_user, replace=True
                    ),
                    self._job,
                    self._stopped,
                )
                if made is None:
                    raise _StoppedError
                self.outcomes.append(made.outcome)
                if made.outcome.ends_run:
                    raise _RunEndedError
                if made.content is not None:
                    image = bytes(made.content)
                    container.add(Sample(sample.key, image, extension, sample.columns))
        self.index = self._index(path, container.places())

    def all_with(self, **fields: Any) -> tuple[Outcome, ...]:
        """Return an outcome with the same fields for each sample."""
        return outcomes_of_all(self._file, **fields)

    def _index(self, path: str, places: dict[str, Place]) -> dict[str, Any]:
        status = os.stat(path)
        return {
            "shard": os.path.basename(self._file.target),
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": file_sha256(path),
            "params": self._job.digest(),
            "version": __version__,
            "options": self._job.to_dict(),
            "columns": columns_digest([sample.columns for sample in self._file.samples]),
            "samples": [
                {"key": key, "offset": place.offset, "bytes": place.size}
                for key, place in places.items()
            ],
            "inputs": [
                {
                    "key": sample.key,
                    "status": outcome.status,
                    "retry": outcome.transient,
                    "reason": outcome.reason if is_not_chosen(outcome.reason) else "",
                    "input_size": outcome.input_size,
                    "input_mtime_ns": outcome.input_mtime_ns,
                }
                for sample, outcome in zip(self._file.samples, self.outcomes, strict=True)
            ],
        }


def outcomes_of_all(file: PlannedSamples, **fields: Any) -> tuple[Outcome, ...]:
    """Return an outcome with the same fields for each sample of a file."""
    return tuple(Outcome(sample.source, file.target, **fields) for sample in file.samples)


def file_sha256(path: str) -> str:
    """Hash the content of a file, a piece at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def columns_digest(columns: Sequence[dict[str, str]]) -> str:
    """Hash the columns of all samples of a file."""
    return hashlib.sha256(json.dumps(columns).encode("ascii")).hexdigest()
