"""Comparison of patient ids: different spellings of one id, and words that are not ids."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from cxr_models._counts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.records.manifest import Record

_NO_PATIENT = frozenset(
    ("", "unknown", "unk", "notknown", "nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>",
     "nat", "missing", "undefined", "unspecified", "notavailable", "notapplicable", "anonymous",
     "anonymized", "anonymised", "anon", "-", "--", "---", "?", "??", "???")
)  # fmt: skip
_NUMBER = re.compile(r"0*(\d+?)(?:\.0*)?")
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)  # a long number, from a spreadsheet


def normalised_id(patient: str) -> str:
    """Return one form for all spellings of a patient id; empty if the text is not an id.

    Parameters
    ----------
    patient : str
        Patient id, in the spelling of a table or header.

    Returns
    -------
    str
        The id without blanks and in lower case. Whole numbers lose leading zeros and a decimal
        part of zeros. ``P001`` and ``p001`` are one id; ``12``, ``00012`` and ``12.0`` are one id.
        Words such as ``unknown``, ``nan`` and ``none`` are not ids and give an empty text.

    Examples
    --------
    >>> [normalised_id(text) for text in (" P 001", "00012", "12.0", "Unknown")]
    ['p001', '12', '12', '']
    """
    text = "".join(unicodedata.normalize("NFKC", patient).casefold().split())
    if text in _NO_PATIENT:
        return ""
    number = _NUMBER.fullmatch(text)
    return number[1] if number else text


def remark_on_rounded(records: Sequence[Record]) -> str:
    """Return a sentence on patient ids that a spreadsheet rounded; empty if there are none.

    Examples
    --------
    >>> from cxr_models.records.manifest import Record
    >>> remark_on_rounded([Record(file="1.png", label="a", patient="8.39861E+35")])[:52]
    "1 image has a patient id such as '8.39861E+35', whic"
    """
    rounded = [r.patient for r in records if _ROUNDED.fullmatch(r.patient)]
    if not rounded:
        return ""
    return (
        f"{counted(len(rounded), 'image has', 'images have')} a patient id such as {rounded[0]!r}, "
        "which a spreadsheet has rounded, so that several patients may have one id. Take the "
        "table as it was before"
    )


def patient_key(record: Record) -> tuple[str, str] | None:
    """Return the source and the patient id of a record, or None if it has no patient id.

    Equal ids in two sources are two patients.
    """
    same = normalised_id(record.patient)
    return (record.source, same) if same else None
