"""Predictions of a run for images of which only the border, or only the centre, is visible."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import cxr_enhance
from cxr_enhance import usable_cpus
from cxr_models.audit.shortcut_features import BORDER, SIDE
from cxr_models.inputs.loader import ImageLoader, errors_name_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cxr_models.config import DataConfig
    from cxr_models.runs.finished import FinishedRun

    Floats = npt.NDArray[np.float64]

Region = Literal["centre", "border"]
_CHUNK = 256


def blank(image: Any, region: Region | None) -> Any:
    """Return `image` with its centre or its border replaced by its mean.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3)
        The image; not modified.
    region : {"centre", "border"} or None
        The region to blank. The border is an eighth of the height at the top and at the bottom,
        and an eighth of the width at each side. The centre is the rest. None blanks nothing and
        returns `image` itself.

    Returns
    -------
    ndarray of the shape and dtype of `image`
        The blanked pixels have the rounded mean of the whole image, channel by channel.
    """
    if region is None:
        return image
    rows, columns = (max(round(side * BORDER / SIDE), 1) for side in image.shape[:2])
    centre = np.zeros(image.shape[:2], bool)
    centre[rows:-rows, columns:-columns] = True
    mean = np.rint(image.mean(axis=(0, 1))).astype(image.dtype)
    blanked = image.copy()
    blanked[centre if region == "centre" else ~centre] = mean
    return blanked


def views_of(image: Any, data: DataConfig, regions: Sequence[Region | None]) -> list[Any]:
    """Return the prepared input of a model for each blanked region of an image.

    If the settings crop borders, the borders are cropped before blanking. Otherwise, a blanked
    border would be cropped.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3)
        The image, as it was read.
    data : DataConfig
        The settings of the run.
    regions : sequence of {"centre", "border", None}
        The regions to blank; see `blank`.
    """
    border = cxr_enhance.Preparation(params=None, crop_border=data.crop_border)
    load = ImageLoader(dataclasses.replace(data, crop_border=False))
    image = cxr_enhance.prepare(image, border).image
    return [load.prepare(blank(image, region)) for region in regions]


def predict_blanked(
    run: FinishedRun, paths: Sequence[str], regions: Sequence[Region | None]
) -> list[list[str]]:
    """Return the classes that a run predicts for blanked images.

    The images are blanked before all other steps, except the crop of borders.

    Parameters
    ----------
    run : FinishedRun
        The run; its task is not ``multilabel``.
    paths : sequence of str
        Image files; each file is read once.
    regions : sequence of {"centre", "border", None}
        The regions to blank; see `blank`.

    Returns
    -------
    list of list of str
        For each region, the predicted class of each image.

    Raises
    ------
    ValueError
        If a file is not a readable image, or the weights do not fit.
    OSError
        If a file cannot be read.
    """
    return [
        [run.class_names[k] for k in logits.argmax(axis=1)]
        for logits in logits_of_blanked(run, paths, regions)
    ]


def logits_of_blanked(
    run: FinishedRun, paths: Sequence[str], regions: Sequence[Region | None]
) -> list[Floats]:
    """Return the logits of a run for blanked images.

    Parameters
    ----------
    run : FinishedRun
        The run, with any task.
    paths : sequence of str
        Image files; each file is read once.
    regions : sequence of {"centre", "border", None}
        The regions to blank; see `blank`.

    Returns
    -------
    list of ndarray of shape (N, K), dtype float64
        For each region, the logits of the K classes or findings of N images.

    Raises
    ------
    ValueError
        If a file is not a readable image, or the weights do not fit.
    OSError
        If a file cannot be read.
    """
    from cxr_models.inference.logits import logits_model, predict_logits
    from cxr_models.networks.load import load_classifier

    model = logits_model(load_classifier(run))
    multilabel = run.config.model.task == "multilabel"
    logits: list[list[Floats]] = [[] for _ in regions]

    def prepared(path: str) -> list[Any]:
        image = cxr_enhance.read_image(path)
        with errors_name_file(path):
            return views_of(image, run.config.data, regions)

    with ThreadPoolExecutor(usable_cpus()) as pool:
        for start in range(0, len(paths), _CHUNK):
            chunk = list(pool.map(prepared, paths[start : start + _CHUNK]))
            for place, images in enumerate(zip(*chunk, strict=True)):
                part = predict_logits(model, np.stack(images), multilabel=multilabel)
                logits[place].append(part)
    return [
        np.concatenate(parts) if parts else np.empty((0, len(run.class_names))) for parts in logits
    ]
