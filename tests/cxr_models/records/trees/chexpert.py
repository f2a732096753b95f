"""CheXpert, MIMIC-CXR-JPG, MIMIC-CXR, BRAX."""

from tests.cxr_models.records.trees.files import dicom, image, text

FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip


def cells(names=FINDINGS, **values):
    """Fourteen cells, blank but for those named with _ for a blank."""
    return ",".join(values.get(name.replace(" ", "_"), "") for name in names)


CHEXPERT_ROWS = (
    ("train/patient00001/study1/view1_frontal.jpg", "Female,68,Frontal,AP",
     cells(No_Finding="1.0", Support_Devices="1.0")),
    ("train/patient00002/study2/view1_frontal.jpg", "Female,87,Frontal,AP",
     cells(Lung_Opacity="1.0", Pneumonia="1.0", Cardiomegaly="-1.0", Fracture="0.0")),
    ("train/patient00002/study1/view1_frontal.jpg", "Female,83,Frontal,PA",
     cells(Consolidation="-1.0", Pneumonia="-1.0")),
    ("train/patient00002/study1/view2_lateral.jpg", "Female,83,Lateral,",
     cells(Consolidation="-1.0", Pneumonia="-1.0")),
    ("train/patient00003/study1/view1_frontal.jpg", "Unknown,0,Frontal,AP", cells(Edema="1.0")),
    ("valid/patient64541/study1/view1_frontal.jpg", "Male,73,Frontal,AP",
     ",".join("1.0" if name == "Cardiomegaly" else "0.0" for name in FINDINGS)),
)  # fmt: skip


def chexpert(folder, *, release="CheXpert-v1.0-small", renamed=""):
    """Paths begin with the release's folder, which people rename."""
    top = folder / (renamed or release)
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA," + ",".join(FINDINGS)
    rows = {"train": [], "valid": []}
    for seed, (path, who, found) in enumerate(CHEXPERT_ROWS):
        image(top / path, seed)
        rows[path.split("/", 1)[0]].append(f"{release}/{path},{who},{found}")
    for part, lines in rows.items():
        text(top / f"{part}.csv", header, *lines)


def chexpert_batches(folder):
    """The release in full: tables and images of valid in one folder, train in others."""
    chexpert(folder, release="CheXpert-v1.0", renamed="CheXpert-v1.0 batch 1 (validate & csv)")
    top = folder / "CheXpert-v1.0 batch 1 (validate & csv)"
    for batch, patients in ((2, ("patient00001", "patient00002")), (3, ("patient00003",))):
        place = folder / f"CheXpert-v1.0 batch {batch} (train {batch - 1})"
        place.mkdir()
        for patient in patients:
            (top / "train" / patient).rename(place / patient)


MIMIC_ROWS = (  # patient, study, image, view, code, part
    ("10000032", "50414267", "02aa804e-bde0afdd", "PA", "postero-anterior", "train"),
    ("10000032", "50414267", "174413ec-4ec4c1f7", "LATERAL", "lateral", "train"),
    ("10000764", "57375967", "096052b7-d256dc40", "AP", "antero-posterior", "validate"),
    ("10000764", "57375968", "b79e55c3-735ce5ac", "", "lateral", "validate"),
    ("10000898", "50771383", "2a280266-c8bae121", "", "", "test"),
    ("11000011", "51029426", "ea030e7a-2e3b1346", "AP", "antero-posterior", "train"),
)
MIMIC_LABELS = (
    ("10000032", "50414267", {"No_Finding": "1.0"}),
    ("10000764", "57375967", {"Consolidation": "1.0", "Pneumonia": "-1.0", "Edema": "0.0"}),
    ("10000898", "50771383", {"Pneumonia": "1.0", "Lung_Opacity": "1.0"}),
)  # studies 57375968 and 51029426 have none
_ALPHABETIC = tuple(sorted(FINDINGS))


