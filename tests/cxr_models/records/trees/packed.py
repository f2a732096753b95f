"""JSRT's raw images, MedMNIST's arrays."""

import numpy as np

from tests.cxr_models.records.trees.files import raw, text
from tests.helpers.radiographs import draw


def jsrt(folder):
    """Lines end with CR, two records run together, one image is not there."""
    for seed, name in enumerate(("JPCLN001", "JPCLN002", "JPCNN001")):
        raw(folder / f"All247images/{name}.IMG", seed)
    text(
        folder / "Clinical_Information/CLNDAT_EN.txt",
        "JPCLN001.IMG\t5\t15\t53\tmale\t1634\t692\tmalignant\tl.upper lobe\tlung cancer",
        "JPCLN002.IMG\t4\t24\t68\tfemale\t1634\t692\tbenign\tr.middle lobe\thamartomaJPCLN003.IMG"
        "\t3\t20\t60\tmale\t10\t20\tmalignant\tr.lower lobe\tlung cancer",
        end="\r",
    )
    text(folder / "Clinical_Information/CNNDAT_EN.TXT", "JPCNN001.IMG 55 female", end="\r\n")


def pneumoniamnist(folder, *, size=28):
    """Three parts of arrays; patients are lost."""
    arrays = {}
    for place, (part, labels) in enumerate(
        {"train": (0, 1, 1), "val": (0,), "test": (1, 0)}.items()
    ):
        images = [draw(10 * place + i, 64)[:size, :size] for i in range(len(labels))]
        arrays[f"{part}_images"] = np.stack(images)
        arrays[f"{part}_labels"] = np.array(labels, np.uint8)[:, None]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "pneumoniamnist.npz", **arrays)


def chestmnist(folder):
    """Fourteen labels an image, all 0 where nothing was found."""
    arrays = {}
    for place, part in enumerate(("train", "val", "test")):
        labels = np.zeros((2, 14), np.uint8)
        labels[0, [2, 12]] = 1
        arrays[f"{part}_images"] = np.stack([draw(20 * place + i, 64)[:64, :64] for i in range(2)])
        arrays[f"{part}_labels"] = labels
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "chestmnist_64.npz", **arrays)
