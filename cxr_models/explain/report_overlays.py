"""Grad-CAM for the report of a run, kept beside its evaluation: of images shown, and means."""

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
    """How many overlays of images and how many mean maps were drawn."""

    overlays: int
    means: int


def draw_overlays(results: Results) -> Drawn:
    """Draw where a run looked: for the predicted class of images in its report, and on average.

    Parameters
    ----------
    results : Results
        The run, with its weights and its images in place.

    Returns
    -------
    Drawn
        What was drawn; what lies there already is not drawn again.

    Raises
    ------
    ValueError
        If the run has not ended, or a file holds no image.
    OSError
        If a file cannot be read or written.

    Notes
    -----
    The mean of a class is that of the maps of some of its images, each scaled to a highest value
    of 1, over the mean of the images as the network takes them. The maps are those for the true
    class, whatever the predicted class.
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
    """Draw where a run with several findings looked: for each finding, on its worst mistakes.

    Parameters
    ----------
    results : FindingResults
        The run, with its weights and its images in place.

    Returns
    -------
    Drawn
        What was drawn; what lies there already is not drawn again, and there are no mean maps.

    Raises
    ------
    ValueError, OSError
        As `draw_overlays` raises.
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
    """An image as the network takes it, where its pixels come from, and the map over it."""

    image: Any
    transform: Transform
    heat: Any


class _Look:
    """Computes maps of images; loads the run on the first call."""

    def __init__(self, results: AnyResults) -> None:
        self._results = results

    def __call__(
        self, name: str, rows: Sequence[int], classes: Any
    ) -> Iterator[tuple[int, str, Seen]]:
        """Yield row, path, and what was seen with the scaled map for the class asked."""
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
