"""Names of files and columns in well-known sets of radiographs; one row of `LAYOUTS` per set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    r"""Place of labels and patients in a set: in file names, or in the columns of a CSV.

    Parameters
    ----------
    columns : mapping of str to str, default {}
        Source of each column of the manifest, for a CSV. A source has one of four forms: the name
        of a column of the CSV; a template such as
        ``"files/p{subject_id:.2}/{dicom_id}.jpg"``; several columns joined by ``|``, where the
        value is the name of the first column with the cell 1 (for ``label``); or ``=`` and a
        constant. If the CSV has a column of exactly this name, the source is that column.
    label_pattern, patient_pattern : str, default ""
        Regular expressions that find the label and the patient id in the relative path, with ``/``
        as separator. The value is the first group that is not empty, or the whole match if the
        pattern has no groups. With an empty pattern, the label is the name of the first-level
        folder and there is no patient id.
    non_radiographs : str, default ""
        Regular expression of relative paths that are not radiographs, such as masks. Empty
        matches no path.
    labels : mapping of str to str, default {}
        New names of labels. Other labels stay unchanged.
    source : str, default ""
        Name of the set, for rows without a value in the column ``source``.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    label_pattern: str = ""
    patient_pattern: str = ""
    non_radiographs: str = ""
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
        # COVID/images/COVID-1.png, with a mask in COVID/masks/COVID-1.png; no patient ids
        "covid19-radiography": Layout(
            label_pattern=r"(COVID|Lung_Opacity|Normal|Viral Pneumonia)(?:/images)?/[^/]+$",
            non_radiographs=r"(^|/)masks/",
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
        # Data_Entry_2017.csv; a cell with several labels joined by | stays one label
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
