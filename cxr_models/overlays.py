"""Grad-CAM overlays of the images that a report of a run shows, kept beside its evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import cxr_enhance
from cxr_models.explain import GradCam, normalised, overlay
from cxr_models.finished_run import read_run
from cxr_models.inference import load_classifier
from cxr_models.loading import ImageLoader
from cxr_models.report.choices import pictured
from cxr_models.report.thumbnails import overlay_path, thumbnail

if TYPE_CHECKING:
    from cxr_models.report import Results

_BATCH = 16


def draw_overlays(results: Results) -> int:
    """Draw where a run looked for what it said of the images its report shows.

    Parameters
    ----------
    results : Results
        The run, with its weights and its images in place.

    Returns
    -------
    int
        How many were drawn; those that lie there already are not drawn again.

    Raises
    ------
    ValueError
        If the run has not ended, or a file holds no image.
    OSError
        If a file cannot be read or written.
    """
    missing = [
        one for one in pictured(results) if not overlay_path(results, one[0], one[1]).is_file()
    ]
    if not missing:
        return 0
    run = read_run(results.path)
    cam = GradCam(load_classifier(run.config, len(run.labels), run.folder.best_weights))
    load = ImageLoader(run.config.data)
    results.overlays.mkdir(exist_ok=True)
    said_of = {name: predictions.outcomes().said for name, predictions in results.sets.items()}
    for start in range(0, len(missing), _BATCH):
        part = missing[start : start + _BATCH]
        paths = [results.sets[name].manifest.paths()[row] for name, row in part]
        said = np.array([said_of[name][row] for name, row in part])
        maps = normalised(cam(load(paths), said))
        for (name, row), path, heat in zip(part, paths, maps, strict=True):
            drawn = overlay(thumbnail(path), heat)
            cxr_enhance.write_image(overlay_path(results, name, row), drawn)
    return len(missing)
