"""`cxr-enhance demo`: enhance a synthetic radiograph."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._enhance import enhance
from cxr_enhance.cli import console
from cxr_enhance.cli._figure import draw_before_after
from cxr_enhance.io.atomic import write_atomically
from cxr_enhance.io.folders import check_parent_references
from cxr_enhance.io.write import encode_image
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from cxr_enhance._types import Image

_HEIGHT, _WIDTH, _SEED = 1024, 896, 7
_MEANINGS = {
    "input.png": "a synthetic radiograph",
    "enhanced.png": "enhanced",
    "before_after.png": "both, with histograms",
}


def demo(folder: Path) -> int:
    """Write a synthetic radiograph, the enhanced image and a picture of both to `folder`.

    The function also prints the median time of an enhancement, and returns the exit status.
    """
    radiograph = synthetic_radiograph(_HEIGHT, _WIDTH, seed=_SEED)
    with console.errors_exit_with(console.FAILED):
        console.load_quiet_opencv()
    with console.errors_exit_with(console.WRONG_USAGE):
        check_parent_references(str(folder), "DIR")
        folder.mkdir(parents=True, exist_ok=True)
    with console.errors_exit_with(console.FAILED):
        enhanced, first, median = _timed(radiograph)
        contents = {
            "input.png": bytes(encode_image(radiograph, ".png", 95)),
            "enhanced.png": bytes(encode_image(enhanced, ".png", 95)),
            "before_after.png": draw_before_after(
                radiograph, enhanced, title="Synthetic radiograph"
            ),
        }
    with console.errors_exit_with(console.WRONG_USAGE):
        _check_free(folder, contents)
    with console.errors_exit_with(console.FAILED):
        for name, content in contents.items():
            write_atomically(str(folder / name), _writer(content), overwrite=True)
            path = console.printable(str(folder / name))
            console.say(f"wrote {path}  ({_MEANINGS[name]})")
    console.say(
        f"enhanced {_WIDTH} x {_HEIGHT} pixels in {median * 1e3:.1f} ms on one thread "
        f"(first call {first:.2f} s, with loading or compiling the kernels)"
    )
    return 0


def _check_free(folder: Path, contents: dict[str, bytes]) -> None:
    """Raise ValueError if the folder has a file that the demo would replace by other content."""
    for name, content in contents.items():
        path = folder / name
        if os.path.lexists(path) and not (path.is_file() and path.read_bytes() == content):
            raise ValueError(
                f"`DIR` must be new, empty or an earlier demo's; got {str(folder)!r}, which has a "
                f"{name} of its own."
            )


def _writer(content: bytes) -> Callable[[BinaryIO], object]:
    return lambda file: file.write(content)


def _timed(image: Image) -> tuple[Image, float, float]:
    """Return the enhanced image, the seconds of the first call, and the median of 11 more calls."""
    seconds = []
    for _ in range(12):
        started = time.perf_counter()
        enhanced = enhance(image)
        seconds.append(time.perf_counter() - started)
    return enhanced, seconds[0], float(np.median(seconds[1:]))
