"""Explanations of predictions as files: an overlay for each image, a mean for each class."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
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

_LONGEST_NAME = 50  # letters of a class in a file's name, which may take 4 bytes each


class Explanations:
    """Watches predictions and writes, for each image, what spoke for the predicted class.

    Of findings, the one that is named, or the most probable one of each image.

    Parameters
    ----------
    model : keras.Model
        The classifier.
    class_names : sequence of str
        Its classes.
    folder : Path
        A new folder, where ``images/NAME.png`` go, and ``mean-CLASS.png``.
    sources : sequence of Source
        All images that may be watched, for their names.
    calibrated : bool
        Whether the probabilities are.
    multilabel : bool, default False
        Whether they are of findings, each by itself.
    finding : str, optional
        The finding that is explained in all images; None takes the most probable one of each.

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
        """Write the overlays of one batch, whose originals were kept.

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
        """Write the mean of each class's maps over the mean of its images; return the names.

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
                whose = f"{count:,} image{'' if count == 1 else 's'}"
                caption = f"mean of {whose} {self._whose} {name}"
                write_picture(path, panel(image, heat, caption))
                written.append(path)
        return written


def mean_overlay(image: Any, heat: Any) -> Images:
    """Lay a mean map over the mean of the images as the network takes them, both enlarged.

    Parameters
    ----------
    image : ndarray of shape (H, W, C)
        Values 0..255.
    heat : ndarray of shape (h, w)
        Values 0..1.

    Returns
    -------
    ndarray of shape (n * H, n * W, 3), dtype uint8
        RGB; n is 1 for images of more than 128 pixels.
    """
    seen, heat = mean_picture(image, heat)
    return overlay(enlarged(seen), heat)


def mean_picture(image: Any, heat: Any) -> tuple[Images, Any]:
    """Return a mean of images as it is looked at, and a mean map without what rounding adds."""
    return shown(np.rint(image).astype(np.uint8)), np.minimum(heat, 1).astype(np.float32)


def _as_file_name(name: str, former: Sequence[Path]) -> str:
    """Return a class as part of a file's name, different from the names of former files."""
    plain = re.sub(r"[^\w.-]+", "_", name)[:_LONGEST_NAME]
    used = {path.name.casefold() for path in former}
    numbers = itertools.count(2)
    free = plain
    while mean_name(free).casefold() in used:
        free = f"{plain}-{next(numbers)}"
    return free


def shown(image: Any) -> Images:
    """Return an image as it is looked at: of 8 bits, stretched, and no larger than a screen."""
    if max(image.shape[:2]) > LONG_SIDE:
        smaller = cxr_enhance.Preparation(params=None, long_side=LONG_SIDE)
        image = cxr_enhance.prepare(image, smaller).image
    image = cxr_enhance.white_balance(image)
    eight_bits: Images = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    return eight_bits
