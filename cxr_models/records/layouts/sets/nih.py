"""NIH ChestX-ray14, and sets made from its images: RSNA Pneumonia, SIIM-ACR Pneumothorax."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from cxr_models.records.layouts.facts import ImageRow, KnownSet
from cxr_models.records.layouts.reduce import any_of, first
from cxr_models.records.layouts.values import (
    ABSENT,
    PRESENT,
    FindingsOf,
    age_of,
    finding_of,
    listed,
    sex_of,
    view_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.records.layouts.facts import ReadOptions
    from cxr_models.records.layouts.tables import Extra
    from cxr_models.records.layouts.tree import Tree
    from cxr_models.records.layouts.values import Findings

FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis",
    "Hernia", "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax",
    "No Finding",
)  # fmt: skip
_RSNA_LABELS = {
    "Normal": "normal",
    "No Lung Opacity / Not Normal": "not_normal",
    "Lung Opacity": "lung_opacity",
}


def _read_nih(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(FINDINGS)
    split = {}
    for pattern, part in ((r"train_val_list.*\.txt", "train"), (r"test_list.*\.txt", "test")):
        for name in tree.tables(pattern):
            rows = tree.opened(name, header=["file"]).rows("file")
            split.update({image: part for (image,) in rows})
    table = tree.table(r"Data_Entry_2017(_v2020)?\.csv(\.gz)?")
    columns = (
        "Image Index", "Finding Labels", "Follow-up #?", "Patient ID", "Patient Age?",
        "Patient Gender|Patient Sex?", "View Position?",
    )  # fmt: skip
    for (image, labels, visit, patient, age, sex, view), extra in table.rows_and_extra(*columns):
        yield ImageRow(
            file=tree.by_name(image) or tree.by_stem(image.rsplit(".", 1)[0]),
            patient=patient,
            source="nih",
            view=view_of(view),
            split=split.get(image, ""),
            study=f"{patient}_{visit}" if visit else "",
            sex=sex_of(sex),
            age=age_of(age),
            findings=_found(findings, labels, table.name, image),
            kept=extra,
        )


def _found(findings: FindingsOf, labels: str, table: str, image: str) -> Findings:
    try:
        return findings.listed(listed(labels))
    except ValueError as error:
        raise ValueError(f"{error} Correct the row of {image!r} in {table!r}.") from error


def _patients_of_nih(tree: Tree) -> dict[str, str]:
    """Return the NIH patient of each RSNA image.

    The result is empty if the file that maps RSNA images to NIH images is not in the folder.
    """
    patients = {}
    for name in tree.tables(r"pneumonia-challenge.*mappings.*\.json"):
        for entry in json.loads((tree.root / name).read_bytes()):
            patients[str(entry["subset_img_id"])] = str(entry["img_id"]).split("_", 1)[0]
    return patients


def _read_rsna(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(("Lung Opacity", "Normal"))
    rule = options.rule(any_of)
    targets: dict[str, list[str]] = defaultdict(list)
    extras: dict[str, Extra] = {}
    table = tree.table(r"stage_2_train_labels\.csv(\.gz)?")
    for (image, target), extra in table.rows_and_extra("patientId", "Target"):
        targets[image].append(finding_of(target))
        extras.setdefault(image, extra)
    classes: dict[str, list[str]] = defaultdict(list)
    for name in tree.tables(r"stage_2_detailed_class_info\.csv(\.gz)?"):
        for image, group in tree.opened(name).rows("patientId", "class"):
            if group not in _RSNA_LABELS:
                raise ValueError(
                    f"`{name}` must have a class of {', '.join(_RSNA_LABELS)} in each row; got "
                    f"{group!r} for {image!r}."
                )
            classes[image].append(group)
    patients = _patients_of_nih(tree)
    for image, values in targets.items():
        target, group = rule(values), first(classes.get(image, []))
        normal = "" if not group else PRESENT if group == "Normal" else ABSENT
        plain = "lung_opacity" if target == PRESENT else "no_lung_opacity"
        file = tree.by_stem(image)
        yield ImageRow(
            file="" if re.search(RSNA.unlabelled, file, re.IGNORECASE) else file,
            label=_RSNA_LABELS[group] if group else plain,
            patient=patients.get(image, image),
            source="nih" if image in patients else "rsna",
            findings=findings((target, normal)),
            kept=extras[image],
        )


def _read_siim(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(("Pneumothorax",))
    rule = options.rule(any_of)
    values: dict[str, list[str]] = defaultdict(list)
    extras: dict[str, Extra] = {}
    table = tree.table(r"(stage_2_train|train-rle)\.csv(\.gz)?")
    for (image, pixels), extra in table.rows_and_extra("ImageId", "EncodedPixels"):
        values[image].append(ABSENT if pixels in ("-1", "") else PRESENT)
        extras.setdefault(image, extra)
    for image, rows in values.items():
        yield ImageRow(
            file=tree.by_stem(image),
            source="siim-acr",
            findings=findings((rule(rows),)),
            kept=extras[image],
        )


NIH = KnownSet(
    name="nih",
    title="NIH ChestX-ray14",
    images=112_120,
    licence="free with attribution",
    citation="Wang et al.: ChestX-ray8, CVPR 2017",
    marks=(r"(^|/)Data_Entry_2017(_v2020)?\.csv(\.gz)?$",),
    read=_read_nih,
)
RSNA = KnownSet(
    name="rsna",
    title="RSNA Pneumonia Detection Challenge",
    images=26_684,
    licence="rules of the competition",
    citation="Shih et al., Radiology: Artificial Intelligence 1(1), 2019",
    marks=(r"(^|/)stage_2_train_labels\.csv(\.gz)?$",),
    read=_read_rsna,
    several_rows=True,
    unlabelled=r"(^|/)stage_2_test_images/",
)
SIIM_ACR = KnownSet(
    name="siim-acr",
    title="SIIM-ACR Pneumothorax Segmentation",
    images=12_089,
    licence="rules of the competition",
    citation="Society for Imaging Informatics in Medicine, Kaggle 2019",
    marks=(r"(^|/)(train-rle|stage_2_train)\.csv(\.gz)?$",),
    read=_read_siim,
    several_rows=True,
    unlabelled=r"(^|/)(dicom-images-test|stage_2_images)/",
)
