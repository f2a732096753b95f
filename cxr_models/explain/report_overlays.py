"""Grad-CAM pictures for the report of a run: overlays of the shown images, and means by class.

The pictures are stored next to the evaluation of the run.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import cxr_enhance
from cxr_models._heat import over_source, overlay
from cxr_models.explain.gradcam import GradCam, mean_maps, normalised
from cxr_models.explain.prediction_overlays import mean_overlay
from cxr_models.inputs.loader import ImageLoader
from cxr_models.networks.load import load_classifier
from cxr_models.report.images.choices import averaged, pictured
from cxr_models.report.images.finding_pictures import worst_mistakes
from cxr_models.report.images.thumbnails import (
    finding_overlay_path,
    mean_path,
    overlay_path,
    thumbnail,
)
from cxr_models.runs.finished import read_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxr_enhance import Transform
    from cxr_models.report import Results
    from cxr_models.report.read.finding_results import AnyResults, FindingResults
    from cxr_models.runs.finished import FinishedRun

_BATCH = 16


class Drawn(NamedTuple):
    """The numbers of overlays and of mean maps that were drawn."""

    overlays: int
    means: int


def draw_overlays(results: Results) -> Drawn:
    """Draw the Grad-CAM overlays and the mean maps for the report of a run.

    An overlay explains the predicted class of an image in the report. A mean map explains a class.

    Parameters
    ----------
    results : Results
        The results of the run. Its weights and its images must be available.

    Returns
    -------
    Drawn
        Numbers of new pictures; existing pictures are not drawn again.

    Raises
    ------
    ValueError
        If the run is not finished, or a file is not a readable image.
    OSError
        If a file cannot be read or written.

    Notes
    -----
    The mean of a class is the mean of the maps of some of its images, over the mean of these images
    as input of the network. Each map is first divided by its largest value. The maps explain the
    true class, independent of the predicted class.
    """
    look = _Look(results)
    images = [image for image in pictured(results) if not overlay_path(results, *image).is_file()]
    for name in dict.fromkeys(name for name, _ in images):
        rows = [row for of_set, row in images if of_set == name]
        predicted = results.sets[name].outcomes().predicted[rows]
        for row, path, seen in look(name, rows, predicted):
            picture = thumbnail(path)
            heat = over_source(seen.heat, seen.transform, picture.shape[:2])
            cxr_enhance.write_image(overlay_path(results, name, row), overlay(picture, heat))
    means = [
        (name, place, rows)
        for name in results.tested
        for place, rows in averaged(results, name).items()
        if not mean_path(results, name, place).is_file()
    ]
    for name, place, rows in means:
        views = [seen for _, _, seen in look(name, rows, np.full(len(rows), place))]
        maps = np.stack([seen.heat for seen in views])
        heat = mean_maps(maps, np.zeros(len(rows), np.int64), 1).means[0]
        image = np.mean([seen.image for seen in views], axis=0)
        cxr_enhance.write_image(mean_path(results, name, place), mean_overlay(image, heat))
    return Drawn(len(images), len(means))


def draw_finding_overlays(results: FindingResults) -> Drawn:
    """Draw the Grad-CAM overlays of the worst mistakes of each finding, for the report of a run.

    Parameters
    ----------
    results : FindingResults
        The results of the run. Its weights and its images must be available.

    Returns
    -------
    Drawn
        Numbers of new pictures; existing pictures are not drawn again. There are no mean maps.

    Raises
    ------
    ValueError
        If the run is not finished, or a file is not a readable image.
    OSError
        If a file cannot be read or written.
    """
    look, overlays = _Look(results), 0
    for name in results.tested:
        mistakes = [
            mistake
            for mistake in worst_mistakes(results, name)
            if not finding_overlay_path(results, name, mistake.row, mistake.finding).is_file()
        ]
        rows = [mistake.row for mistake in mistakes]
        places = np.array([results.findings.index(mistake.finding) for mistake in mistakes], int)
        for mistake, (_, path, seen) in zip(mistakes, look(name, rows, places), strict=True):
            picture = thumbnail(path)
            heat = over_source(seen.heat, seen.transform, picture.shape[:2])
            target = finding_overlay_path(results, name, mistake.row, mistake.finding)
            cxr_enhance.write_image(target, overlay(picture, heat))
        overlays += len(mistakes)
    return Drawn(overlays, 0)


class Seen(NamedTuple):
    """A prepared image with its map."""

    image: Any  # (H, W, C), uint8; the image as input of the network
    transform: Transform  # mapping of the pixels of `image` to the original image
    heat: Any  # (h, w), float32; the map with values 0..1


class _Look:
    """A function that computes maps of images; it loads the run on the first call."""

    def __init__(self, results: AnyResults) -> None:
        self._results = results

    def __call__(
        self, name: str, rows: Sequence[int], classes: Any
    ) -> Iterator[tuple[int, str, Seen]]:
        """Yield row, path and prepared image with its scaled map, for one class of each image.

        Parameters
        ----------
        name : str
            Name of the set.
        rows : sequence of int
            Rows of the images in the set.
        classes : ndarray of shape (len(rows),), dtype int64
            For each image, the index of the class to explain.
        """
        paths = self._results.sets[name].manifest.paths()
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            of_part = [paths[row] for row in part]
            images, transforms = self._load.with_transforms(of_part)
            maps = normalised(self._cam(images, classes[start : start + _BATCH]))
            yield from zip(part, of_part, map(Seen, images, transforms, maps), strict=True)

    @functools.cached_property
    def _run(self) -> FinishedRun:
        return read_run(self._results.folder.path)

    @functools.cached_property
    def _load(self) -> ImageLoader:
        return ImageLoader(self._run.config.data)

    @functools.cached_property
    def _cam(self) -> GradCam:
        run = self._run
        self._results.folder.overlays_folder.mkdir(exist_ok=True)
        return GradCam(load_classifier(run), multilabel=run.config.model.task == "multilabel")
