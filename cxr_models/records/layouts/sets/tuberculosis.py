"""Tuberculosis sets: Montgomery, Shenzhen, TBX11K."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from cxr_models.records.layouts.facts import ImageRow, KnownSet
from cxr_models.records.layouts.values import FindingsOf, age_of, sex_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxr_models.records.layouts.facts import ReadOptions
    from cxr_models.records.layouts.tree import Tree

_NLM_NAME = re.compile(r"((?:MCU|CHN)CXR_\d+)_([01])\.png$", re.IGNORECASE)
_MASKS = r"(?i)(^|/)(ManualMask|masks?)/|_mask\.png$"
_TBX_MARK = r"(^|/)TBX11K_(train|val|trainval)\.json$"
_TBX_FOLDER = re.compile(r"(?:^|/)(health|sick|tb)/([^/]+)$", re.IGNORECASE)
_TBX_LABELS = {"health": "normal", "sick": "sick", "tb": "tb"}
_TBX_FINDINGS = (
    "Tuberculosis", "Sick but no tuberculosis", "Healthy", "ActiveTuberculosis",
    "ObsoletePulmonaryTuberculosis", "PulmonaryTuberculosis",
)  # fmt: skip


def _clinical_readings(tree: Tree, prefix: str) -> dict[str, str]:
    """Return the clinical readings of a set by image name in capitals, each as one line."""
    return {
        name.rsplit("/", 1)[-1][:-4].upper(): " ".join(
            (tree.root / name).read_text(encoding="utf-8", errors="replace").split()
        )
        for name in tree.tables(rf"{prefix}_\d+_[01]\.txt")
    }


def _read_nlm(tree: Tree, *, prefix: str, source: str, view: str) -> Iterator[ImageRow]:
    findings = FindingsOf(("Tuberculosis",))
    readings = _clinical_readings(tree, prefix)
    for file in tree.listing.images:
        match = _NLM_NAME.search(file)
        if match is None or re.search(_MASKS, file):
            continue
        patient = match[1].upper()
        if not patient.startswith(prefix):
            continue
        # "Patient's Sex: F Patient's Age: 027Y normal", or "male 45yrs bilateral PTB"
        reading = readings.get(f"{patient}_{match[2]}", "")
        sex = re.search(r"\b(male|female|[MF])\b", reading, re.IGNORECASE)
        age = re.search(r"\b(\d+)\s*([ymwd]?)", reading, re.IGNORECASE)
        yield ImageRow(
            file=file,
            label="tb" if match[2] == "1" else "normal",
            patient=patient,
            source=source,
            view=view,
            sex=sex_of(sex[1]) if sex else "",
            age=age_of(age[1] + age[2]) if age else "",
            findings=findings((match[2],)),
        )


def _read_montgomery(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    return _read_nlm(tree, prefix="MCUCXR", source="montgomery", view="PA")


def _read_shenzhen(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    return _read_nlm(tree, prefix="CHNCXR", source="shenzhen", view="")


def _tbx_annotations(tree: Tree) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Return the parts and the box categories by file name in lower case, from the COCO files."""
    parts: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    for part in ("train", "val"):
        for name in tree.tables(rf"TBX11K_{part}\.json")[:1]:
            coco = json.loads((tree.root / name).read_bytes())
            names = {entry["id"]: entry["name"] for entry in coco["categories"]}
            files = {
                entry["id"]: entry["file_name"].rsplit("/", 1)[-1].lower()
                for entry in coco["images"]
            }
            parts.update(dict.fromkeys(files.values(), part))
            for box in coco["annotations"]:
                kinds.setdefault(files[box["image_id"]], set()).add(names[box["category_id"]])
    return parts, kinds


def _read_tbx11k(tree: Tree, options: ReadOptions) -> Iterator[ImageRow]:
    findings = FindingsOf(_TBX_FINDINGS)
    parts, kinds = _tbx_annotations(tree)
    for file in tree.listing.images:
        place = _TBX_FOLDER.search(file)
        if place is None:
            continue
        group, name = place[1].lower(), place[2].lower()
        group_findings = {
            "tb": "Tuberculosis",
            "sick": "Sick but no tuberculosis",
            "health": "Healthy",
        }
        yield ImageRow(
            file=file,
            label=_TBX_LABELS[group],
            source="tbx11k",
            split=parts.get(name, ""),
            findings=findings.listed({group_findings[group], *kinds.get(name, ())}),
        )


MONTGOMERY = KnownSet(
    name="montgomery",
    title="Montgomery County chest X-rays",
    images=138,
    licence="public domain (National Library of Medicine)",
    citation="Jaeger et al., Quant. Imaging Med. Surg. 4(6), 2014",
    marks=(r"(^|/)MCUCXR_\d+_[01]\.png$",),
    read=_read_montgomery,
    non_radiographs=_MASKS,
    unless=_TBX_MARK,
)
SHENZHEN = KnownSet(
    name="shenzhen",
    title="Shenzhen Hospital chest X-rays",
    images=662,
    licence="public domain (National Library of Medicine)",
    citation="Jaeger et al., Quant. Imaging Med. Surg. 4(6), 2014",
    marks=(r"(^|/)CHNCXR_\d+_[01]\.png$",),
    read=_read_shenzhen,
    non_radiographs=_MASKS,
    unless=_TBX_MARK,
)
TBX11K = KnownSet(
    name="tbx11k",
    title="TBX11K",
    images=0,
    licence="CC BY-NC-SA",
    citation="Liu et al.: Rethinking Computer-Aided Tuberculosis Diagnosis, CVPR 2020",
    marks=(_TBX_MARK, r"(^|/)(health|sick|tb)/[^/]+\.png$"),
    read=_read_tbx11k,
    unlabelled=r"(^|/)(test|extra)/",
)
