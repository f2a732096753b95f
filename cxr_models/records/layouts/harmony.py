"""Common names of findings that have different names in different sets; see docs/datasets.md."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cxr_models.records.layouts.reduce import any_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxr_models.records.layouts.values import Findings

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "No Finding": ("no finding", "normal", "healthy", "no_finding"),
        "Atelectasis": ("atelectasis", "pulmonary atelectasis"),
        "Cardiomegaly": ("cardiomegaly",),
        "Consolidation": ("consolidation",),
        "COVID-19": ("covid-19", "covid", "covid 19"),
        "Edema": ("edema", "pulmonary edema"),
        "Emphysema": ("emphysema",),
        "Enlarged Cardiomediastinum": ("enlarged cardiomediastinum",),
        "Fibrosis": ("fibrosis", "pulmonary fibrosis"),
        "Fracture": ("fracture", "rib fracture"),
        "Hernia": ("hernia", "hiatal hernia"),
        "Infiltration": ("infiltration", "infiltrate", "infiltrates"),
        "Lung Lesion": ("lung lesion",),
        "Lung Opacity": ("lung opacity", "lung_opacity", "airspace opacity", "opacity"),
        "Mass": ("mass", "pulmonary mass"),
        "Nodule": ("nodule", "nodules", "lung nodule"),
        "Nodule/Mass": ("nodule/mass", "nodule or mass"),
        "Pleural Effusion": ("pleural effusion", "effusion", "pleural effusions"),
        "Pleural Other": ("pleural other",),
        "Pleural Thickening": ("pleural thickening", "pleural_thickening"),
        "Pneumonia": ("pneumonia",),
        "Viral Pneumonia": ("viral pneumonia", "pneumonia/viral"),
        "Pneumothorax": ("pneumothorax",),
        "Support Devices": ("support devices",),
        "Tuberculosis": ("tuberculosis", "tb"),
    }
)
_NAME_OF = {word: name for name, words in NAMES.items() for word in words}


def harmonised_name(name: str) -> str:
    """Return the common name of a finding; the name itself if it is not in `NAMES`."""
    return _NAME_OF.get(" ".join(name.lower().split()), name)


def harmonised(findings: Findings) -> Findings:
    """Return findings under their common names.

    If two findings get one name, its value is present if one of them is present, else uncertain,
    else absent, else unknown.
    """
    values: dict[str, list[str]] = {}
    for name, value in findings:
        values.setdefault(harmonised_name(name), []).append(value)
    return tuple((name, any_of(synonym_values)) for name, synonym_values in values.items())
