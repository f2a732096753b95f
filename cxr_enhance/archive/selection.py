"""Select the files to enhance by elements of their DICOM headers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cxr_enhance.io.dicom.attributes import header_texts
from cxr_enhance.io.dicom.plugins import load_pydicom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

MODALITY, VIEW_POSITION = 0x00080060, 0x00185101
_NOT_CHOSEN = "not chosen by "
_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")


class Criterion(NamedTuple):
    """One option of the command line: a header element and the values that select a file."""

    option: str  # as typed, such as "--modality CR,DX"
    name: str
    tag: int
    values: frozenset[str]  # in capitals

    def reason_against(self, texts: dict[int, tuple[str, ...]] | None) -> str:
        """Return why a file with these header texts is not chosen; empty for a chosen file."""
        if texts is None:
            return f"{_NOT_CHOSEN}{self.option}: it has no DICOM header"
        present = texts.get(self.tag, ())
        if self.values.intersection(text.upper() for text in present):
            return ""
        if not present:
            difference = "is missing"
        elif self.tag in (MODALITY, VIEW_POSITION):
            difference = f"is {', '.join(present)}"
        else:  # the value may identify a patient
            difference = "has another value"
        return f"{_NOT_CHOSEN}{self.option}: {self.name} {difference}"


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of files; a file is chosen if it meets every criterion.

    Parameters
    ----------
    criteria : tuple of Criterion
        Criteria for the header; an empty tuple chooses all files.
    """

    criteria: tuple[Criterion, ...] = ()

    @classmethod
    def from_options(cls, modality: str | None, views: str | None, where: Sequence[str]) -> Self:
        """Make a selection of the texts of command line options.

        `modality` and `views` are values separated by commas, or None. `where` holds texts of the
        form ``TAG=VALUE``.

        Raises
        ------
        ValueError
            If a value is empty or a tag is unknown.
        ImportError
            If a tag is a keyword and pydicom, which knows them, is not installed.
        """
        criteria = []
        for option, name, tag, text in (
            ("--modality", "Modality", MODALITY, modality),
            ("--views", "View Position", VIEW_POSITION, views),
        ):
            if text is not None:
                criteria.append(Criterion(f"{option} {text}", name, tag, _values(option, text)))
        for text in where:
            name, equals, value = text.partition("=")
            if not name.strip() or not equals or not value.strip():
                raise ValueError(
                    f"`--where` must be TAG=VALUE, such as BodyPartExamined=CHEST; got {text!r}."
                )
            values = frozenset((value.strip().upper(),))
            criteria.append(Criterion(f"--where {text}", name, _tag_of(name), values))
        return cls(tuple(criteria))

    def reason_against(self, path: str) -> str:
        """Return why a file is not chosen; empty for a chosen file. Read only the header.

        Raises
        ------
        ValueError
            If a DICOM file is damaged, or cut short before its pixels.
        OSError
            If the file cannot be read.
        """
        if not self.criteria:
            return ""
        texts = header_texts(path, [criterion.tag for criterion in self.criteria])
        reasons = (criterion.reason_against(texts) for criterion in self.criteria)
        return next(filter(None, reasons), "")

    def would_skip_again(self, reason: str) -> bool:
        """Return whether a file that an earlier run skipped for `reason` would be skipped again.

        If this selection has the criterion that is in `reason`, it does not choose the file,
        because a file must meet every criterion.
        """
        if not reason.startswith(_NOT_CHOSEN):
            return True
        rest = reason.removeprefix(_NOT_CHOSEN)
        return any(rest.startswith(f"{criterion.option}: ") for criterion in self.criteria)


def is_not_chosen(reason: str) -> bool:
    """Return whether `reason` is that a selection did not choose the file."""
    return reason.startswith(_NOT_CHOSEN)


def _values(option: str, text: str) -> frozenset[str]:
    values = [value.strip().upper() for value in text.split(",")]
    if not all(values):
        raise ValueError(f"`{option}` must be values separated by commas; got {text!r}.")
    return frozenset(values)


def _tag_of(name: str) -> int:
    parts = _TAG.fullmatch(name)
    if parts is not None:
        return int(parts[1] + parts[2], 16)
    tag = load_pydicom("pydicom.datadict").tag_for_keyword(name)
    if tag is None:
        raise ValueError(
            f"`--where` must name an element by its DICOM keyword or as gggg,eeee; got {name!r}."
        )
    return int(tag)
