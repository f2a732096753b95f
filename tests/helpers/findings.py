"""A made-up set with planted findings; some labels are unknown and some are uncertain."""

import numpy as np

from cxr_enhance import write_image
from cxr_models.records.manifest import Record
from cxr_models.records.splits import read_split, split_records, write_split
from tests.helpers.radiographs import draw

FINDINGS = ("Bands", "Dots")  # artificial patterns that a small network can learn
_FIRST_SEED = 5000  # seeds differ from those of tests.helpers.radiographs


def planted(seed, bands, dots, *, size=48):
    """Return a radiograph, with `bands` in the lower half and with `dots` in the upper half."""
    image = draw(_FIRST_SEED + seed, size).astype(np.int16)
    rows = len(image)
    if bands:
        image[rows // 2 :: 4, :] += 90
    if dots:
        image[: rows // 2 : 3, ::3] -= 90
    return np.clip(image, 0, 255).astype(np.uint8)


def findings_records(folder, patients=24, *, hidden=0.3, seed=0):
    """Write two images per patient; return their records and the true labels of shape (N, 2).

    For each finding, a share `hidden` of the labels is unknown, and a further share of 0.3 times
    `hidden` is uncertain.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    records, truth = [], []
    for patient in range(patients):
        shown = patient % 2, patient // 2 % 2
        for number in range(2):
            name = f"p{patient:02d}-{number}.png"
            write_image(folder / name, planted(2 * patient + number, *shown))
            cells = []
            for value in shown:
                place = rng.uniform()
                cells.append("" if place < hidden else "u" if place < 1.3 * hidden else str(value))
            findings = tuple(zip(FINDINGS, cells, strict=True))
            records.append(
                Record(file=name, label="image", patient=f"p{patient:02d}", findings=findings)
            )
            truth.append(shown)
    return records, np.array(truth)


def write_findings_split(folder, patients=24, **options):
    """Write a set with findings and its split, stratified by the findings; return the split."""
    records, _ = findings_records(folder, patients, **options)
    assigned = split_records(records, fractions=(0.5, 0.25, 0.25), findings=FINDINGS)
    write_split(folder / "split.csv", assigned, {"seed": 0})
    return read_split(folder / "split.csv")


def truth_of(records):
    """Return the true labels of images of `findings_records`, known or not, of shape (N, 2)."""
    patients = [int(record.patient[1:]) for record in records]
    return np.array([(patient % 2, patient // 2 % 2) for patient in patients])


def multilabel(config, **settings):
    """Return a configuration with the task multilabel, `FINDINGS` and further settings."""
    changes = [("model.task", "multilabel"), ("model.findings", list(FINDINGS))]
    changes += [(name.replace("__", "."), value) for name, value in settings.items()]
    return config.with_settings(changes)
