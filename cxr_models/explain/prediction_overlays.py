"""Explanations of predictions as files: an overlay for each image, and a mean for each class."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
from cxr_models._counts import counted
from cxr_models._heat import over_source, overlay
from cxr_models.explain.gradcam import GradCam, normalised
from cxr_models.explain.overlay_files import (
    IMAGES,
    LONG_SIDE,
    mean_name,
    overlay_names,
    write_picture,
)
from cxr_models.explain.panels import enlarged, panel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from cxr_models.inference.predict_files import Batch, Source

    Images = npt.NDArray[np.uint8]

_LONGEST_NAME = 50  # maximum letters of a class in a file name; a letter may have 4 bytes


class Explanations:
    """A writer of explanations: the Grad-CAM map of the predicted class of each image.

    For findings, the map explains one given finding, or the most probable finding of each image.

    Parameters
    ----------
    model : keras.Model
        The classifier.
    class_names : sequence of str
        The classes or findings of the classifier.
    folder : Path
        A new folder for the pictures ``images/NAME.png`` and ``mean-CLASS.png``.
    sources : sequence of Source
        All images that may be passed to `watch`; their names give the names of the pictures.
    calibrated : bool
        Whether the probabilities are calibrated.
    multilabel : bool, default False
        Whether the classifier predicts findings, each with its own probability.
    finding : str, optional
        The finding to explain in all images; None explains the most probable finding of each image.

    Raises
    ------
    OSError
        If the folder cannot be made.
    """

    def __init__(
        self,
        model: Any,
        class_names: Sequence[str],
        folder: Path,
        *,
        sources: Sequence[Source],
        calibrated: bool,
        multilabel: bool = False,
        finding: str | None = None,
    ) -> None:
        self._cam = GradCam(model, multilabel=multilabel)
        self._place = None if finding is None else list(class_names).index(finding)
        self._whose = "shown for" if multilabel else "said to be"
        self._names = class_names
        self._folder = folder
        self._files = overlay_names([source.name for source in sources])
        self._calibrated = "calibrated" if calibrated else "not calibrated"
        (folder / IMAGES).mkdir(parents=True)
        self._counts = np.zeros(len(class_names), np.int64)
        self._maps: list[Any] = [0.0] * len(class_names)
        self._images: list[Any] = [0.0] * len(class_names)

    def watch(self, batch: Batch, probabilities: npt.NDArray[np.float64]) -> None:
        """Write the overlays of one batch.

        Parameters
        ----------
        batch : Batch
            The batch, with the images as they were read (``keep_originals``).
        probabilities : ndarray of shape (M, K), dtype float64
            The probabilities of the images of the batch.

        Raises
        ------
        OSError
            If an overlay cannot be written.
        """
        predicted = probabilities.argmax(axis=1)
        if self._place is not None:
            predicted[:] = self._place
        maps = normalised(self._cam(batch.images, predicted))
        read = [s for s, error in zip(batch.sources, batch.errors, strict=True) if not error]
        for source, original, transform, image, heat, place, shares in zip(
            read,
            batch.originals,
            batch.transforms,
            batch.images,
            maps,
            predicted,
            probabilities,
            strict=True,
        ):
            target = self._folder / IMAGES / self._files[source.name]
            target.parent.mkdir(parents=True, exist_ok=True)
            caption = f"{shares[place]:.3f} {self._calibrated}: {self._names[place]}"
            picture = shown(original)
            write_picture(
                target, panel(picture, over_source(heat, transform, picture.shape[:2]), caption)
            )
            self._counts[place] += 1
            self._maps[place] = self._maps[place] + heat
            self._images[place] = self._images[place] + image.astype(np.float64)

    def finish(self) -> list[Path]:
        """Write a mean picture for each class with images.

        The picture has the mean of all maps of the class over the mean of all its images.

        Returns
        -------
        list of Path
            The files that were written.

        Raises
        ------
        OSError
            If a mean cannot be written.
        """
        written: list[Path] = []
        for name, count, maps, images in zip(
            self._names, self._counts, self._maps, self._images, strict=True
        ):
            if count:
                path = self._folder / mean_name(_as_file_name(name, written))
                image, heat = mean_picture(images / count, maps / count)
                whose = counted(int(count), "image")
                caption = f"mean of {whose} {self._whose} {name}"
                write_picture(path, panel(image, heat, caption))
                written.append(path)
        return written


def mean_overlay(image: Any, heat: Any) -> Images:
    """Return the mean of prepared images with their mean map over it, enlarged if small.

    Parameters
    ----------
    image : ndarray of shape (H, W, C)
        Mean image with values 0..255.
    heat : ndarray of shape (h, w)
        Mean map with values 0..1.

    Returns
    -------
    ndarray of shape (n * H, n * W, 3), dtype uint8
        RGB picture. The factor n is 1 for images whose longer side has more than 128 pixels. Images
        of more than 768 pixels are reduced.
    """
    seen, heat = mean_picture(image, heat)
    return overlay(enlarged(seen), heat)


def mean_picture(image: Any, heat: Any) -> tuple[Images, Any]:
    """Return a mean image prepared for display, and its mean map with values of at most 1.

    Rounding errors can make values of a mean map slightly larger than 1.

    Parameters
    ----------
    image : ndarray of shape (H, W, C)
        Mean image with values 0..255.
    heat : ndarray of shape (h, w)
        Mean map with values 0..1.
    """
    return shown(np.rint(image).astype(np.uint8)), np.minimum(heat, 1).astype(np.float32)


def _as_file_name(name: str, former: Sequence[Path]) -> str:
    """Return a class name as part of a file name that differs from the names of former files."""
    plain = re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_NAME]
    used = {path.name.casefold() for path in former}
    numbers = itertools.count(2)
    free = plain
    while mean_name(free).casefold() in used:
        free = f"{plain}-{next(numbers)}"
    return free


def shown(image: Any) -> Images:
    """Return an image prepared for display: 8 bits, white-balanced, at most 768 pixels long."""
    if max(image.shape[:2]) > LONG_SIDE:
        smaller = cxr_enhance.Preparation(params=None, long_side=LONG_SIDE)
        image = cxr_enhance.prepare(image, smaller).image
    image = cxr_enhance.white_balance(image)
    eight_bits: Images = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    return eight_bits
