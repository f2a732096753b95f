"""Kermany, COVID-19 Radiography, exports of DICOM archives."""

from tests.cxr_models.records.trees.files import dicom, image, text, xlsx

KERMANY = (
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/NORMAL/NORMAL2-IM-0383-0001.jpeg",
    "train/PNEUMONIA/person1000_bacteria_2931.jpeg",
    "train/PNEUMONIA/person1_virus_6.jpeg",
    "val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
    "val/PNEUMONIA/person1946_bacteria_4874.jpeg",
    "test/NORMAL/IM-0001-0001.jpeg",
    "test/PNEUMONIA/person1_virus_7.jpeg",  # of a patient of train
)


def kermany(folder):
    """The zip of Kaggle: the whole tree twice, and resource forks of macOS."""
    for seed, name in enumerate(KERMANY):
        for copy in ("chest_xray", "chest_xray/chest_xray"):
            image(folder / copy / name, seed)
        fork = (folder / "chest_xray/__MACOSX/chest_xray" / name).parent
        text(fork / f"._{name.rsplit('/', 1)[-1]}", "Mac OS X")
    text(folder / "chest_xray/chest_xray/.DS_Store", "x")


def radiography(folder):
    """Version 4 and later: masks of the same names beside the images, sources in workbooks."""
    top = folder / "COVID-19_Radiography_Dataset"
    urls = {
        ("COVID", "COVID-1"): "https://sirm.org/category/senza-categoria/covid-19/",
        ("COVID", "COVID-2"): "https://bimcv.cipf.es/bimcv-projects/padchest/",
        ("Lung_Opacity", "Lung_Opacity-1"):
            "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data",
        ("Normal", "NORMAL-1"):
            "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data",
        ("Normal", "NORMAL-2"):
            "https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia",
        ("Viral Pneumonia", "Viral Pneumonia-1"):
            "https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia",
    }  # fmt: skip
    sheets = {}
    for seed, ((group, name), url) in enumerate(urls.items()):
        file = name.replace("NORMAL", "Normal") + ".png"
        image(top / group / "images" / file, seed)
        image(top / group / "masks" / file, 100 + seed)
        sheets.setdefault(group, []).append((name, "PNG", "256*256", url))
    for group, rows in sheets.items():
        xlsx(top / f"{group}.metadata.xlsx", ("FILE NAME", "FORMAT", "SIZE", "URL"), *rows)
    text(top / "README.md.txt", "COVID-19 CHEST X-RAY DATABASE")


def archive_export(folder):
    """An export a class, files without suffix: patients in headers, a lateral view, a CT slice."""
    for number, (group, patient, view, modality) in enumerate(
        (
            ("normal", "P1", "PA", "DX"),
            ("normal", "P1", "LL", "DX"),
            ("normal", "P2", "AP", "CR"),
            ("pneumonia", "P3", "PA", "DX"),
            ("pneumonia", "P3", "PA", "DX"),
            ("pneumonia", "P4", "", "CT"),
            ("pneumonia", "P5", "AP", "CR"),
        )
    ):
        place = f"{group}/DICOM/PA{patient[1:]:0>6}/ST000001/SE000001/IM{number:06}"
        dicom(
            folder / place,
            number,
            PatientID=patient,
            ViewPosition=view,
            Modality=modality,
            StudyInstanceUID=f"1.2.{number}",
        )
    for group in ("normal", "pneumonia"):
        text(folder / group / "DICOMDIR", "\0" * 128 + "DICM")
