"""Small made-up sets of radiographs on disk, for the tests of the models."""

import csv
import functools

import numpy as np

from cxr_enhance import write_image
from cxr_enhance.synthetic import synthetic_radiograph


@functools.cache  # most tests use the same few images
def draw(seed, size=48, opacity=0.0, pattern="patchy"):
    image = synthetic_radiograph(
        size, size + 8, seed=seed, opacity=opacity, opacity_pattern=pattern
    )
    image.flags.writeable = False
    return image


def write_class_folders(folder, classes=("covid", "normal", "virus"), count=4, size=48):
    """Write `count` images per class, two per patient, and return their names."""
    names = []
    for label_number, label in enumerate(classes):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            name = f"{label}/{label}-p{i // 2}-{i}.png"
            seed = 1000 * label_number + i
            write_image(folder / name, draw(seed, size, 0.4 * label_number))
            names.append(name)
    return names


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def random_hashes(rng, count):
    return rng.integers(0, 2**64, size=(count, 4), dtype=np.uint64)
