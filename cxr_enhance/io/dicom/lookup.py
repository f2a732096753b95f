"""Read lookup tables; where a descriptor contradicts the entries, the entries decide."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_enhance.io.dicom.elements import LUT_DATA, LUT_DESCRIPTOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._types import Image
    from cxr_enhance.io.dicom.elements import Element

_MOST_BITS = 16
_LEAST_BITS = 8
_OTHER_SIGN = 1 << 16


class Table(NamedTuple):
    """A lookup table: `values` of `bits` bits, for inputs from `first` on."""

    first: int
    bits: int
    values: tuple[int, ...]


def read_table(
    item: dict[int, Element],
    order: str,
    name: str,
    inputs: tuple[float, float],
    note: Callable[[str], None],
    *,
    signed: bool,
    is_last: bool = True,
) -> Table | None:
    """Read a lookup table from the item of its sequence.

    Parameters
    ----------
    item : dict of int to Element
        The elements of the item.
    order : {"<", ">"}
        Byte order.
    name : str
        Name of the table in notes.
    inputs : (float, float)
        Least and greatest value that may be looked up; they decide the sign of the first value
        mapped.
    note : callable
        Called with a note for each part of the descriptor that contradicts the entries.
    signed : bool
        Whether pixels have a sign; then the first value mapped has a sign too, unless its VR says
        otherwise.
    is_last : bool
        Whether no other table follows, so that the range of the entries is that of the image.

    Returns
    -------
    Table or None
        None, with a note, where no entries can be found.
    """
    descriptor: Any = item.get(LUT_DESCRIPTOR)
    data: Any = item.get(LUT_DATA)
    if descriptor is None or data is None or len(descriptor.value) < 6:
        note(f"{name} damaged; left out")
        return None
    count, first, bits = struct.unpack(order + "HHH", descriptor.value[:6])
    entries, are_bytes = _entries(data, order, count or _OTHER_SIGN, bits)
    if not entries.size:
        note(f"{name} damaged; left out")
        return None
    if entries.size < (count or _OTHER_SIGN):
        note(f"{name} of {count or _OTHER_SIGN} entries, {entries.size} are there")
    if first >= _OTHER_SIGN // 2:
        has_sign = descriptor.vr == "SS" or (not descriptor.vr and signed)
        first = _first_mapped(first, entries.size, inputs, name, note, has_sign=has_sign)
    used = _used_bits(entries, bits, are_bytes=are_bytes, is_last=is_last)
    if used != bits:
        note(f"{name} of {bits} bits holds entries of {used}; taken as {used}")
    return Table(int(first), used, tuple(entries.tolist()))


def _entries(data: Element, order: str, count: int, bits: int) -> tuple[Image, bool]:
    """Return the entries, and whether they are packed: two entries of 8 bits in each word."""
    size = len(data.value)
    is_packed = size in (count, count + count % 2) and count > 1
    if is_packed or (bits == _LEAST_BITS and count <= size < 2 * count):
        packed = np.frombuffer(data.value[:size], np.uint8)
        if order == ">" and data.vr != "OB":
            packed = packed[: size // 2 * 2].reshape(-1, 2)[:, ::-1].reshape(-1)
        return packed[:count], True
    # A table of which less than half is left is not used.
    there = min(size // 2, count)
    if 2 * there < count:
        there = 0
    return np.frombuffer(data.value[: 2 * there], order + "u2"), False


def _used_bits(entries: Image, bits: int, *, are_bytes: bool, is_last: bool) -> int:
    """Return the bits of the entries: the declared bits, unless the entries show other bits.

    Some writers declare the 16 bits of words that hold entries of 8 to 14 bits. Some declare the
    12 or 14 bits of the pixels over entries of 8 bits. Others declare fewer bits than their
    entries have.
    """
    needed = max(int(entries.max()).bit_length(), _LEAST_BITS)
    if are_bytes or needed > bits or bits > _MOST_BITS:
        return needed
    # A table of a dark image may use half of its range, but no sixteenth.
    widest = _MOST_BITS - 2 if bits == _MOST_BITS else min(_LEAST_BITS, bits - 4)
    is_narrow = needed <= widest
    return needed if is_last and is_narrow else bits


def _first_mapped(
    first: int,
    count: int,
    inputs: tuple[float, float],
    name: str,
    note: Callable[[str], None],
    *,
    has_sign: bool,
) -> int:
    """Choose the sign with which the table covers more of the values that may be looked up."""
    low, high = inputs

    def covered(start: int) -> float:
        return min(start + count - 1, high) - max(start, low)

    stated, other = (first - _OTHER_SIGN, first) if has_sign else (first, first - _OTHER_SIGN)
    if max(covered(other), -1.0) <= covered(stated):
        return stated
    if covered(other) < 0:  # neither reaches any value
        return stated
    note(f"{name} begins at {stated}, beyond most values; taken as {other}")
    return other
