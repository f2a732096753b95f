"""Thumbnails of images, their data URIs, and the paths of overlays."""

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

SIDE = 176  # length of the longer side of a thumbnail, in pixels
_JPEG_QUALITY = 78


def thumbnail(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Read an image and shrink it.

    Parameters
    ----------
    path : str or PathLike
        Path of an image that `cxr_enhance.read_image` can read.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, 3), dtype uint8
        Gray or RGB image whose longer side has at most 176 pixels. The gray levels of a 16-bit
        image are stretched with `cxr_enhance.white_balance`.

    Raises
    ------
    ValueError
        If the file contains no image.
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
    """Return a gray image (H, W) or an RGB image (H, W, 3) as a data URI of a JPEG."""
    bgr = image if image.ndim == 2 else image[..., ::-1]
    done, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(f"`image` must be one that JPEG can hold; got shape {image.shape}.")
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()


def overlay_path(run: Results, name: str, row: int) -> Path:
    """Return the path of the overlay of an image; the file need not exist.

    The name is a hash of the origin of the predictions, the set and the file of the image. An
    overlay for other weights, settings or files therefore has another name.
    """
    return _hashed_path(run, name, run.sets[name].manifest.records[row].file)


def finding_overlay_path(run: FindingResults, name: str, row: int, finding: str) -> Path:
    """Return the path of the overlay of an image for a finding; its name is a hash.

    See `overlay_path`. The hash also depends on the finding.
    """
    return _hashed_path(run, name, [finding, run.sets[name].manifest.records[row].file])


def mean_path(run: Results, name: str, place: int) -> Path:
    """Return the path of the mean map of the true class with index `place`; its name is a hash.

    See `overlay_path`. The hash depends on the class and the averaged files.
    """
    files = [run.sets[name].manifest.records[row].file for row in averaged(run, name)[place]]
    return _hashed_path(run, name, ["mean", run.class_names[place], files])


def _hashed_path(run: AnyResults, name: str, content: object) -> Path:
    hashed = [dataclasses.asdict(run.sets[name].origin), name, content]
    digest = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    return run.folder.overlays_folder / f"{digest[:32]}.png"
