"""Synthetic three-class data sets with patients, to try all steps without real radiographs."""

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
_OTHER_SEEDS = 100_000  # first random seed of the other source
_CUT, _GAMMA = 0.1, 1.4  # other source: share cropped at each side, and exponent that darkens


def write_demo_set(
    folder: Path, *, patients: int = 40, size: int = 160, other_source: bool = False
) -> list[Record]:
    """Write a synthetic set of radiographs: one folder per label, two images per patient.

    Parameters
    ----------
    folder : Path
        Folder of the set. It is created if it does not exist.
    patients : int, default 40
        Number of patients per label.
    size : int, default 160
        Height of the images before cropping, in pixels. The width is 7/8 of it.
    other_source : bool, default False
        Whether to imitate another hospital: other patients, and images that are cropped and
        darker. Patient ids are ``LABEL-p000`` and so on by default, and ``LABEL-q000`` and so on
        for the other source.

    Returns
    -------
    list of Record
        One record per image. File names are relative to `folder`.

    Raises
    ------
    OSError
        If a file cannot be written.

    Notes
    -----
    The opacities in the lungs do not model any disease. The performance of a network on these
    images says nothing about real patients.
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
