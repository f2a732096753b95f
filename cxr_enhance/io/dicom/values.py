"""Convert raw elements to Python values; elements with a wrong VR are converted too."""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING

from cxr_enhance.io.dicom.elements import tag_text

if TYPE_CHECKING:
    from cxr_enhance.io.dicom.elements import Elements

BINARY_VRS = {
    "US": "H",
    "SS": "h",
    "UL": "I",
    "SL": "i",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
}
_SIZES = {code: struct.calcsize("<" + code) for code in BINARY_VRS.values()}
_TEXTS = frozenset(("DS", "IS", "LO", "SH", "ST", "LT", "CS"))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORD = 0xFFFF


class Values:
    """Reads the elements of a data set as numbers and texts, and notes each repair.

    Methods return None for an element that is missing or holds no such value.
    """

    def __init__(self, elements: Elements) -> None:
        self.by_tag, self.tables = elements.by_tag, elements.tables
        self.order, self.note = elements.order, elements.notes.append

    def number(self, tag: int) -> int | None:
        """Return the first value of an unsigned element; read a negative value as a 16-bit word."""
        element = self.by_tag.get(tag)
        if element is None:
            return None
        if element.vr in _TEXTS:
            value = self.real(tag)
            return None if value is None else int(value) & _WORD
        value = self._binary(tag, BINARY_VRS.get(element.vr, "H"))
        if value is None:
            return None
        return int(value) if value >= 0 else int(value) & _WORD

    def number_or(self, tag: int, default: int, name: str) -> int:
        """Return the first value of an unsigned element, or add a note and return `default`."""
        value = self.number(tag)
        if value is None:
            self.note(f"{name} missing; taken as {default}")
            return default
        return value

    def flag(self, tag: int, name: str) -> bool:
        """Return whether an element is 1; a value other than 0 and 1 is 0, with a note."""
        value = self.number_or(tag, 0, name)
        if value not in (0, 1):
            self.note(f"{name} {value}; taken as 0")
        return value == 1

    def text(self, tag: int) -> str | None:
        """Return the first value of a text, in capitals and without unprintable characters."""
        element = self.by_tag.get(tag)
        if element is None:
            return None
        text = bytes(element.value[:256]).decode("latin-1").split("\\")[0].strip(" \0").upper()
        return "".join(char for char in text if char.isprintable())[:64] or None

    def real(self, tag: int) -> float | None:
        """Return the first value of an element that should be a decimal text."""
        element = self.by_tag.get(tag)
        if element is None:
            return None
        if element.vr in BINARY_VRS:
            value = self._binary(tag, BINARY_VRS[element.vr])
            if value is not None:
                self.note(f"{tag_text(tag)} written with VR {element.vr}; read as {value:g}")
            return value
        text = bytes(element.value[:256]).decode("latin-1").split("\\")[0]
        stated = text.strip(" \0")
        if not stated:
            return None
        # After a zero byte, some writers leave garbage of their buffer. Some write a decimal comma.
        head, *junk = re.split(r"[\s\0]", stated, maxsplit=1)
        cleaned = head.replace(",", ".") if head.count(",") == 1 and "." not in head else head
        value = float(cleaned) if _NUMBER.fullmatch(cleaned) else math.nan
        if not math.isfinite(value):
            self.note(f"{tag_text(tag)} is no number; left out")
            return None
        if junk or cleaned != head:
            self.note(f"{tag_text(tag)} is no clean number; read as {value:g}")
        return value

    def positive_pair(self, tag: int) -> tuple[float, float] | None:
        """Return the values of an element of two positive decimal texts; None for others."""
        element = self.by_tag.get(tag)
        if element is None or element.vr in BINARY_VRS:
            return None
        texts = bytes(element.value[:256]).decode("latin-1").split("\\")
        stated = [text.strip(" \0") for text in texts]
        if len(stated) != 2 or not all(map(_NUMBER.fullmatch, stated)):
            return None
        first, second = map(float, stated)
        if not (0 < first < math.inf and 0 < second < math.inf):
            return None
        return first, second

    def count(self, tag: int, name: str) -> int:
        """Return the first value of an element that should be a positive integer as text.

        A missing value is 1, and so is a value below 1, with a note; fractions are cut with a note.
        """
        value = self.real(tag)
        if value is None:
            return 1
        count = max(int(value), 1)
        if count != value:
            self.note(f"{name} {value:g}; taken as {count}")
        return count

    def _binary(self, tag: int, code: str) -> float | None:
        data = self.by_tag[tag].value[: _SIZES[code]]
        if len(data) < _SIZES[code]:
            if len(data) < 2:
                return None
            code = "H"
        value = float(struct.unpack_from(self.order + code, data)[0])
        return value if math.isfinite(value) else None
