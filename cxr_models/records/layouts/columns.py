"""How well-known sets of radiographs name their files and columns; a further set is a row here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    r"""Where a set keeps labels and patients: in the names of files, or in the columns of a CSV.

    Parameters
    ----------
    columns : mapping of str to str, default {}
        For a CSV, what to put into each column of the manifest: the name of a column, a template
        such as ``"files/p{subject_id:.2}/{dicom_id}.jpg"``, several columns joined by ``|``, of
        which the first that holds 1 lends its name (for ``label``), or ``=`` and a constant.
    label_pattern, patient_pattern : str, default ""
        Regular expressions searched in the relative path, ``/`` between its parts; their first
        group that took part is the value. Empty: the label is the first folder, no patient.
    passed_over : str, default ""
        Regular expression of relative paths that are no radiographs, such as masks.
    labels : mapping of str to str, default {}
        New names for labels; others stay.
    source : str, default ""
        Name of the set, where its columns tell none.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    label_pattern: str = ""
    patient_pattern: str = ""
    passed_over: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    source: str = ""


_FINDINGS = (
    "No Finding|Enlarged Cardiomediastinum|Cardiomegaly|Lung Opacity|Lung Lesion|Edema|"
    "Consolidation|Pneumonia|Atelectasis|Pneumothorax|Pleural Effusion|Pleural Other|Fracture|"
    "Support Devices"
)

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        # chest_xray/train/PNEUMONIA/person1_virus_6.jpeg, .../NORMAL/IM-0115-0001.jpeg
        "kermany": Layout(
            label_pattern=r"person\d+_(virus|bacteria)_|/?(NORMAL)/",
            patient_pattern=r"(person\d+)_|((?:NORMAL2-)?IM-\d+)-",
            labels={"NORMAL": "normal"},
            source="kermany",
        ),
        # COVID/images/COVID-1.png beside COVID/masks/COVID-1.png; no patients are told
        "covid19-radiography": Layout(
            label_pattern=r"(COVID|Lung_Opacity|Normal|Viral Pneumonia)(?:/images)?/[^/]+$",
            passed_over=r"(^|/)masks/",
            labels={
                "COVID": "covid",
                "Lung_Opacity": "lung_opacity",
                "Normal": "normal",
                "Viral Pneumonia": "virus",
            },
            source="covid19-radiography",
        ),
        # mimic-cxr-2.0.0-metadata.csv joined with mimic-cxr-2.0.0-chexpert.csv
        "mimic-cxr": Layout(
            columns={
                "file": "files/p{subject_id:.2}/p{subject_id}/s{study_id}/{dicom_id}.jpg",
                "label": _FINDINGS,
                "patient": "subject_id",
                "view": "ViewPosition",
                "source": "=mimic-cxr",
            },
        ),
        # train.csv: CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg
        "chexpert": Layout(
            columns={
                "file": "Path",
                "label": _FINDINGS,
                "view": "AP/PA",
                "source": "=chexpert",
            },
            patient_pattern=r"(patient\d+)",
        ),
        # Data_Entry_2017.csv; labels are joined by | there and stay so
        "nih": Layout(
            columns={
                "file": "images/{Image Index}",
                "label": "Finding Labels",
                "patient": "Patient ID",
                "view": "View Position",
                "source": "=nih",
            },
            labels={"No Finding": "normal"},
        ),
    }
)
