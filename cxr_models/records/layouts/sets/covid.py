"""COVID-19 collections: COVIDx and the covid-chestxray-dataset of ieee8023."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cxr_models.records.layouts.facts import ImageRow, KnownSet
from cxr_models.records.layouts.sets.class_folders import PARTS
from cxr_models.records.layouts.tables import WHOLE_LINE
from cxr_models.records.layouts.values import FindingsOf, age_of, date_of, sex_of, view_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.records.layouts.facts import ReadOptions
    from cxr_models.records.layouts.tree import Tree

_COVIDX_FILES = r"(train|val|test)(?:_split)?_?(COVIDx\d*[A-Z-]*)?(?:_v\d+)?\.txt"
_COVIDX_CLASSES = {
    "positive": ("covid", "1"),
    "negative": ("no_covid", "0"),
    "covid-19": ("covid", "1"),
    "normal": ("normal", "0"),
    "pneumonia": ("pneumonia", "0"),
}
_MODALITIES = {"x-ray": "CR", "ct": "CT"}


def _covidx_words(line: str, name: str) -> tuple[str, str, str, str]:
    """Return patient, file, class and source of a line; file names may contain blanks."""
    words = line.split()
    place = next(
        (i for i in range(len(words) - 1, 1, -1) if words[i].lower() in _COVIDX_CLASSES), 0
    )
    if not place:
        raise ValueError(
            f"`{name}` must have a patient, a file and a class in each line; got {line!r}."
        )
    return words[0], " ".join(words[1:place]), words[place].lower(), " ".join(words[place + 1 :])


def _read_covidx(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(("COVID-19",))
    tables = tree.tables(_COVIDX_FILES)
    matches = {name: re.fullmatch(_COVIDX_FILES, name.rsplit("/", 1)[-1], re.I) for name in tables}
    versions = sorted({match[2] or "" for match in matches.values() if match})
    if len(versions) > 1:
        raise ValueError(
            f"`SOURCE` must hold the label files of one COVIDx; got {', '.join(versions)}. Move "
            "the others elsewhere."
        )
    for name, match in matches.items():
        part = PARTS[match[1].lower()] if match else ""
        table = tree.opened(name, header=["line"], delimiter=WHOLE_LINE)
        for (line,) in table.rows("line"):
            patient, file, group, source = _covidx_words(line, name)
            label, value = _COVIDX_CLASSES[group]
            yield ImageRow(
                file=tree.by_path_in_table(table, f"{part}/{file}") or tree.by_name(file),
                label=label,
                patient=patient,
                source=source or "covidx",
                split=part,
                findings=findings((value,)),
            )


def _read_ieee8023(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    table = tree.table(r"metadata\.csv")
    columns = ("patientid", "sex?", "age?", "finding", "view?", "modality?", "date?", "filename")
    rows = list(table.rows_and_extra(*columns))
    paths = [[part.strip() for part in cells[3].split("/")] for cells, _ in rows]
    unknown = ("todo", "unknown", "")
    names = sorted({part for path in paths for part in path if part.lower() not in unknown})
    findings = FindingsOf(names)
    for (cells, extra), path in zip(rows, paths, strict=True):
        patient, sex, age, _, view, modality, date, file = cells
        is_known = path[0].lower() not in unknown
        yield ImageRow(
            file=tree.by_name(file),
            label=path[-1] if is_known else "unknown",
            patient=patient,
            source="ieee8023",
            view=view_of(view),
            modality=_MODALITIES.get(modality.lower(), modality),
            sex=sex_of(sex),
            age=age_of(age),
            date=date_of(date),
            findings=findings.listed(path if is_known else ()),
            kept=extra,
        )


COVIDX = KnownSet(
    name="covidx",
    title="COVIDx",
    images=0,
    licence="those of its sources",
    citation="Wang, Lin, Wong: COVID-Net, Scientific Reports 10:19549, 2020",
    marks=(
        r"(^|/)(train|val|test)(_split)?_?(COVIDx\w*|_v\d+)?\.txt$",
        r"(^|/)(train|val|test)/[^/]+\.(png|jpe?g)$",
    ),
    first_line=(_COVIDX_FILES, r"(?i)^\S+ .+ (positive|negative|normal|pneumonia|covid-19)\b"),
    read=_read_covidx,
)
IEEE8023 = KnownSet(
    name="ieee8023",
    title="covid-chestxray-dataset",
    images=0,
    licence="one for each image",
    citation="Cohen et al.: COVID-19 Image Data Collection, arXiv:2006.11988, 2020",
    marks=(r"(^|/)metadata\.csv$", r"(^|/)images/[^/]+\.(png|jpe?g)$"),
    header=(r"metadata\.csv", ("patientid", "finding", "filename")),
    read=_read_ieee8023,
    non_radiographs=r"(^|/)(annotations|volumes)/",
)
