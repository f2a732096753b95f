"""Montgomery, Shenzhen, TBX11K."""

import json

from tests.cxr_models.records.trees.files import image, text


def montgomery(folder):
    """Masks of the same names beside the images, a reading for each."""
    top = folder / "MontgomerySet"
    rows = (("0001_0", "F", "027Y"), ("0024_0", "M", "041Y"), ("0108_1", "M", "058Y"),
            ("0393_1", "F", "004M"))  # fmt: skip
    for seed, (name, sex, age) in enumerate(rows):
        image(top / f"CXR_png/MCUCXR_{name}.png", seed)
        for side in ("leftMask", "rightMask"):
            image(top / f"ManualMask/{side}/MCUCXR_{name}.png", 80 + seed)
        finding = "normal" if name.endswith("0") else "TB, active"
        text(
            top / f"ClinicalReadings/MCUCXR_{name}.txt",
            f"Patient's Sex: {sex} ", f"Patient's Age: {age}", finding,
        )  # fmt: skip
    text(top / "NLM-MontgomeryCXRSet-ReadMe.pdf", "%PDF")


def shenzhen(folder):
    """Readings whose first line holds sex and age as people write them."""
    top = folder / "ChinaSet_AllFiles"
    rows = (("0001_0", "male 45yrs", "normal"), ("0060_0", "Female, 30yrs", "normal"),
            ("0327_1", "male 37 yrs", "right upper PTB"),
            ("0660_1", "female 8 months", "bilateral PTB"))  # fmt: skip
    for seed, (name, who, finding) in enumerate(rows):
        image(top / f"CXR_png/CHNCXR_{name}.png", seed)
        text(top / f"ClinicalReadings/CHNCXR_{name}.txt", who, finding)
    image(folder / "mask/mask/CHNCXR_0001_0_mask.png", 90)


def tbx11k(folder):
    """Folders are classes, parts and kinds of tuberculosis stand in files of COCO."""
    top = folder / "TBX11K"
    files = {
        "train": ("health/h0001.png", "sick/s0001.png", "tb/tb0003.png"),
        "val": ("tb/tb0005.png", "tb/tb1199.png"),
    }
    kinds = ("ActiveTuberculosis", "ObsoletePulmonaryTuberculosis", "PulmonaryTuberculosis")
    boxes = {"tb/tb0003.png": (1, 1), "tb/tb0005.png": (1, 2), "tb/tb1199.png": (3,)}
    seed = 0
    for part, names in files.items():
        coco = {
            "images": [],
            "annotations": [],
            "categories": [{"id": i, "name": kind} for i, kind in enumerate(kinds, start=1)],
        }
        for number, name in enumerate(names):
            image(top / "imgs" / name, seed)
            seed += 1
            coco["images"].append({"id": number, "file_name": name})
            coco["annotations"] += [
                {"image_id": number, "category_id": kind, "bbox": [1, 2, 3, 4]}
                for kind in boxes.get(name, ())
            ]
        text(top / f"annotations/json/TBX11K_{part}.json", json.dumps(coco))
    image(top / "imgs/test/test_0001.png", 91)
    image(top / "imgs/extra/da+db/train/n001.png", 92)
