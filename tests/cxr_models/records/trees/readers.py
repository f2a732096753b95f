"""PadChest, VinDr-CXR, Open-i."""

from cxr_enhance import write_image
from tests.cxr_models.records.trees.files import dicom, image, text
from tests.helpers.radiographs import draw

PADCHEST_ROWS = (
    ("20536686640136348236148679891455886468_k6ga29.png", 0, 1930, "M", "PA",
     "['cardiomegaly', ' pleural effusion', 'pneumonia ']"),
    ("135803415504923515076821959678074435083_fzis7b.png", 0, 1962, "F", "L", "['normal']"),
    ("216840111366964013451228495512013338135747880_01-088-063.png", 54, 1970, "F",
     "AP_horizontal", "['unchanged', '']"),
    ("216840111366964013962490064942014134093945519_01-178-104.png", 54, "", "", "COSTAL",
     "['rib fracture']"),
    ("304569295539964045020899697180335460865_r2fjf7.png", 1, 1950, "M", "AP", ""),
)  # fmt: skip


def padchest(folder):
    """16-bit images in numbered folders, an unnamed first column, labels as Python lists."""
    header = (
        ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,"
        "ViewPosition_DICOM,Projection,MethodProjection,Pediatric,Modality_DICOM,"
        "Manufacturer_DICOM,PhotometricInterpretation_DICOM,ReportID,Report,MethodLabel,Labels,"
        "Localizations"
    )
    lines = []
    for seed, (name, place, born, sex, view, labels) in enumerate(PADCHEST_ROWS):
        path = folder / f"images/{place}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, draw(seed, 64).astype("u2") * 257)
        year = f"{born}.0" if born else ""
        lines.append(
            f"{seed},{name},{place},2014091{seed},study{seed},patient{seed // 2},{year},{sex},"
            f'POSTEROANTERIOR,{view},Manual review of DICOM fields,No,CR,"ImagingDynamics, Ltd",'
            f'MONOCHROME2,{seed},"sin cambios",Physician,"{labels}","[]"'
        )
    text(folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", header, *lines)


_LOCAL = ("Aortic enlargement", "Cardiomegaly", "Nodule/Mass", "Pneumonia")
VINDR = {  # image: the findings of each reader, by place in _LOCAL; none: "No finding"
    "train": {"50a418190bc3fb1ef1633bf9678929b3": ((0, 1), (0,), (0, 3)),
              "21a10246a5ec7af151081d0cd6d65dc9": ((), (), (2,)),
              "9a5094b2563a1ef3ff50dc5c7ff71345": ((2,), (1,), ())},
    "test": {"007d0c4c1ec6ee9ff7a9b2d3a55c0bf9": ((1,),),
             "0008aab7d8b5d2d2a4d5f1a5a5dcbd6a": ((),)},
}  # fmt: skip


def vindr_cxr(folder):
    """Three rows an image in train, whose columns end in another word than test's."""
    top = folder / "vindr-cxr/1.0.0"
    seed = 0
    for part, images in VINDR.items():
        train = part == "train"
        others = "Other diseases" if train else "Other disease"
        header = ",".join(
            ("image_id", *(("rad_id",) if train else ()), *_LOCAL, others, "No finding")
        )
        lines = []
        for name, readers in images.items():
            dicom(top / part / f"{name}.dicom", seed, PatientID="", ViewPosition="")
            seed += 1
            for number, found in enumerate(readers):
                cells = ["1" if place in found else "0" for place in range(len(_LOCAL))]
                who = [f"R{number + 1}"] if train else []
                lines.append(",".join((name, *who, *cells, "0", "0" if found else "1")))
        text(top / f"annotations/image_labels_{part}.csv", header, *lines)
        text(top / f"annotations/annotations_{part}.csv", "image_id,rad_id,class_name,x_min")


def vindr_challenge(folder):
    """Rows are boxes; class 14 is "No finding"."""
    lines = []
    for seed, (name, readers) in enumerate(VINDR["train"].items()):
        dicom(folder / "train" / f"{name}.dicom", seed, PatientID="", ViewPosition="")
        for number, found in enumerate(readers):
            kinds = [(_LOCAL[place], place) for place in found] or [("No finding", 14)]
            lines += [f"{name},{kind},{number_},R{number + 8},1,2,3,4" for kind, number_ in kinds]
    dicom(folder / "test/002a34c58c5b758217ed1f584ccbcfe9.dicom", 90, PatientID="")
    header = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"
    text(folder / "train.csv", header, *lines)


OPEN_I = (  # uid, images, MeSH terms, views
    ("1", ("1_IM-0001-4001", "1_IM-0001-3001"), ("normal",), ("Frontal", "Lateral")),
    ("2", ("2_IM-0652-1001",), ("Cardiomegaly/borderline", "Pulmonary Artery/enlarged"),
     ("Frontal",)),
    ("36", ("36_IM-1569-0001",), ("Opacity/lung/base/left",), ("Frontal",)),
)  # fmt: skip


def _open_i_tables(folder):
    text(
        folder / "indiana_reports.csv",
        "uid,MeSH,Problems,image,indication,comparison,findings,impression",
        *(
            f"{uid},{';'.join(terms)},{';'.join(term.split('/')[0] for term in terms)},"
            '"Chest, 2 views",,,,'
            for uid, _, terms, _ in OPEN_I
        ),
    )
    text(
        folder / "indiana_projections.csv",
        "uid,filename,projection",
        *(
            f"{uid},{name}.dcm.png,{view}"
            for uid, images, _, views in OPEN_I
            for name, view in zip(images, views, strict=True)
        ),
    )


def open_i_kaggle(folder):
    """Images under names of their own, views in a table."""
    names = [name for _, images, *_ in OPEN_I for name in images]
    for seed, name in enumerate(names):
        image(folder / "images/images_normalized" / f"{name}.dcm.png", seed)
    _open_i_tables(folder)


def open_i(folder, *, tables=False, prefix="CXR{uid}_"):
    """Reports in XML that name their images; views are nowhere but in the tables of others."""
    seed = 0
    for uid, images, terms, _ in OPEN_I:
        nodes = ""
        for name in images:
            named = prefix.format(uid=uid) + name
            image(folder / f"NLMCXR_png/{named}.png", seed)
            seed += 1
            nodes += f'<parentImage id="{named}"><caption>Xray Chest</caption></parentImage>'
        majors = "".join(f"<major>{term}</major>" for term in terms)
        text(
            folder / f"ecgen-radiology/{uid}.xml",
            f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="CXR{uid}"/>'
            f"<MeSH>{majors}<automatic>x</automatic></MeSH>{nodes}</eCitation>",
        )
    if tables:
        _open_i_tables(folder)
