"""Output names that may tell whose an image is; they are made of the names of inputs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cxr_enhance.archive.planned_files import PlannedFiles

# What export programs and people call files and folders of nobody in particular.
_WORD = r"(image|img|im|i|scan|dicom|dcm|dx|cr|file|frame|view|frontal|lateral|pa|ap|input|data)s?"
_COUNTER = r"[-_ ]?0*\d{0,4}"
_PLAIN_FILE = re.compile(rf"(({_WORD})?{_COUNTER})([-_ ]{_WORD}{_COUNTER})*", re.IGNORECASE)
_PLAIN_FOLDER = re.compile(rf"{_WORD}{_COUNTER}", re.IGNORECASE)


class TellingNames(NamedTuple):
    """How many names may tell of a person, and the first of them."""

    number: int
    example: str


def find_telling_names(files: PlannedFiles) -> TellingNames:
    """Count the output names that are more than a general word and a short number.

    No rule can tell that a name is nobody's: names that look like nothing in particular pass, all
    others count.
    """
    count, example = 0, ""
    for index in range(len(files)):
        name = files.name(index)
        folder, file = os.path.split(name)
        stem = os.path.splitext(file)[0]
        parents = folder.split(os.sep) if folder else []
        if _PLAIN_FILE.fullmatch(stem) and all(map(_PLAIN_FOLDER.fullmatch, parents)):
            continue
        count += 1
        example = example or name
    return TellingNames(count, example)
