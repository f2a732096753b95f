"""Sets whose folders are labels: Kermany, COVID-19 Radiography, parts of a split, DICOM exports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cxr_models.records.layouts.facts import ImageRow, KnownSet
from cxr_models.records.layouts.values import FindingsOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.records.layouts.facts import ReadOptions
    from cxr_models.records.layouts.tree import Tree

UNLABELLED = "unlabelled"
PARTS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "validate": "val", "test": "test", "testing": "test",
}  # fmt: skip

_KERMANY = re.compile(r"(?:(train|val|test)/)?(NORMAL|PNEUMONIA)/([^/]+)$", re.IGNORECASE)
_KERMANY_NAME = re.compile(
    r"(?P<child>person\d+)_(?P<kind>virus|bacteria)_|(?P<normal>(?:NORMAL2-)?IM-\d+)-"
    r"|(?P<group>VIRUS|BACTERIA|NORMAL)-(?P<number>\d+)-\d+\.",  # version 3 of Mendeley
    re.IGNORECASE,
)
_RADIOGRAPHY = re.compile(
    r"(COVID|Lung_Opacity|Normal|Viral Pneumonia)(?:/images)?/([^/]+)$", re.IGNORECASE
)
_RADIOGRAPHY_LABELS = {
    "COVID": "covid",
    "Lung_Opacity": "lung_opacity",
    "Normal": "normal",
    "Viral Pneumonia": "virus",
}
_RADIOGRAPHY_CLASSES = {name.casefold(): name for name in _RADIOGRAPHY_LABELS}
# The files of version 4, or some of them. Folder names of version 3 alone are too common.
_RADIOGRAPHY_MARK = (
    r"(^|/)((COVID|Lung_Opacity|Normal|Viral Pneumonia)(/images/\3-\d+\.png|\.metadata\.xlsx)"
)
_SOURCES_BY_URL = (
    ("rsna-pneumonia", "rsna"),
    ("chest-xray-pneumonia", "kermany"),
    ("padchest", "padchest"),
    ("bimcv", "bimcv"),
    ("covid-cxnet", "cxnet"),
    ("covid-chestxray-dataset", "ieee8023"),
    ("covid-19-image-repository", "hannover"),
)


def source_of_url(url: str) -> str:
    """Return the name of the set that a URL leads to; the host of the URL if no set is known."""
    lowered = url.lower()
    source = next((name for needle, name in _SOURCES_BY_URL if needle in lowered), "")
    host = urlsplit(lowered if "//" in lowered else f"//{lowered}").hostname or ""
    return source or host.removeprefix("www.")


def _read_kermany(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(("Pneumonia",))
    places: set[tuple[str, ...]] = set()
    for file in sorted(tree.listing.images, key=lambda name: (name.count("/"), name)):
        place, name_match = _KERMANY.search(file), _KERMANY_NAME.search(file)
        if place is None or place.groups() in places:
            continue  # the zip file contains the whole tree twice
        places.add(place.groups())
        sick = place[2].upper() == "PNEUMONIA"
        kind = (name_match["kind"] or name_match["group"] or "").lower() if name_match else ""
        yield ImageRow(
            file=file,
            label=(kind or "pneumonia") if sick else "normal",
            patient=(name_match["child"] or name_match["normal"] or name_match["number"])
            if name_match
            else "",
            source="kermany",
            split=(place[1] or "").lower(),
            findings=findings(("1" if sick else "0",)),
        )


def _read_radiography(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(tuple(_RADIOGRAPHY_LABELS))
    urls: dict[tuple[str, str], str] = {}
    for name in tree.tables(r".+\.metadata\.xlsx"):
        group = name.rsplit("/", 1)[-1].split(".", 1)[0].casefold()
        for file, url in tree.opened(name).rows("FILE NAME|FILENAME", "URL?"):
            urls[group, file.casefold()] = url
    for file in tree.listing.images:
        place = _RADIOGRAPHY.search(file)
        if place is None:
            continue
        stem = place[2].rsplit(".", 1)[0].casefold()
        group = _RADIOGRAPHY_CLASSES[place[1].casefold()]
        url = urls.get((group.casefold(), stem), "")
        yield ImageRow(
            file=file,
            label=_RADIOGRAPHY_LABELS[group],
            source=source_of_url(url) or "covid19-radiography",
            findings=findings.listed([group]),
        )


def _read_parts(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    for file in tree.listing.images:
        part, *between = file.split("/")[:-1]
        if part.lower() in PARTS and between:
            yield ImageRow(file=file, label=between[0], split=PARTS[part.lower()])


def _read_dicom(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    return (ImageRow(file=file, label=UNLABELLED) for file in tree.listing.images)


KERMANY = KnownSet(
    name="kermany",
    title="Kermany's chest X-rays of children",
    images=5_856,
    licence="CC BY 4.0",
    citation="Kermany, Zhang, Goldbaum: Labeled OCT and Chest X-Ray Images, Mendeley Data, 2018",
    marks=(r"(^|/)PNEUMONIA/(person\d+_(virus|bacteria)_|(VIRUS|BACTERIA)-\d+-\d+\.)",),
    read=_read_kermany,
)
COVID19_RADIOGRAPHY = KnownSet(
    name="covid19-radiography",
    title="COVID-19 Radiography",
    images=21_165,
    licence="that of its sources",
    citation="Chowdhury et al., IEEE Access 8, 2020; Rahman et al., Comput. Biol. Med. 132, 2021",
    marks=(
        _RADIOGRAPHY_MARK + r"|COVID/COVID-\d+\.png)$",
        _RADIOGRAPHY_MARK + r"|Normal/Normal-\d+\.png)$",
    ),
    read=_read_radiography,
    verified=False,  # the columns of the workbooks
    non_radiographs=r"(^|/)masks/",
)
SPLIT_FOLDERS = KnownSet(
    name="split-folders",
    title="folders train, val and test with one folder a label in each",
    images=0,
    licence="yours",
    citation="",
    marks=(),
    read=_read_parts,
)
DICOM = KnownSet(
    name="dicom",
    title="DICOM files of an archive's export, without labels",
    images=0,
    licence="yours",
    citation="",
    marks=(r"^DICOMDIR$",),
    read=_read_dicom,
)
