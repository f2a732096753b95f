"""A made-up three-class set with patients, for trying every step where there are no radiographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import cxr_enhance
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_models.records.manifest import Record

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

_CLASSES: tuple[tuple[str, float, Literal["patchy", "diffuse"]], ...] = (
    ("covid", 0.9, "patchy"),
    ("normal", 0.0, "patchy"),
    ("virus", 0.9, "diffuse"),
)


def write_demo_set(folder: Path, *, patients: int = 60, size: int = 160) -> list[Record]:
    """Draw a set of radiographs, two a patient, in one folder a label.

    Parameters
    ----------
    folder : Path
        Where the images go; made if need be.
    patients : int, default 60
        Patients a label.
    size : int, default 160
        Height in pixels.

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
    for number, (label, opacity, pattern) in enumerate(_CLASSES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for patient in range(patients):
            name = f"{label}-p{patient:03d}"
            drawn = synthetic_radiograph(
                size,
                size * 7 // 8,
                seed=1000 * number + patient,
                opacity=opacity,
                opacity_pattern=pattern,
            )
            darker = (drawn.astype(np.float32) * 0.85).astype(np.uint8)  # the second exposure
            for exposure, image in enumerate((drawn, darker)):
                file = f"{label}/{name}-{exposure}.png"
                cxr_enhance.write_image(folder / file, image)
                records.append(Record(file=file, label=label, patient=name))
    return records
