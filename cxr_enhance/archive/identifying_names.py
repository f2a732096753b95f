"""Find output names that may identify a patient, because they contain the names of inputs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cxr_enhance.archive.planned_files import PlannedFiles

# Words that programs and people use for files and folders, and that identify nobody.
_WORD = r"(image|img|im|i|scan|dicom|dcm|dx|cr|file|frame|view|frontal|lateral|pa|ap|input|data)s?"
_COUNTER = r"[-_ ]?0*\d{0,4}"
_PLAIN_FILE = re.compile(rf"(({_WORD})?{_COUNTER})([-_ ]{_WORD}{_COUNTER})*", re.IGNORECASE)
_PLAIN_FOLDER = re.compile(rf"{_WORD}{_COUNTER}", re.IGNORECASE)


class IdentifyingNames(NamedTuple):
    """The number of names that may identify a patient, and the first such name."""

    number: int
    example: str


def find_identifying_names(files: PlannedFiles) -> IdentifyingNames:
    """Count the output names that are more than a general word and a short number.

    No rule can prove that a name identifies nobody. Names that consist of general words and short
    numbers are not counted; all other names are counted.
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
    return IdentifyingNames(count, example)
