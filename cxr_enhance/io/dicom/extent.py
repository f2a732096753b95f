"""Limit the number of elements and levels of headers that are passed to pydicom.

pydicom reads every nested element by recursion. `elements.Walk` skips sequences of known length;
this check reads their elements too.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from cxr_enhance.io._signatures import RULE
from cxr_enhance.io.dicom import elements

_MOST_LEVELS = 200  # nested sequences and items
_ITEM_BYTES = {order: struct.pack(order + "HH", 0xFFFE, 0xE000) for order in "<>"}


class _Level(NamedTuple):
    end: int | None  # None for a sequence or item that a delimiter ends
    holds_fragments: bool = False


def check_extent(data: bytes) -> None:
    """Refuse a header with too many elements or levels; pixel data are not counted.

    Raises
    ------
    ValueError
        If there are more elements or levels than any real header has.
    """
    walk, position = elements.begin_walk(data)
    size, item = len(walk.view), _ITEM_BYTES[walk.elements.order]
    levels: list[_Level] = []
    while True:
        while levels and levels[-1].end is not None and position >= levels[-1].end:
            position = levels.pop().end or 0
        if position + 8 > size:
            return
        try:
            tag, vr, length, value = walk.header(position)
        except elements.Cut:
            return
        if tag == elements.PIXEL_DATA and not levels:
            return
        if tag in (elements.ITEM_END, elements.SEQUENCE_END):
            if levels and levels[-1].end is None:
                levels.pop()
            position = value
            continue
        is_open = length == elements.UNDEFINED
        is_item = tag == elements.ITEM and not (levels and levels[-1].holds_fragments)
        may_hold_items = vr in ("", "UN") and walk.view[value : value + 4] == item
        if is_open or is_item or vr == "SQ" or may_hold_items:
            is_binary = vr in ("OB", "OW")
            levels.append(_Level(None if is_open else min(value + length, size), is_binary))
            position = value
        else:
            position = value + length
        if len(levels) > _MOST_LEVELS:
            raise ValueError(
                f"{RULE}; got a DICOM file with sequences nested more than {_MOST_LEVELS // 2} "
                "deep."
            )
