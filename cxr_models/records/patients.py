"""Patient ids as people write them: which spellings are one id, and which words are none."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cxr_models.records.manifest import Record

_NO_PATIENT = frozenset(
    ("", "unknown", "unk", "notknown", "nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>",
     "nat", "missing", "undefined", "unspecified", "notavailable", "notapplicable", "anonymous",
     "anonymized", "anonymised", "anon", "-", "--", "---", "?", "??", "???")
)  # fmt: skip
_NUMBER = re.compile(r"0*(\d+?)(?:\.0*)?")


def same_id(patient: str) -> str:
    """Return one form for all spellings of a patient id; empty where it names nobody.

    Parameters
    ----------
    patient : str
        The id as it is written.

    Returns
    -------
    str
        Without blanks and in small letters, whole numbers without zeros before and after them:
        ``P001`` and ``p001`` are one, and so are ``12``, ``00012`` and ``12.0``. ``unknown``,
        ``nan``, ``none`` and their like name nobody.

    Examples
    --------
    >>> same_id(" P 001"), same_id("00012"), same_id("12.0"), same_id("Unknown")
    ('p001', '12', '12', '')
    """
    text = "".join(unicodedata.normalize("NFKC", patient).casefold().split())
    if text in _NO_PATIENT:
        return ""
    number = _NUMBER.fullmatch(text)
    return number[1] if number else text


def patient_key(record: Record) -> tuple[str, str] | None:
    """Return what tells the patient of a record from others, or None where nobody is named.

    Ids are those of their source: equal ids of two sources are two patients.
    """
    same = same_id(record.patient)
    return (record.source, same) if same else None
