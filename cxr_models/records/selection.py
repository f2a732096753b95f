"""Selection of images by view, modality and column values, with the reason for leaving one out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cxr_models.records.layouts.values import view_of
from cxr_models.records.manifest import COLUMNS, FINDING, HEADER_COLUMNS

if TYPE_CHECKING:
    from cxr_models.records.choices import Choices

MANIFEST_COLUMNS = frozenset((*COLUMNS, *HEADER_COLUMNS))
# Columns that DICOM headers fill where the set states nothing, without `patient`: records contain
# another name of the patient, so `cxr_models.records.header_patients` compares patients.
HEADER_FIELDS = frozenset(("view", *HEADER_COLUMNS))
OF_HEADERS = HEADER_FIELDS | {"patient"}
NOT_ASKED_FOR = "not asked for"  # end of the reason if a choice of the user or a default decides


class _Image(Protocol):
    @property
    def view(self) -> str: ...
    @property
    def modality(self) -> str: ...
    @property
    def findings(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def kept(self) -> tuple[tuple[str, str], ...]: ...


def reason_to_leave_out(image: _Image, choices: Choices, *, header_unread: bool = False) -> str:
    """Return the reason why an image is left out; empty if it is kept.

    Parameters
    ----------
    image : Record or ImageRow
        The image.
    choices : Choices
        Choice of the images to keep.
    header_unread : bool, default False
        Whether the DICOM header of the image was not read yet. If True, a missing value that the
        header may contain is no reason to leave the image out.

    Returns
    -------
    str
        The reason, or an empty text.
    """
    view = view_of(image.view)
    if not choices.takes_view(view) and (view or not header_unread):
        return f"view {view or 'unknown'} {NOT_ASKED_FOR}"
    if not choices.takes_modality(image.modality) and (image.modality or not header_unread):
        return f"modality {image.modality or 'unknown'} {NOT_ASKED_FOR}"
    for column, values in choices.where.items():
        value = value_of(image, column)
        if value not in values and (value or not header_unread or column not in OF_HEADERS):
            return f"{column} {value!r} {NOT_ASKED_FOR}"
    return ""


def is_of_manifest(column: str) -> bool:
    """Return whether a column is a standard column of manifests, or a column of a finding."""
    return column.startswith(FINDING) or column in MANIFEST_COLUMNS


def value_of(image: _Image, column: str) -> str:
    """Return the value of an image in a column of the manifest, or in a kept column of the set."""
    if column.startswith(FINDING):
        return dict(image.findings).get(column.removeprefix(FINDING), "")
    if column in MANIFEST_COLUMNS:
        return str(getattr(image, column, "")).strip()  # as in the record of a row
    return dict(image.kept).get(column, "").strip()
