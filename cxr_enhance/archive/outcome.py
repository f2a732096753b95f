"""The outcome of one file, from which its row in the manifest is made."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

from cxr_enhance.archive.hints import Hint
from cxr_enhance.preparation.transform import Transform

Status: TypeAlias = Literal["written", "exists", "skipped", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_DEVICE_ERRORS = (
    errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNRESET,
    errno.ECONNABORTED, errno.ECONNREFUSED,
)  # fmt: skip
# Faults of the machine, not of the file: the next attempt may succeed.
_TRANSIENT_ERRORS = frozenset((
    *_DISK_ERRORS, *_DEVICE_ERRORS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN,
    errno.EINTR, errno.EBUSY, errno.ETXTBSY, errno.ENOLCK, errno.EACCES, errno.EPERM,
    errno.ENOTDIR, errno.EISDIR, errno.EFBIG,
))  # fmt: skip


class Outcome(NamedTuple):
    """The outcome of one file."""

    source: str
    target: str
    status: Status
    reason: str = ""
    transient: bool = False  # whether another attempt may succeed
    ends_run: bool = False  # whether all further files would fail for the same reason
    input_size: int | None = None
    input_mtime_ns: int | None = None
    output_size: int | None = None
    seconds: float = 0.0
    notes: str = ""  # problems of a DICOM header that were tolerated
    polarity: str = ""  # note that black and white look exchanged, or were exchanged
    decoder: str = ""  # decoder of the pixels, with its version
    hints: tuple[Hint, ...] = ()
    transform: Transform | None = None  # geometry of an output that was written
    link: str = ""  # second name of the output, which may exist until the row is written

    def to_json(self) -> str:
        """Return all fields as one JSON object."""
        transform = None if self.transform is None else self.transform.to_dict()
        return json.dumps({**self._asdict(), "transform": transform})

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Read an outcome that `to_json` wrote."""
        fields = json.loads(text)
        fields["hints"] = tuple(Hint(*hint) for hint in fields["hints"])
        if fields["transform"] is not None:
            fields["transform"] = Transform.from_dict(fields["transform"])
        return cls(**fields)


Record: TypeAlias = Callable[[Outcome], bool]
"""Takes each outcome of a run, from any thread; returns True if the run ends with this outcome."""


def reason_of(error: BaseException) -> str:
    """Return the message for an error of one file."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f": {os.fsdecode(error.filename)!r}"
        return f"{error.strerror}{where}."
    if isinstance(error, OSError | ValueError | TypeError | ImportError | MemoryError):
        return str(error) or type(error).__name__
    return f"{type(error).__name__}: {error}"


def is_transient(error: BaseException, *, writing: bool = False) -> bool:
    """Return whether another attempt may succeed after this error.

    A missing input is not transient, because the next run tries again once the file exists.
    """
    if isinstance(error, OSError):
        return error.errno in _TRANSIENT_ERRORS or (writing and error.errno == errno.ENOENT)
    if isinstance(error, RuntimeError):
        return "start new thread" in str(error)  # the machine has no more threads
    return isinstance(error, MemoryError | ImportError)


def ends_run(error: BaseException, *, writing: bool = False) -> bool:
    """Return whether all further files would fail with this error of reading, or of writing."""
    if not isinstance(error, OSError):
        return False
    return error.errno in _DISK_ERRORS or (writing and error.errno in _DEVICE_ERRORS)
