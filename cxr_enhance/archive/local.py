"""A plan carried out by a pool of threads on this machine, in bounded memory."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from cxr_enhance._enhance import enhance
from cxr_enhance.io.read import decode_image, read_if_image
from cxr_enhance.io.write import write_image

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from cxr_enhance._params import EnhanceParams
    from cxr_enhance.archive.plan import PlannedFile

Status: TypeAlias = Literal["written", "exists", "skipped", "failed"]

_IMAGE_EXTENSIONS = frozenset(
    (".bmp", ".dcm", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)


class Outcome(NamedTuple):
    """What became of one file."""

    source: str
    target: str
    status: Status
    reason: str = ""


def enhance_files(
    files: Sequence[PlannedFile], params: EnhanceParams, *, num_threads: int, overwrite: bool
) -> Generator[Outcome]:
    """Enhance `files` in `num_threads` threads and yield each outcome as it comes.

    Parameters
    ----------
    files : sequence of PlannedFile
        What to read and where to write.
    params : EnhanceParams
        Options of the chain.
    num_threads : int
        At least 1; so many images are in memory at once.
    overwrite : bool
        Whether existing outputs are replaced.

    Yields
    ------
    Outcome
        One a file, in order of completion.

    Notes
    -----
    When the generator is closed or its consumer interrupted, images not yet begun are dropped, and
    those begun end before their next step: no output is ever left half written. All work is done in
    the pool, none in the calling thread, where an interrupt during the compilation of a kernel
    would be lost in LLVM's callbacks; it takes effect when the compilation is over.
    """
    stop = threading.Event()
    waiting: set[Future[Outcome | None]] = set()
    remaining = iter(files)
    pool = ThreadPoolExecutor(max(min(num_threads, len(files)), 1), thread_name_prefix="enhance")
    try:
        while True:
            for item in remaining:
                waiting.add(pool.submit(_enhance_one, item, params, overwrite, stop))
                if len(waiting) >= 2 * num_threads:
                    break
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = future.result()
                if outcome is not None:
                    yield outcome
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _enhance_one(
    item: PlannedFile, params: EnhanceParams, overwrite: bool, stop: threading.Event
) -> Outcome | None:
    """Read one file, enhance it and write the result; None if stopped before the end.

    Never raises for what a file is. A file that is no image is skipped if it was found in a folder,
    and fails if it was named or if its extension says that it should be one.
    """
    try:
        if not overwrite and os.path.lexists(item.target):
            return Outcome(item.source, item.target, "exists")
        data = read_if_image(item.source)
        if data is None:
            if not _should_be_image(item):
                return Outcome(item.source, item.target, "skipped", "no image")
            data = Path(item.source).read_bytes()  # decode_image has the words for what it is not
        if stop.is_set():
            return None
        image = decode_image(data)
        del data
        if stop.is_set():
            return None
        enhanced = enhance(image, params)
        del image
        if stop.is_set():
            return None
        _make_folder(os.path.dirname(item.target))
        with contextlib.suppress(FileExistsError):
            write_image(item.target, enhanced, overwrite=overwrite)
            return Outcome(item.source, item.target, "written")
        return Outcome(item.source, item.target, "exists")
    except Exception as error:  # one bad file must not end a run over a million others
        return Outcome(item.source, item.target, "failed", _reason(error))


def _should_be_image(item: PlannedFile) -> bool:
    name = os.path.basename(item.source)
    # "._scan.png" is what macOS leaves beside scan.png on foreign file systems.
    claims = os.path.splitext(name)[1].lower() in _IMAGE_EXTENSIONS and not name.startswith("._")
    return item.named or claims


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError as error:  # a file has the folder's name; not the output's "exists"
        raise NotADirectoryError(error.errno, "Not a directory", folder) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f": {os.fsdecode(error.filename)!r}"
        return f"{error.strerror}{where}."
    if isinstance(error, OSError | ValueError | TypeError | ImportError | MemoryError):
        return str(error) or type(error).__name__
    return f"{type(error).__name__}: {error}"
