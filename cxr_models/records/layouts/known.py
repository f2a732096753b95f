"""All known public sets, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cxr_models.records.layouts.sets import (
    chexpert,
    class_folders,
    covid,
    nih,
    packed,
    readers,
    tuberculosis,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxr_models.records.layouts.facts import KnownSet

SETS: Mapping[str, KnownSet] = MappingProxyType(
    {
        known_set.name: known_set
        for known_set in (
            class_folders.KERMANY,
            class_folders.COVID19_RADIOGRAPHY,
            covid.COVIDX,
            covid.IEEE8023,
            nih.NIH,
            nih.RSNA,
            nih.SIIM_ACR,
            chexpert.CHEXPERT,
            chexpert.MIMIC_CXR_JPG,
            chexpert.MIMIC_CXR,
            chexpert.BRAX,
            readers.PADCHEST,
            readers.VINDR_CXR,
            readers.OPEN_I,
            packed.JSRT,
            packed.MEDMNIST,
            tuberculosis.MONTGOMERY,
            tuberculosis.SHENZHEN,
            tuberculosis.TBX11K,
            class_folders.SPLIT_FOLDERS,
            class_folders.DICOM,
        )
    }
)
