"""Keyed pseudonyms of patient ids and UIDs, the same in all commands; and the user's key.

This module reads neither image files nor headers.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import sys
from pathlib import Path

_DIGITS = 32  # hexadecimal, so 128 bits
_MIN_KEY_BYTES = 16
_KEY_FILE = "pseudonym.key"


def pseudonym(patient_id: str, key: bytes) -> str:
    """Replace a patient id by a pseudonym that only the holder of the key can tie to it.

    Parameters
    ----------
    patient_id : str
        The id; blanks and NULs around it are removed. Bytes that are not UTF-8, decoded with
        ``errors="surrogateescape"``, are hashed as the original bytes.
    key : bytes
        The secret, as `read_pseudonym_key` reads it.

    Returns
    -------
    str
        The first 32 hexadecimal digits of HMAC-SHA256; equal ids and keys give equal pseudonyms.

    Raises
    ------
    ValueError
        If the id is empty, or the key has fewer than 16 bytes.

    Examples
    --------
    >>> from cxr_enhance.io import pseudonym
    >>> pseudonym(" 4711 ", b"sixteen bytes or more")
    '645fc47328abdeed37def04beec9487f'
    """
    stripped = patient_id.strip(" \0")
    if not stripped:
        raise ValueError("`patient_id` must not be empty; got nothing but blanks.")
    _check_key(key, "key")
    message = stripped.encode("utf-8", "surrogateescape")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:_DIGITS]


def hashed_uid(*parts: str, key: bytes | None = None) -> str:
    """Make a UID from 128 bits of a hash of `parts`; with a key, the hash is keyed."""
    content = "\0".join(parts).encode()
    if key is None:
        digest = hashlib.sha256(content).digest()
    else:
        digest = hmac.new(key, content, hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def read_pseudonym_key(path: str | os.PathLike[str]) -> bytes:
    """Read a key: the bytes of a file, without white space around them.

    Parameters
    ----------
    path : str or PathLike
        File of at least 16 bytes, such as ``openssl rand -hex 32`` writes.

    Raises
    ------
    ValueError
        If the key has fewer than 16 bytes.
    OSError
        If the file cannot be read.
    """
    key = Path(path).read_bytes().strip()
    _check_key(key, os.fspath(path))
    return key


def user_pseudonym_key() -> tuple[bytes, Path, bool]:
    """Return the user's own key; the first call makes the key.

    Returns
    -------
    tuple of (bytes, Path, bool)
        The key; its file, which only the user can read; and whether this call made the key. The
        file is ``cxr-enhance/pseudonym.key`` in the folder of the user's settings
        (``XDG_CONFIG_HOME``, ``~/.config``; ``LOCALAPPDATA`` on Windows).

    Raises
    ------
    OSError
        If the file cannot be read or written.
    """
    path = _settings_folder() / "cxr-enhance" / _KEY_FILE
    made = False
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = _make_key(path)
    return read_pseudonym_key(path), path, made


def _make_key(path: Path) -> bool:
    """Write a new key; False if another process has written one first, which is kept."""
    temporary = path.with_name(f".{secrets.token_hex(8)}-{path.name}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with open(os.open(temporary, flags, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if path.exists():
                return False
            temporary.replace(path)
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _settings_folder() -> Path:
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA")
    else:
        folder = os.environ.get("XDG_CONFIG_HOME")
    return Path(folder) if folder and os.path.isabs(folder) else Path.home() / ".config"


def _check_key(key: bytes, name: str) -> None:
    if len(key) < _MIN_KEY_BYTES:
        raise ValueError(
            f"`{name}` must hold at least {_MIN_KEY_BYTES} bytes; got {len(key)}. Make a key with: "
            "openssl rand -hex 32."
        )
