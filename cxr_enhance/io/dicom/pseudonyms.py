"""Names that stand for patients and objects: hashes, with a key where nobody else may make them."""

from __future__ import annotations

import hashlib
import hmac
import os

_SHORTEST_KEY = 16  # bytes
_LONGEST_KEY = 4096
_DIGITS = 32  # of 128 bits, as in the UIDs


def pseudonym(patient_id: str, key: bytes) -> str:
    """Make the name that stands for a patient.

    Parameters
    ----------
    patient_id : str
        PatientID; spaces around it do not count.
    key : bytes
        A secret. Without it nobody can tell whether a pseudonym is a certain patient's; with it the
        same patient has the same pseudonym everywhere.

    Returns
    -------
    str
        The first 32 hexadecimal digits of HMAC-SHA256 with `key` of the identifier in UTF-8;
        empty for an empty identifier.

    Examples
    --------
    >>> pseudonym("4711", b"sixteen bytes at least")
    'a96312c2268490a463a52268acf6c6f3'
    """
    text = patient_id.strip(" \0")
    if not text:
        return ""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:_DIGITS]


def read_key(path: str | os.PathLike[str]) -> bytes:
    """Read the key of pseudonyms from a file; a line break at its end does not count.

    Raises
    ------
    ValueError
        If the key has fewer than 16 or more than 4096 bytes.
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        key = file.read(_LONGEST_KEY + 2).rstrip(b"\r\n")
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise ValueError(
            f"`--pseudonym-key` must name a file of {_SHORTEST_KEY} to {_LONGEST_KEY} bytes; got "
            f"{os.fspath(path)!r}. Make one with: openssl rand -hex 32 > FILE"
        )
    return key


def hashed_uid(*parts: str, key: bytes | None = None) -> str:
    """Make a UID of 128 bits of a hash of `parts`, with a key where there is one."""
    content = "\0".join(parts).encode()
    if key is None:
        digest = hashlib.sha256(content).digest()
    else:
        digest = hmac.new(key, content, hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
