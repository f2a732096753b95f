"""`cxr-enhance demo` and `cxr-enhance compare`: one image, and what enhancement does to it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance._enhance import enhance
from cxr_enhance.cli import _console
from cxr_enhance.cli._figure import write_before_after
from cxr_enhance.io import read_image, write_image
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from pathlib import Path

    from cxr_enhance._types import Image

_HEIGHT, _WIDTH, _SEED = 1024, 896, 7
_NAMES = ("input.png", "enhanced.png", "before_after.png")


def demo(folder: Path) -> int:
    """Write a synthetic radiograph, its enhancement and the picture of both to `folder`."""
    radiograph = synthetic_radiograph(_HEIGHT, _WIDTH, seed=_SEED)
    with _console.errors_exit_with(_console.FAILED):
        _console.load_quiet_opencv()
    with _console.errors_exit_with(_console.WRONG_USAGE):
        folder.mkdir(parents=True, exist_ok=True)
        _check_free(folder, radiograph)
    with _console.errors_exit_with(_console.FAILED):
        enhanced, first, median = _timed(radiograph)
        paths = [folder / name for name in _NAMES]
        write_image(paths[0], radiograph)
        write_image(paths[1], enhanced)
        write_before_after(paths[2], radiograph, enhanced, title="Synthetic radiograph")
    for path, what in zip(
        paths, ("a synthetic radiograph", "enhanced", "both, with histograms"), strict=True
    ):
        _console.say(f"wrote {_console.printable(str(path))}  ({what})")
    _console.say(
        f"enhanced {_WIDTH} x {_HEIGHT} pixels in {median * 1e3:.1f} ms on one thread "
        f"(first call {first:.2f} s, with loading or compiling the kernels)"
    )
    return 0


def compare(image: Path, out: Path, *, overwrite: bool) -> int:
    """Write the before and after picture of `image` to `out`."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        if out.suffix.lower() != ".png":
            raise ValueError(f"`--out` must end in .png; got {str(out)!r}.")
        if out.exists() and image.exists() and os.path.samefile(image, out):
            raise ValueError(f"`--out` must not be the image itself; got {str(out)!r}.")
        if os.path.lexists(out) and not overwrite:
            raise ValueError(
                f"`--out` must not exist; got {str(out)!r}. Replace it with --overwrite."
            )
        if not out.parent.is_dir():
            raise ValueError(f"`--out` must lie in a folder that exists; got {str(out)!r}.")
    with _console.errors_exit_with(_console.FAILED):
        _console.load_quiet_opencv()
        before = read_image(image)
        title = _console.printable(image.name).replace("$", r"\$")  # no mathematics in names
        write_before_after(out, before, enhance(before), title=title, overwrite=overwrite)
    _console.say(f"wrote {_console.printable(str(out))}")
    return 0


def _check_free(folder: Path, radiograph: Image) -> None:
    """Refuse a folder whose files of our names are not those of an earlier demo."""
    taken = [folder / name for name in _NAMES if os.path.lexists(folder / name)]
    if not taken:
        return
    try:
        is_earlier_demo = np.array_equal(read_image(folder / _NAMES[0]), radiograph)
    except (OSError, ValueError):
        is_earlier_demo = False
    if not is_earlier_demo:
        raise ValueError(
            f"`DIR` must be new, empty or an earlier demo's; got {str(folder)!r}, which has a "
            f"{taken[0].name} of its own."
        )


def _timed(image: Image) -> tuple[Image, float, float]:
    """Return the enhanced image, seconds of the first call and the median of the next ones."""
    seconds = []
    for _ in range(12):
        started = time.perf_counter()
        enhanced = enhance(image)
        seconds.append(time.perf_counter() - started)
    return enhanced, seconds[0], float(np.median(seconds[1:]))
