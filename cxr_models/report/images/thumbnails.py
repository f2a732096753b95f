"""Images small enough for a page: thumbnails, their data URIs, and the paths of overlays."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import cxr_enhance
from cxr_models.report.images.choices import averaged

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import numpy.typing as npt

    from cxr_models.report.read.finding_results import AnyResults, FindingResults
    from cxr_models.report.read.results import Results

SIDE = 176  # pixels of the longer side
_JPEG_QUALITY = 78


def thumbnail(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Read an image and shrink it.

    Parameters
    ----------
    path : str or PathLike
        Any image that `cxr_enhance.read_image` reads.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, 3), dtype uint8
        Gray or RGB, its longer side at most 176 pixels; images of 16 bits are stretched.

    Raises
    ------
    ValueError
        If the file holds no image.
    OSError
        If the file cannot be read.
    """
    image: Any = cxr_enhance.read_image(path)
    if max(image.shape[:2]) > SIDE:
        smaller = cxr_enhance.Preparation(params=None, long_side=SIDE)
        image = cxr_enhance.prepare(image, smaller).image
    if image.dtype == np.uint16:
        image = cxr_enhance.white_balance(image) >> 8
    return image.astype(np.uint8)  # type: ignore[no-any-return]


def data_uri(image: npt.NDArray[np.uint8]) -> str:
    """Return an image as a data URI of a JPEG."""
    bgr = image if image.ndim == 2 else image[..., ::-1]
    done, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(f"`image` must be one that JPEG can hold; got shape {image.shape}.")
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()


def overlay_path(run: Results, name: str, row: int) -> Path:
    """Return the path of an image's overlay, whether or not the file exists.

    The name is a hash of the origin of the predictions, the set and the image's file, so that an
    overlay of other weights, settings or files has another name.
    """
    return _hashed_path(run, name, run.sets[name].manifest.records[row].file)


def finding_overlay_path(run: FindingResults, name: str, row: int, finding: str) -> Path:
    """Return the path of the overlay of an image for a finding; its name is as `overlay_path`'s."""
    return _hashed_path(run, name, [finding, run.sets[name].manifest.records[row].file])


def mean_path(run: Results, name: str, place: int) -> Path:
    """Return the path of the mean map of a true class; the name is a hash as in `overlay_path`."""
    files = [run.sets[name].manifest.records[row].file for row in averaged(run, name)[place]]
    return _hashed_path(run, name, ["mean", run.class_names[place], files])


def _hashed_path(run: AnyResults, name: str, content: object) -> Path:
    hashed = [dataclasses.asdict(run.sets[name].origin), name, content]
    digest = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    return run.folder.overlays_folder / f"{digest[:32]}.png"
