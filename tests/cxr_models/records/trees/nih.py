"""NIH ChestX-ray14, RSNA Pneumonia, SIIM-ACR Pneumothorax."""

from tests.cxr_models.records.trees.files import dicom, image, text

NIH_ROWS = (
    ("00000001_000.png", "Cardiomegaly", 0, 1, "058", "M", "PA"),
    ("00000001_001.png", "Cardiomegaly|Emphysema", 1, 1, "058", "M", "PA"),
    ("00000002_000.png", "No Finding", 0, 2, "081", "M", "AP"),
    ("00000013_005.png", "Infiltration|Pleural_Thickening", 5, 13, "412", "F", "AP"),
    ("00000013_006.png", "Pneumonia", 6, 13, "060", "F", "PA"),
)
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def nih(folder, *, year="2017", flat=False):
    """Twelve folders of which two are there, or one; the first release has ages like 058Y."""
    for seed, (name, *_) in enumerate(NIH_ROWS):
        place = "images-224" if flat else f"images_{1 + seed // 3:03}/images"
        image(folder / place / name, seed)
    old = year == "2017"
    rows = [
        f"{name},{labels},{visit},{patient},{age + 'Y' if old else int(age)},{sex},{view},"
        f"2682,2749,0.143,0.143{',' if old else ''}"
        for name, labels, visit, patient, age, sex, view in NIH_ROWS
    ]
    rows.append(rows[0].replace("00000001_000", "00030805_000"))  # in a folder not downloaded
    name = "Data_Entry_2017.csv" if old else "Data_Entry_2017_v2020.csv"
    text(folder / name, HEADER + ("," if old else ""), *rows)
    text(
        folder / "BBox_List_2017.csv",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,",
        "00000013_005.png,Infiltrate,225.08,547.01,86.7,79.1,,,",
    )
    text(folder / "train_val_list.txt", *(row[0] for row in NIH_ROWS[:3]))
    text(folder / "test_list.txt", *(row[0] for row in NIH_ROWS[3:]))


RSNA_ROWS = (  # image, boxes, class
    ("0004cfab-14fd-4e49-80ba-63a80b6bddd6", 0, "No Lung Opacity / Not Normal"),
    ("00313ee0-9eaa-42f4-b0ab-c148ed3241cd", 0, "Normal"),
    ("00436515-870c-4b36-a041-de91049b9ab4", 2, "Lung Opacity"),
    ("00704310-78a8-4b38-8475-49f4573b2dbb", 1, "Lung Opacity"),
)


def rsna(folder):
    """Rows are boxes, classes are repeated for each; the images of stage 2's test have no label."""
    labels, classes = [], []
    for seed, (name, boxes, group) in enumerate(RSNA_ROWS):
        dicom(
            folder / "stage_2_train_images" / f"{name}.dcm",
            seed,
            PatientID=name,
            ViewPosition=("PA", "AP")[seed % 2],
            Modality="CR",
            PatientSex="F",
            PatientAge="51",
        )
        labels += [f"{name},264.0,152.0,213.0,379.0,1"] * boxes or [f"{name},,,,,0"]
        classes += [f"{name},{group}"] * max(boxes, 1)
    dicom(folder / "stage_2_test_images/0000a175-0e68-4ca4-b1af-167204a7e0bc.dcm", 90)
    text(folder / "stage_2_train_labels.csv", "patientId,x,y,width,height,Target", *labels)
    text(folder / "stage_2_detailed_class_info.csv", "patientId,class", *classes)
    text(folder / "stage_2_sample_submission.csv", "patientId,PredictionString")
    text(folder / "GCP Credits Request Link - RSNA.txt", "https://")


def siim(folder):
    """Files named by SOP in folders of study and series; a blank before EncodedPixels."""
    rows = []
    for seed, pixels in enumerate(((" -1",), ("-1",), (" 1 2 3 4", " 7 8"), (" 10 20",))):
        name = f"1.2.276.0.7230010.3.1.4.8323329.{1000 + seed}.1517875162.0"
        place = f"dicom-images-train/1.2.3.{seed}/1.2.4.{seed}/{name}.dcm"
        dicom(folder / place, seed, PatientID=f"patient-{seed // 2}", Modality="CR")
        rows += [f"{name},{cell}" for cell in pixels]
    dicom(folder / "dicom-images-test/1.9.1/1.9.2/1.9.3.dcm", 91, Modality="CR")
    text(folder / "train-rle.csv", "ImageId, EncodedPixels", *rows)
