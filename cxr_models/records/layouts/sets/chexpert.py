"""Sets with the fourteen findings of CheXpert: CheXpert, MIMIC-CXR-JPG, MIMIC-CXR, BRAX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cxr_models.records.layouts.facts import ImageRow, KnownSet
from cxr_models.records.layouts.values import (
    UNKNOWN,
    FindingsOf,
    age_of,
    date_of,
    sex_of,
    view_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.records.layouts.facts import ReadOptions
    from cxr_models.records.layouts.tables import Extra, Table
    from cxr_models.records.layouts.tree import Tree
    from cxr_models.records.layouts.values import Findings

FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
_PARTS = {"train": "train", "valid": "val", "validate": "val", "test": "test"}
_PATH = re.compile(r"(?:(train|valid|test)/)?(patient\d+)/(study\d+)/")
_CHEXPERT_TABLES = r"(train|valid|test|val_labels|test_labels)\.csv(\.gz)?"  # also CheXlocalize's
_OPTIONAL = tuple(f"{name}?" for name in FINDINGS)


def _read_chexpert(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(FINDINGS)
    columns = ("Path", "Sex?", "Age?", "Frontal/Lateral?", "AP/PA?")
    tables: dict[str, str] = {}
    for name in tree.tables(_CHEXPERT_TABLES):
        table = tree.opened(name)
        if "Path" not in table.header:
            continue
        for cells, extra in table.rows_and_extra(*columns, *_OPTIONAL):
            path, sex, age, side, view = cells[:5]
            place = _PATH.search(path)
            if place is None:
                raise ValueError(
                    f"`{name}` must have paths with patient00001/study1 in them; got {path!r}."
                )
            # The set is downloaded in batches, so images may be in other folders.
            file = tree.by_path_in_table(table, path) or tree.by_tail(path, 3)
            if file and tables.setdefault(file, name) != name:
                continue  # the folder has the set twice, or its table compressed and uncompressed
            yield ImageRow(
                file=file,
                patient=place[2],
                source="chexpert",
                view="L" if side == "Lateral" else view_of(view),
                split=_PARTS.get(place[1] or "", ""),
                study=f"{place[2]}/{place[3]}",
                sex=sex_of(sex),
                age=age_of(age),
                findings=findings(cells[5:]),
                kept=extra,
            )


def _labels_of_studies(tree: Tree, table: Table) -> dict[str, tuple[Findings, Extra]]:
    findings = FindingsOf(FINDINGS)
    rows = table.rows_and_extra("study_id", *_OPTIONAL)
    return {cells[0]: (findings(cells[1:]), extra) for cells, extra in rows}


def _mimic_labels(tree: Tree) -> dict[str, tuple[Findings, Extra]]:
    for labeller in ("chexpert", "negbio"):
        for name in tree.tables(rf"mimic-cxr-2\.\d\.\d-{labeller}\.csv(\.gz)?")[:1]:
            return _labels_of_studies(tree, tree.opened(name))
    return {}


def _unknown_findings() -> tuple[Findings, Extra]:
    """Return the findings of a study that the table of labels does not have."""
    return FindingsOf(FINDINGS)((UNKNOWN,) * len(FINDINGS)), ()


def _mimic_parts(tree: Tree) -> dict[str, str]:
    for name in tree.tables(r"mimic-cxr-2\.\d\.\d-split\.csv(\.gz)?")[:1]:
        rows = tree.opened(name).rows("dicom_id", "split")
        return {image: _PARTS.get(part, part) for image, part in rows}
    return {}


def _read_mimic_jpg(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    labels, parts = _mimic_labels(tree), _mimic_parts(tree)
    unknown = _unknown_findings()
    table = tree.table(r"mimic-cxr-2\.\d\.\d-metadata\.csv(\.gz)?")
    folder = table.name.rpartition("/")[0]
    top = f"{folder}/" if folder else ""
    columns = (
        "dicom_id", "subject_id", "study_id", "ViewPosition", "StudyDate?",
        "ViewCodeSequence_CodeMeaning?",
    )  # fmt: skip
    for (image, patient, study, view, date, code), extra in table.rows_and_extra(*columns):
        path = f"{top}files/p{patient[:2]}/p{patient}/s{study}/{image}.jpg"
        findings, more = labels.get(study, unknown)
        yield ImageRow(
            path if path in tree.images else tree.by_stem(image),
            "",
            patient,
            "mimic-cxr",
            view_of(view) or view_of(code),
            parts.get(image, ""),
            study,
            date=date_of(date),
            findings=findings,
            kept=extra + more,
        )


def _read_mimic(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    labels, parts = _mimic_labels(tree), _mimic_parts(tree)
    unknown = _unknown_findings()
    table = tree.table(r"cxr-record-list\.csv(\.gz)?")
    for cells, extra in table.rows_and_extra("subject_id", "study_id", "dicom_id", "path"):
        patient, study, image, path = cells
        findings, more = labels.get(study, unknown)
        yield ImageRow(
            file=tree.by_path_in_table(table, path) or tree.by_stem(image),
            patient=patient,
            source="mimic-cxr",
            split=parts.get(image, ""),
            study=study,
            findings=findings,
            kept=extra + more,
        )


def _read_brax(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(FINDINGS)
    table = tree.table(r"master_spreadsheet(_update)?\.csv(\.gz)?")
    columns = (
        "PngPath", "DicomPath", "PatientID", "PatientSex?", "PatientAge?", "AccessionNumber?",
        "StudyDate?", "ViewPosition?", "Manufacturer?",
    )  # fmt: skip
    for cells, extra in table.rows_and_extra(*columns, *_OPTIONAL):
        png, dicom, patient, sex, age, study, date, view, maker = cells[:9]
        yield ImageRow(
            file=tree.by_path_in_table(table, png) or tree.by_path_in_table(table, dicom)
            or tree.by_path_in_table(table, dicom.removesuffix(".dcm")),
            patient=patient,
            source="brax",
            view=view_of(view),
            study=study,
            sex=sex_of(sex),
            age=age_of(age),
            manufacturer=maker,
            date=date_of(date),
            findings=findings(cells[9:]),
            kept=extra,
        )  # fmt: skip


CHEXPERT = KnownSet(
    name="chexpert",
    title="CheXpert",
    images=223_648,
    licence="Stanford University Dataset Research Use Agreement",
    citation="Irvin et al.: CheXpert, AAAI 2019",
    marks=(
        rf"(^|/){_CHEXPERT_TABLES}$",
        r"(^|/)patient\d+/study\d+/view\d+_(frontal|lateral)\.",
    ),
    header=(_CHEXPERT_TABLES, ("Path",)),
    read=_read_chexpert,
)
MIMIC_CXR_JPG = KnownSet(
    name="mimic-cxr-jpg",
    title="MIMIC-CXR-JPG",
    images=377_110,
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    citation="Johnson et al.: MIMIC-CXR-JPG, PhysioNet, 2019 and 2024",
    marks=(
        r"(^|/)(mimic-cxr-2\.\d\.\d-metadata\.csv(\.gz)?|p\d\d/p\d{8}/s\d{8}/[^/]+\.jpe?g)$",
        r"\.jpe?g$",
    ),
    read=_read_mimic_jpg,
)
MIMIC_CXR = KnownSet(
    name="mimic-cxr",
    title="MIMIC-CXR",
    images=377_110,
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    citation="Johnson et al.: MIMIC-CXR, Scientific Data 6:317, 2019",
    marks=(r"(^|/)cxr-record-list\.csv(\.gz)?$", r"\.dcm$"),
    read=_read_mimic,
)
BRAX = KnownSet(
    name="brax",
    title="BRAX",
    images=40_967,
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    citation="Reis et al.: BRAX, Scientific Data 9:487, 2022",
    marks=(r"(^|/)master_spreadsheet(_update)?\.csv(\.gz)?$",),
    read=_read_brax,
)
