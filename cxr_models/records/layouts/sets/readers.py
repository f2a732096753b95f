"""Sets labelled by readers or from reports: PadChest, VinDr-CXR, Open-i."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cxr_models.records.layouts.facts import ImageRow, KnownSet
from cxr_models.records.layouts.reduce import majority
from cxr_models.records.layouts.values import (
    FindingsOf,
    age_in,
    date_of,
    finding_of,
    listed,
    sex_of,
    view_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cxr_models.records.layouts.facts import ReadOptions
    from cxr_models.records.layouts.tree import Tree

_PADCHEST_YEAR = 2017  # year of the set, for rows without a date
_VINDR_SAME = {"Other disease": "Other diseases"}  # {name in the test table: name in train}
_NOT_INDEXED = "No Indexing"  # instead of terms, in reports that nobody indexed
_OPEN_I_ID = re.compile(r"^CXR(\d+)_(?:\d+_)?")  # CXR1_1_IM-0001-3001 or CXR1_IM-0001-3001


def _read_padchest(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    table = tree.table(r"PADCHEST_chest_x_ray_images_labels_160K.*\.csv(\.gz)?")
    names = sorted({word for (cell,) in table.rows("Labels") for word in _words(cell)})
    findings = FindingsOf(names)
    columns = (
        "ImageID", "Labels", "PatientID", "StudyID", "StudyDate_DICOM?", "PatientBirth?",
        "PatientSex_DICOM?", "Projection?", "Modality_DICOM?", "Manufacturer_DICOM?",
    )  # fmt: skip
    for cells, extra in table.rows_and_extra(*columns):
        image, labels, patient, study, date, born, sex, view, modality, maker = cells
        year = int(date[:4]) if re.match(r"\d{4}", date) else _PADCHEST_YEAR
        yield ImageRow(
            file=tree.by_name(image),
            patient=patient,
            source="padchest",
            view=view_of(view),
            study=study,
            modality=modality,
            sex=sex_of(sex),
            age=age_in(year, born),
            manufacturer=maker,
            date=date_of(date),
            findings=findings.listed(_words(labels)),
            kept=extra,
        )


def _words(labels: str) -> list[str]:
    return [] if labels.lower() in ("", "nan") else listed(labels)


def _read_vindr(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    rule = options.rule(majority)
    parts = (tree.tables(rf"image_labels_{part}\.csv(\.gz)?")[:1] for part in ("test", "train"))
    tables = [name for part_tables in parts for name in part_tables]
    if not tables:
        yield from _read_vindr_boxes(tree, rule)
        return
    names = [
        [name for name in tree.opened(table).header if name not in ("image_id", "rad_id", "")]
        for table in tables
    ]
    same = dict.fromkeys(_VINDR_SAME.get(name, name) for header in names for name in header)
    findings = FindingsOf(tuple(same))
    for table, header in zip(tables, names, strict=True):
        part = "test" if "test" in table.rsplit("/", 1)[-1].lower() else "train"
        rows: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for image, *cells in tree.opened(table).rows("image_id", *header):
            rows[image].append(tuple(map(finding_of, cells)))
        common = [_VINDR_SAME.get(name, name) for name in header]
        for image, readers in rows.items():
            voted = dict(zip(common, map(rule, zip(*readers, strict=True)), strict=True))
            yield _vindr_row(tree, image, part, findings(tuple(voted.get(n, "") for n in same)))


def _read_vindr_boxes(tree: Tree, rule: Callable[[Sequence[str]], str]) -> Iterator[ImageRow]:
    """Yield the rows of the Kaggle challenge, whose table has one row per box of a reader.

    A reader without findings has a row with the class "No finding".
    """
    readings: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for image, name, reader in tree.table(r"train\.csv").rows("image_id", "class_name", "rad_id"):
        readings[image][reader].add(name)
    names = sorted(
        {name for readers in readings.values() for classes in readers.values() for name in classes}
    )
    findings = FindingsOf(names)
    for image, readers in readings.items():
        cells = (["1" if name in marked else "0" for marked in readers.values()] for name in names)
        yield _vindr_row(tree, image, "train", findings(tuple(map(rule, cells))))


def _vindr_row(
    tree: Tree, image: str, part: str, findings: tuple[tuple[str, str], ...]
) -> ImageRow:
    return ImageRow(
        file=tree.by_stem(image), source="vindr-cxr", view="PA", split=part, findings=findings
    )


def _read_open_i(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    views = {}
    for table in tree.tables(r"indiana_projections\.csv"):
        rows = tree.opened(table).rows("uid", "filename", "projection")
        views = {file.split(".", 1)[0]: (uid, file, view) for uid, file, view in rows}
    problems: dict[str, list[str]] = {}
    for table in tree.tables(r"indiana_reports\.csv"):
        for uid, cell in tree.opened(table).rows("uid", "Problems"):
            problems[uid] = [word for word in listed(cell, ";") if word != _NOT_INDEXED]
    images = [(uid, tree.by_name(file), view) for uid, file, view in views.values()]
    reports = [name for name in tree.tables(r"\d+\.xml")]
    if reports:
        problems, images = _open_i_reports(tree, reports, views)
    findings = FindingsOf(sorted({word for words in problems.values() for word in words}))
    for uid, file, view in images:
        yield ImageRow(
            file=file,
            patient=uid,
            source="open-i",
            view=view_of(view),
            study=uid,
            findings=findings.listed(problems.get(uid, ())),
        )


def _open_i_reports(
    tree: Tree, reports: Sequence[str], views: dict[str, tuple[str, str, str]]
) -> tuple[dict[str, list[str]], list[tuple[str, str, str]]]:
    problems, images = {}, []
    for name in reports:
        try:
            report = ElementTree.parse(tree.root / name).getroot()
        except ElementTree.ParseError as error:
            raise ValueError(f"`{name}` must be a report in XML; got {error}.") from error
        uid = name.rsplit("/", 1)[-1][: -len(".xml")]
        terms = [(term.text or "").split("/", 1)[0].strip() for term in report.iter("major")]
        problems[uid] = [term for term in dict.fromkeys(terms) if term not in ("", _NOT_INDEXED)]
        for image in report.iter("parentImage"):
            image_id = image.get("id", "")
            # DICOM files and the tables of Kaggle use the short form.
            short = _OPEN_I_ID.sub(r"\1_", image_id)
            file = tree.by_stem(image_id) or tree.by_stem(short)
            images.append((uid, file, views.get(short, ("", "", ""))[2]))
    return problems, images


PADCHEST = KnownSet(
    name="padchest",
    title="PadChest",
    images=160_861,
    licence="BIMCV research use agreement",
    citation="Bustos et al.: PadChest, Medical Image Analysis 66, 2020",
    marks=(r"(^|/)PADCHEST_chest_x_ray_images_labels_160K[^/]*\.csv(\.gz)?$",),
    read=_read_padchest,
)
VINDR_CXR = KnownSet(
    name="vindr-cxr",
    title="VinDr-CXR",
    images=18_000,
    licence="PhysioNet Credentialed Health Data License 1.5.0",
    citation="Nguyen et al.: VinDr-CXR, Scientific Data 9:429, 2022",
    marks=(
        r"(^|/)(image_labels_(train|test)|train)\.csv(\.gz)?$",
        r"(^|/)(train|test)/[^/]+\.dicom$",
    ),
    header=(r"(image_labels_(train|test)|train)\.csv(\.gz)?", ("image_id",)),
    read=_read_vindr,
    several_rows=True,
    unlabelled=r"(^|/)test/",
)
OPEN_I = KnownSet(
    name="open-i",
    title="Indiana University chest X-rays (Open-i)",
    images=7_470,
    licence="CC BY-NC-ND 4.0 (not checked)",
    citation="Demner-Fushman et al., J. Am. Med. Inform. Assoc. 23(2), 2016",
    marks=(r"(^|/)(indiana_projections\.csv|ecgen-radiology/\d+\.xml)$",),
    read=_read_open_i,
)
