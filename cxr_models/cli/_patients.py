"""The names that are written in place of the patient ids of DICOM headers."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cxr_enhance.io import pseudonym, read_pseudonym_key, user_pseudonym_key
from cxr_models.cli import _console
from cxr_models.cli._paths import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def patient_namer(key_file: Path | None, *, keep_patient_ids: bool) -> Callable[[str], str]:
    """Return a function from a patient id in a header to the id to write."""
    if keep_patient_ids:
        if key_file is not None:
            raise ValueError(
                "`--pseudonym-key` is only allowed without --keep-patient-ids; got both."
            )
        return _as_text
    if key_file is not None:
        return functools.partial(pseudonym, key=read_pseudonym_key(key_file))
    key_of_user = functools.cache(_key_of_user)  # made when the first patient needs it
    return lambda patient: pseudonym(patient, key_of_user())


def _key_of_user() -> bytes:
    key, path, is_new = user_pseudonym_key()
    if is_new:
        _console.say(
            f"made {shown(path)}, the key of patients' pseudonyms: keep it, it is yours alone"
        )
    return key


def _as_text(patient: str) -> str:
    """Write an id whose bytes are no UTF-8 as Latin-1, which most of them are."""
    raw = patient.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
