"""A made-up set with planted findings, of which some are unknown and some uncertain."""

import numpy as np

from cxr_enhance import write_image
from cxr_models.records.manifest import Record
from cxr_models.records.splits import read_split, split_records, write_split
from tests.helpers.radiographs import draw

FINDINGS = ("Bands", "Dots")  # nothing a chest shows: what a small network can learn
_FIRST_SEED = 5000  # no radiograph equals one of tests.helpers.radiographs


def planted(seed, bands, dots, *, size=48):
    """Draw a radiograph with bands below, dots above, both or neither."""
    image = draw(_FIRST_SEED + seed, size).astype(np.int16)
    rows = len(image)
    if bands:
        image[rows // 2 :: 4, :] += 90
    if dots:
        image[: rows // 2 : 3, ::3] -= 90
    return np.clip(image, 0, 255).astype(np.uint8)


def findings_records(folder, patients=24, *, hidden=0.3, seed=0):
    """Write two images a patient, and return their records and the truth, (N, 2).

    Of each finding a share `hidden` of the images is unknown, and as many are uncertain as that
    share's third.
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
    """Write and read a split of such a set, stratified by its findings."""
    records, _ = findings_records(folder, patients, **options)
    assigned = split_records(records, fractions=(0.5, 0.25, 0.25), findings=FINDINGS)
    write_split(folder / "split.csv", assigned, {"seed": 0})
    return read_split(folder / "split.csv")


def truth_of(records):
    """Return what the images of `findings_records` show, known or not, of shape (N, 2)."""
    patients = [int(record.patient[1:]) for record in records]
    return np.array([(patient % 2, patient // 2 % 2) for patient in patients])


def multilabel(config, **settings):
    """Return a configuration changed to that of a run with these findings."""
    changes = [("model.task", "multilabel"), ("model.findings", list(FINDINGS))]
    changes += [(name.replace("__", "."), value) for name, value in settings.items()]
    return config.with_settings(changes)
