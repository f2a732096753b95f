"""Recognition of exports of a DICOM archive: folders are patients and not labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cxr_models.records.examine import patient_of
from cxr_models.records.scan import may_be_dicom

if TYPE_CHECKING:
    from cxr_models.records.layouts.tree import Tree

_AROUND = re.compile(
    r"(dicoms?|dcm|exports?|pacs|images?|data|files|studies|patients?|[\d._-]{6,})", re.IGNORECASE
)  # names of folders that contain the folders of patients; such a name is not a label
_MAX_FOLDERS = 64  # largest number of folders whose headers are read


def is_export(tree: Tree) -> bool:
    """Return whether all images are DICOM files in folders of patients, or in no subfolder.

    A folder of a patient has a digit in its name, and its first and last file do not have two
    different patient ids. Folders such as ``covid19``, with images of several patients, are
    therefore labels.
    """
    images = tree.listing.images
    if not images or not all(map(may_be_dicom, images)):
        return False
    places = [image.split("/") for image in images]
    while all(len(place) > 1 and place[0] == places[0][0] for place in places):
        if not _AROUND.fullmatch(places[0][0]):
            break
        places = [place[1:] for place in places]
    folders: dict[str, tuple[str, str]] = {}
    for image, place in zip(images, places, strict=True):
        if len(place) > 1:
            folders[place[0]] = (folders.get(place[0], (image, image))[0], image)
    if not all(re.search(r"\d", name) for name in folders):
        return False
    sample = list(folders.values())[:: len(folders) // _MAX_FOLDERS + 1]
    return all(first == last or _is_same_patient(tree, first, last) for first, last in sample)


def _is_same_patient(tree: Tree, *files: str) -> bool:
    patients = {patient_of(tree.root / file) for file in files} - {""}
    return len(patients) < 2
