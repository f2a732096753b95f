"""Images of a report on several findings: the worst mistakes of each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.evaluation.finding_predictions import ABSENT, PRESENT, sigmoid
from cxr_models.report.blocks import Block, Gallery, Picture, Table, Text
from cxr_models.report.formatting import NONE, number, short_name
from cxr_models.report.images.thumbnails import finding_overlay_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.report.images.pictures import Pictures
    from cxr_models.report.read.finding_results import FindingResults

# This gallery shows up to 4 times as many images as a gallery of classes, because each finding has
# up to two mistakes.
_IMAGES = 4


class Mistake(NamedTuple):
    """A wrong prediction of a finding for an image."""

    row: int  # row of the image in the table of the set
    finding: str
    shows: bool  # whether the finding is present in the image
    probability: float  # calibrated probability of the finding


def worst_mistakes(run: FindingResults, name: str) -> Iterator[Mistake]:
    """Yield, for each finding, the worst false positive and the worst false negative on a set.

    A finding without a threshold has no mistakes.

    Parameters
    ----------
    run : FindingResults
        Results of the run.
    name : str
        Name of the set. Only images with a known label for the finding are considered.
    """
    predictions, evaluation = run.sets[name], run.evaluation
    for k, finding in enumerate(run.findings):
        threshold = evaluation.operating_points.thresholds[finding]
        if threshold is None:
            continue
        shares = sigmoid(predictions.logits[:, k] / evaluation.temperatures[finding])
        targets = predictions.targets[:, k]
        false = np.flatnonzero((targets == ABSENT) & (shares >= threshold))
        missed = np.flatnonzero((targets == PRESENT) & (shares < threshold))
        if len(false):
            row = int(false[np.argmax(shares[false])])
            yield Mistake(row, finding, False, float(shares[row]))
        if len(missed):
            row = int(missed[np.argmin(shares[missed])])
            yield Mistake(row, finding, True, float(shares[row]))


def mistakes(pictures: Pictures, run: FindingResults, name: str) -> list[Block]:
    """Return a gallery of the worst mistakes of every finding on a set.

    Parameters
    ----------
    pictures : Pictures
        Reader of the images; it also counts the images that are shown.
    run : FindingResults
        Results of the run.
    name : str
        Name of the set.
    """
    records = run.sets[name].manifest.records
    paths = run.sets[name].manifest.paths()
    shown: list[Picture] = []
    cells = []
    for mistake in worst_mistakes(run, name):
        file, source = short_name(records[mistake.row].file), records[mistake.row].source
        what = "missed" if mistake.shows else "called, but absent"
        image = overlay = None
        if len(shown) < _IMAGES * pictures.count:
            image = pictures.uri(paths[mistake.row])
        if image is not None:
            overlay = pictures.uri(
                str(finding_overlay_path(run, name, mistake.row, mistake.finding))
            )
        pictures.shown += image is not None
        shown.append(
            Picture(
                file=file,
                lines=(
                    f"{mistake.finding}: {what}",
                    f"probability {number(mistake.probability)}",
                    source or "source not stated",
                ),
                alt=f"Radiograph {file}, {mistake.finding} {what}",
                image=image,
                overlay=overlay,
                overlay_of=mistake.finding,
            )
        )
        cells.append((file, mistake.finding, what, number(mistake.probability), source or NONE))
    if not shown:
        return [Text(text="Every known label is called correctly, or no finding has a threshold.")]
    table = Table(
        caption=f"The worst false call and the worst miss of each finding on {name}",
        head=("file", "finding", "mistake", "calibrated probability", "source"),
        rows=tuple(cells),
        words=True,
    )
    blocks: list[Block] = [Gallery(pictures=tuple(shown), table=table)]
    if run.config is not None:  # third-party models have no overlays
        blocks += pictures.overlay_notes(shown, "its finding", target="finding")
    if pictures.count and not any(picture.image for picture in shown):
        blocks.append(Text(text="The images could not be read from here.", tone="note"))
    return blocks
