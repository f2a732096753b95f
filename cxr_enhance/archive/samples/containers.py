"""Write files of samples with the libraries that read them: webdataset and TensorFlow."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, get_args

from cxr_enhance.io.samples import Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

ContainerName: TypeAlias = Literal["webdataset", "tfrecord"]
CONTAINERS: tuple[ContainerName, ...] = get_args(ContainerName)
ENDINGS: dict[ContainerName, str] = {"webdataset": ".tar", "tfrecord": ".tfrecord"}
COLUMNS_MEMBER = "json"
"""Ending of the member of a tar file that holds a sample's columns."""
KEY_FEATURE, IMAGE_FEATURE, FORMAT_FEATURE = "key", "image", "format"
"""Features of a TFRecord example beside one for each column."""

# A TFRecord file repeats: length of a record, checksum of the length, record, its checksum.
_LENGTH_BYTES = _CHECK_BYTES = 4
_BEFORE_RECORD, _AFTER_RECORD = 8 + _CHECK_BYTES, _CHECK_BYTES


class Sample(NamedTuple):
    """One encoded image, and its columns of the table."""

    key: str
    image: bytes
    extension: str  # extension of the image's format, without a dot
    columns: Mapping[str, str]


class Container(Protocol):
    """A file of samples that is being written."""

    def __enter__(self) -> Self:
        """Begin to write."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file; the file is complete only then."""

    def add(self, sample: Sample) -> None:
        """Append a sample."""

    def places(self) -> dict[str, Place]:
        """Return the places of the images in the closed file, by the keys of their samples."""


def open_container(name: ContainerName, path: str) -> Container:
    """Start to write a file of samples at `path`.

    Raises
    ------
    ImportError
        If the library that writes the file is not installed.
    OSError
        If the file cannot be written.
    """
    return TarContainer(path) if name == "webdataset" else RecordContainer(path)


def load_library(name: ContainerName) -> Any:
    """Import the library that writes a container.

    Raises
    ------
    ImportError
        If the library is not installed; the message contains the command that installs it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no log lines among those of the run
    module, extra = {
        "webdataset": ("webdataset", "shards"),
        "tfrecord": ("tensorflow", "tf"),
    }[name]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ImportError(
            f"{module} is needed for --format {name}. Install it with: "
            f'pip install "cxr-enhance[{extra}]"'
        ) from None


class TarContainer:
    """A tar file with two members for each sample: the image, and the columns as JSON.

    Times, owners and order of the members are fixed, so that equal samples give equal files.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        library = load_library("webdataset")
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._writer = library.TarWriter(
            self._file, encoder=False, compress=False, mtime=0, format="PAX_FORMAT"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file, contextlib.suppress(*(() if kind is None else (OSError,))):
            self._writer.close()  # after an error too, or garbage collection would close tarfile

    def add(self, sample: Sample) -> None:
        """Append a sample."""
        self._writer.write({
            "__key__": sample.key,
            sample.extension: sample.image,
            COLUMNS_MEMBER: json.dumps(sample.columns).encode("ascii"),
        })  # fmt: skip

    def places(self) -> dict[str, Place]:
        """Find the images in the closed file."""
        with tarfile.open(self._path, "r:") as file:
            members = [(*os.path.splitext(member.name), member) for member in file]
        return {
            key: Place(member.offset_data, member.size)
            for key, ending, member in members
            if ending != f".{COLUMNS_MEMBER}"
        }


class RecordContainer:
    """A TFRecord file of one ``tf.train.Example`` per sample; each feature is one byte string."""

    def __init__(self, path: str) -> None:
        self._tf = load_library("tfrecord")
        self._places: dict[str, Place] = {}
        self._end = 0
        with self._as_os_error(path):
            self._writer = self._tf.io.TFRecordWriter(path)
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._as_os_error(self._path):
            self._writer.close()

    def add(self, sample: Sample) -> None:
        """Append a sample."""
        features = {
            **{name: os.fsencode(value) for name, value in sample.columns.items()},
            KEY_FEATURE: os.fsencode(sample.key),
            IMAGE_FEATURE: sample.image,
            FORMAT_FEATURE: sample.extension.encode(),
        }
        train = self._tf.train
        feature = {
            name: train.Feature(bytes_list=train.BytesList(value=[value]))
            for name, value in features.items()
        }
        example = train.Example(features=train.Features(feature=feature))
        record = example.SerializeToString(deterministic=True)
        with self._as_os_error(self._path):
            self._writer.write(record)
        start = self._end + _BEFORE_RECORD
        self._places[sample.key] = Place(start + record.index(sample.image), len(sample.image))
        self._end = start + len(record) + _AFTER_RECORD

    def places(self) -> dict[str, Place]:
        """Return the places of the images; raise if the file's size shows that data are missing."""
        size = os.path.getsize(self._path)
        if size != self._end:
            raise OSError(errno.EIO, f"{size} of {self._end} bytes were written", self._path)
        return self._places

    def _as_os_error(self, path: str) -> Any:
        return _OsErrors(self._tf, path)


class _OsErrors:
    """Context manager that converts TensorFlow's errors about files to OSErrors."""

    def __init__(self, tensorflow: Any, path: str) -> None:
        errors = tensorflow.errors
        self._base, self._path = errors.OpError, path
        self._numbers = {
            errors.ResourceExhaustedError: errno.ENOSPC,
            errors.NotFoundError: errno.ENOENT,
            errors.PermissionDeniedError: errno.EACCES,
        }

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, self._base):
            number = self._numbers.get(type(error), errno.EIO)
            raise OSError(number, os.strerror(number), self._path) from error
