"""Attributes of patient and examination in a DICOM header; no pixel is read."""

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING

from cxr_enhance.io._content import opened
from cxr_enhance.io._signatures import HEAD_BYTES, image_format
from cxr_enhance.io.dicom.elements import read_elements
from cxr_enhance.io.dicom.plugins import load_pydicom
from cxr_enhance.io.dicom.values import BINARY_VRS, Values
from cxr_enhance.io.options import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cxr_enhance.io.dicom.elements import Element, Elements

_LONGEST = 64  # characters, as the standard allows
_MAX_VALUE_BYTES, _MAX_ID_BYTES = 1024, 1 << 16
_PATIENT = 0x00100020
_CODES = {"view": 0x00185101, "modality": 0x00080060, "sex": 0x00100040}
_TEXTS = {"study": 0x0020000D, "age": 0x00101010, "manufacturer": 0x00080070}
_PIXEL_REPRESENTATION, _BURNED_IN_ANNOTATION = 0x00280103, 0x00280301
_KNOWN_TEXTS = frozenset((_PATIENT, _BURNED_IN_ANNOTATION, *_CODES.values(), *_TEXTS.values()))


def dicom_attributes(source: str | os.PathLike[str]) -> dict[str, str]:
    """Read the attributes of patient and examination from a DICOM header.

    Parameters
    ----------
    source : str or PathLike
        Name of a file.

    Returns
    -------
    dict of str to str
        ``patient`` (PatientID), ``study`` (StudyInstanceUID), ``view`` (ViewPosition),
        ``modality``, ``sex``, ``age`` (such as "034Y") and ``manufacturer``, without those that the
        header lacks; empty for files other than DICOM. PatientID identifies a person: write its
        `pseudonym` instead. Bytes of PatientID that are not UTF-8 are decoded with
        ``errors="surrogateescape"``, as `pseudonym` expects.

    Raises
    ------
    ValueError
        If the DICOM file is damaged, or cut short before its pixels.
    OSError
        If the file cannot be opened or read.

    See Also
    --------
    image_info : Fields that describe the pixels; no field identifies a patient.
    """
    check_name(source, "source")
    try:
        with _elements_of(source) as elements:
            attributes = {} if elements is None else _attributes(elements.by_tag)
    except ValueError as error:
        raise ValueError(f"{error} File: {os.fspath(source)!r}.") from error
    return {name: text for name, text in attributes.items() if text}


def _attributes(by_tag: Mapping[int, Element]) -> dict[str, str]:
    attributes = {"patient": patient_id(by_tag)}
    for name, tag in (_CODES | _TEXTS).items():
        if tag in by_tag:
            attributes[name] = _text(
                bytes(by_tag[tag].value[: 4 * _LONGEST]), is_code=name in _CODES
            )
    return attributes


def patient_id(by_tag: Mapping[int, Element]) -> str:
    """Return PatientID as `pseudonym` expects it, so that one id has one pseudonym everywhere.

    Bytes that are not UTF-8 are decoded with ``errors="surrogateescape"``; a backslash is a part of
    the id. The character set that the header states does not count.
    """
    element = by_tag.get(_PATIENT)
    if element is None:
        return ""
    return bytes(element.value[:_MAX_ID_BYTES]).decode("utf-8", "surrogateescape").strip(" \0")


def header_texts(
    source: str | os.PathLike[str] | bytes, tags: Iterable[int]
) -> dict[int, tuple[str, ...]] | None:
    """Read elements at the top level of a DICOM header as text; None for other files.

    Parameters
    ----------
    source : str, PathLike or bytes
        Name of a file, of which no more than the header is read, or its content.
    tags : iterable of int
        Elements; those that the header lacks, or holds without a value, are left out.

    Returns
    -------
    dict of int to tuple of str, or None
        The values of each element, without blanks around them; numbers in their shortest form.

    Raises
    ------
    ValueError
        If the DICOM file is damaged, or cut short before its pixels.
    OSError
        If the file cannot be opened or read.
    ImportError
        If the file states no VR, as in implicit VR, a value is not a text of ASCII, and pydicom,
        which knows the VR, is not installed.
    """
    with _elements_of(source) as elements:
        if elements is None:
            return None
        texts = {}
        for tag in tags:
            element = elements.by_tag.get(tag)
            if element is not None:
                vr = _vr_of(tag, elements) if element.vr in ("", "UN") else element.vr
                raw = bytes(element.value[:_MAX_VALUE_BYTES])
                values = _values_of(raw, vr, elements.order)
                if any(values):
                    texts[tag] = values
        return texts


def _vr_of(tag: int, elements: Elements) -> str:
    """Return the VR of an element that states none; empty for texts and private elements."""
    if tag in _KNOWN_TEXTS:
        return ""
    try:
        vr = str(load_pydicom("pydicom.datadict").dictionary_VR(tag))
    except KeyError:
        return ""
    except ImportError:
        value = bytes(elements.by_tag[tag].value[:_MAX_VALUE_BYTES])
        if value.isascii() and value.rstrip(b"\0").decode().isprintable():
            return ""  # a text, as numbers of two bytes hardly ever are
        raise
    if vr.startswith("US or SS"):
        return "SS" if Values(elements).number(_PIXEL_REPRESENTATION) == 1 else "US"
    return vr


def _values_of(raw: bytes, vr: str, order: str) -> tuple[str, ...]:
    code = BINARY_VRS.get(vr)
    if code is not None:
        size = struct.calcsize(order + code)
        whole = raw[: len(raw) // size * size]
        return tuple(f"{value:.10g}" for (value,) in struct.iter_unpack(order + code, whole))
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return tuple(value.strip(" \0") for value in text.split("\\"))


@contextlib.contextmanager
def _elements_of(source: str | os.PathLike[str] | bytes) -> Iterator[Elements | None]:
    """Read the elements of a DICOM file, which stays open, or of its content; None for others."""
    with contextlib.nullcontext(source) if isinstance(source, bytes) else opened(source) as content:
        is_dicom = image_format(content[:HEAD_BYTES]) == "DICOM"
        yield read_elements(content) if is_dicom else None


def _text(raw: bytes, *, is_code: bool) -> str:
    """Return the first value of a text, without unprintable characters; codes in capitals."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = "".join(char for char in text.split("\\")[0] if char.isprintable()).strip()[:_LONGEST]
    return text.upper() if is_code else text
