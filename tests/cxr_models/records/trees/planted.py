"""NIH, CheXpert and MIMIC-CXR-JPG with findings that the drawn images show, to train on.

An effusion is bands below, a cardiomegaly dots above (see `tests.helpers.findings`); pneumonia
follows neither and cannot be seen. Tables are those of `nih` and `chexpert`, with more rows.
"""

from typing import NamedTuple

import numpy as np

from cxr_enhance import write_image
from tests.cxr_models.records.trees.chexpert import FINDINGS, cells, mimic_tables
from tests.cxr_models.records.trees.files import text
from tests.cxr_models.records.trees.nih import HEADER
from tests.helpers.findings import planted

EFFUSION = "Pleural_Effusion"


class Visit(NamedTuple):
    """One image of a patient and what it shows."""

    seed: int  # of the image
    patient: int
    number: int
    shown: dict[str, bool]
    age: int
    sex: str
    view: str

    def write(self, path, *, size=64):
        path.parent.mkdir(parents=True, exist_ok=True)
        effusion, big_heart, _ = self.shown.values()
        drawn = planted(self.seed, effusion, big_heart, size=size)
        # Drawn chests are alike: blocks of gray keep a search for copies from tying them.
        blocks = np.random.default_rng(self.seed).integers(0, 160, (9, 9))
        height, width = drawn.shape
        gray = np.kron(blocks, np.ones((height // 9 + 1, width // 9 + 1)))[:height, :width]
        write_image(path, np.clip(0.6 * drawn + 0.6 * gray, 0, 255).astype(np.uint8))


def visits(patients, seed):
    """Two images a patient, of which the second need not show what the first does."""
    rng = np.random.default_rng(seed)
    for patient in range(1, patients + 1):
        age, sex = int(rng.integers(18, 90)), "MF"[rng.integers(2)]
        for number in range(2):
            shown = rng.uniform(size=3) < (0.4, 0.35, 0.3)
            yield Visit(
                1000 * seed + 2 * patient + number,
                patient,
                number,
                dict(zip((EFFUSION, "Cardiomegaly", "Pneumonia"), shown, strict=True)),
                age + number,
                sex,
                ("PA", "AP")[rng.integers(2)],
            )


def nih_planted(folder, patients=60):
    """The last quarter of the patients is the official test set; the rest is train and val."""
    rows, lists = [], {"train_val_list.txt": [], "test_list.txt": []}
    for visit in visits(patients, seed=0):
        name = f"{visit.patient:08}_{visit.number:03}.png"
        found = [finding for finding, is_shown in visit.shown.items() if is_shown]
        labels = "|".join(found).replace(EFFUSION, "Effusion") or "No Finding"
        visit.write(folder / "images_001/images" / name)
        rows.append(
            f"{name},{labels},{visit.number},{visit.patient},{visit.age},{visit.sex},{visit.view},"
            "2682,2749,0.143,0.143"
        )
        is_test = visit.patient > patients * 3 // 4
        lists["test_list.txt" if is_test else "train_val_list.txt"].append(name)
    text(folder / "Data_Entry_2017_v2020.csv", HEADER, *rows)
    for name, files in lists.items():
        text(folder / name, *files)


def _labelled(visit, rng):
    """As CheXpert's program says it: seldom absent, sometimes uncertain, often not mentioned."""
    said = {}
    for finding, is_shown in visit.shown.items():
        place = rng.uniform()
        value = "-1.0" if place < 0.1 else "1.0" if is_shown else "0.0" if place < 0.7 else ""
        said[finding] = value
    if not any(visit.shown.values()):
        said["No_Finding"] = "1.0"
    return said


def chexpert_planted(folder, patients=60):
    """Train as the program labels it; the last fifth is valid, of which everything is known."""
    top, rng = folder / "CheXpert-v1.0-small", np.random.default_rng(1)
    rows = {"train": [], "valid": []}
    for visit in visits(patients, seed=1):
        part = "valid" if visit.patient > patients * 4 // 5 else "train"
        path = f"{part}/patient{visit.patient:05}/study{visit.number + 1}/view1_frontal.jpg"
        visit.write(top / path)
        known = {finding: f"{is_shown:.1f}" for finding, is_shown in visit.shown.items()}
        said = known if part == "valid" else _labelled(visit, rng)
        sex = {"M": "Male", "F": "Female"}[visit.sex]
        rows[part].append(
            f"{top.name}/{path},{sex},{visit.age},Frontal,{visit.view},{cells(**said)}"
        )
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(FINDINGS)
    for part, lines in rows.items():
        text(top / f"{part}.csv", header, *lines)


def mimic_planted(folder, patients=60):
    """Tables of studies and images; the official parts are train, validate and test."""
    rng = np.random.default_rng(2)
    images, labels = [], []
    for visit in visits(patients, seed=2):
        patient, study = f"{10_000_000 + visit.patient}", f"{50_000_000 + 2 * visit.patient}"
        study = f"{int(study) + visit.number}"
        name = f"{visit.patient:08x}-{visit.number:08x}"
        visit.write(folder / f"files/p{patient[:2]}/p{patient}/s{study}/{name}.jpg")
        part = ("train", "train", "validate", "test")[visit.patient % 4]
        images.append((patient, study, name, visit.view, "", part))
        labels.append((patient, study, _labelled(visit, rng)))
    mimic_tables(folder, images=images, labels=labels)
