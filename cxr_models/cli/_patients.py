"""Pseudonyms that manifests contain instead of the patient ids of DICOM headers."""

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
    """Return a function that converts a patient id of a DICOM header to the id of the manifest.

    With `keep_patient_ids` the id is kept. Otherwise it becomes a pseudonym, made with the key in
    `key_file`, or with the user's own key if `key_file` is None.

    Raises
    ------
    ValueError
        If `key_file` is given with `keep_patient_ids`, or holds a key of fewer than 16 bytes.
    OSError
        If `key_file` cannot be read.
    """
    if keep_patient_ids:
        if key_file is not None:
            raise ValueError(
                "`--pseudonym-key` is only allowed without --keep-patient-ids; got both."
            )
        return _as_text
    if key_file is not None:
        return functools.partial(pseudonym, key=read_pseudonym_key(key_file))
    key_of_user = functools.cache(_key_of_user)  # the key is read or made for the first patient
    return lambda patient: pseudonym(patient, key_of_user())


def _key_of_user() -> bytes:
    key, path, is_new = user_pseudonym_key()
    if is_new:
        _console.say(
            f"made {shown(path)}, the key of patients' pseudonyms: keep it, it is yours alone"
        )
    return key


def _as_text(patient: str) -> str:
    """Return an id as text; bytes that are not UTF-8 are decoded as Latin-1, the usual case."""
    raw = patient.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
