"""Made-up three-class sets with patients, for trying every step where there are no radiographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import cxr_enhance
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_models.records.manifest import Record

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Literal

_CLASSES: tuple[tuple[str, float, Literal["patchy", "diffuse"]], ...] = (
    ("covid", 0.9, "patchy"),
    ("normal", 0.0, "patchy"),
    ("virus", 0.9, "diffuse"),
)
_OTHER_SEEDS = 100_000  # where those of the other source begin
_CUT, _GAMMA = 0.1, 1.4  # the other source's: share cut off each side, and how it darkens


def write_demo_set(
    folder: Path, *, patients: int = 40, size: int = 160, other_source: bool = False
) -> list[Record]:
    """Draw a set of radiographs, two a patient, in one folder a label.

    Parameters
    ----------
    folder : Path
        Where the images go; made if need be.
    patients : int, default 40
        Patients a label.
    size : int, default 160
        Height in pixels.
    other_source : bool, default False
        Whether other people are drawn, closer and darker, as another hospital's machine might see
        them. Patients of the one are ``LABEL-p000``, of the other ``LABEL-q000``.

    Returns
    -------
    list of Record
        File names start from `folder`.

    Raises
    ------
    OSError
        If a file cannot be written.

    Notes
    -----
    The clouds drawn into lungs are no model of any disease: what a network learns here says
    nothing about patients.
    """
    records = []
    letter, first_seed = ("q", _OTHER_SEEDS) if other_source else ("p", 0)
    for number, (label, opacity, pattern) in enumerate(_CLASSES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for patient in range(patients):
            name = f"{label}-{letter}{patient:03d}"
            radiograph = synthetic_radiograph(
                size,
                size * 7 // 8,
                seed=first_seed + 1000 * number + patient,
                opacity=opacity,
                opacity_pattern=pattern,
            )
            if other_source:
                radiograph = _closer_and_darker(radiograph)
            darker = (radiograph.astype(np.float32) * 0.85).astype(np.uint8)  # the second exposure
            for exposure, image in enumerate((radiograph, darker)):
                file = f"{label}/{name}-{exposure}.png"
                cxr_enhance.write_image(folder / file, image)
                records.append(Record(file=file, label=label, patient=name))
    return records


def _closer_and_darker(image: Any) -> Any:
    rows, columns = (round(side * _CUT) for side in image.shape)
    inside = image[rows : len(image) - rows, columns : image.shape[1] - columns]
    return (255 * (inside / 255.0) ** _GAMMA).astype(np.uint8)