def mimic_tables(top, release="2.0.0", *, images=MIMIC_ROWS, labels=MIMIC_LABELS):
    """Tables a study and an image, packed."""
    text(
        top / f"mimic-cxr-{release}-metadata.csv.gz",
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,"
        "StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
        "PatientOrientationCodeSequence_CodeMeaning",
        *(
            f"{image},{patient},{study},CHEST (PA AND LAT),{view},3056,2544,21800506,213014.531,"
            f"CHEST (PA AND LAT),{code},Erect"
            for patient, study, image, view, code, _ in images
        ),
    )
    for labeller in ("chexpert", "negbio"):
        text(
            top / f"mimic-cxr-{release}-{labeller}.csv.gz",
            "subject_id,study_id," + ",".join(_ALPHABETIC),
            *(f"{who},{study},{cells(_ALPHABETIC, **found)}" for who, study, found in labels),
        )
    text(
        top / f"mimic-cxr-{release}-split.csv.gz",
        "dicom_id,study_id,subject_id,split",
        *(f"{image},{study},{patient},{part}" for patient, study, image, _, _, part in images),
    )


def mimic_cxr_jpg(folder, *, release="2.0.0"):
    """Files in folders of patient and study, tables beside."""
    for seed, (patient, study, name, *_) in enumerate(MIMIC_ROWS):
        image(folder / f"files/p{patient[:2]}/p{patient}/s{study}/{name}.jpg", seed)
        text(folder / f"files/p{patient[:2]}/p{patient}/s{study}.txt", "FINAL REPORT")
    mimic_tables(folder, release)
    text(folder / "IMAGE_FILENAMES", "files/p10/")
    if release == "2.1.0":
        text(
            folder / "mimic-cxr-2.1.0-test-set-labeled.csv",
            "study_id,Airspace Opacity,Pneumonia",
            "50771383,1.0,1.0",
        )


def mimic_cxr(folder):
    """DICOM files; labels of the other release beside them."""
    rows = []
    for seed, (patient, study, name, view, *_) in enumerate(MIMIC_ROWS):
        path = f"files/p{patient[:2]}/p{patient}/s{study}/{name}.dcm"
        dicom(folder / path, seed, PatientID=patient, ViewPosition=view, Modality="DX")
        rows.append(f"{patient},{study},{name},{path}")
    text(folder / "cxr-record-list.csv.gz", "subject_id,study_id,dicom_id,path", *rows)
    text(folder / "cxr-study-list.csv.gz", "subject_id,study_id,path")
    mimic_tables(folder)


BRAX_ROWS = (
    ("id_0a1b", "PA", "F", "55", cells(No_Finding="1")),
    ("id_0a1b", "L", "F", "55", cells(No_Finding="1")),
    ("id_77aa", "AP", "M", "85 or more", cells(Pneumonia="1", Lung_Opacity="1", Edema="-1")),
    ("id_9c9c", "RLO", "M", "30", cells(Fracture="0")),
    ("id_9d9d", "AP", "", "", cells(Edema="1")),
)


def brax(folder, *, png=True):
    """Two forms of each image, DICOM ones without suffix in the first release."""
    rows = []
    for seed, (patient, view, sex, age, found) in enumerate(BRAX_ROWS):
        place = f"{patient}/Study_{seed}.1/Series_{seed}.2/image-{seed}.3"
        if png:
            image(folder / f"images/{place}.png", seed)
        else:
            dicom(folder / f"Anonymized_DICOMs/{place}", seed, PatientID="", ViewPosition=view)
        rows.append(
            f"Anonymized_DICOMs/{place}.dcm,images/{place}.png,{patient},{sex},{age},{seed}99,"
            f"20120{seed + 1}05,{found},{view},2800,2300,Manufacturer_{seed % 2}"
        )
    text(
        folder / f"master_spreadsheet{'_update' if png else ''}.csv",
        "DicomPath,PngPath,PatientID,PatientSex,PatientAge,AccessionNumber,StudyDate,"
        + ",".join(FINDINGS)
        + ",ViewPosition,Rows,Columns,Manufacturer",
        *rows,
    )
