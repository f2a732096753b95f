"""Interpretation of cells in tables: findings, views, ages, sexes, dates and lists."""

from __future__ import annotations

import ast
import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PRESENT, ABSENT, UNCERTAIN, UNKNOWN = "1", "0", "u", ""
VIEWS = ("PA", "AP", "AP-supine", "L", "other")
FRONTAL = frozenset(("PA", "AP", "AP-supine"))
_OLDEST = 120  # years; some tables contain wrong ages of up to 414

Findings = tuple[tuple[str, str], ...]

_VIEW_WORDS = {
    "PA": ("pa", "postero-anterior", "posteroanterior", "posterior anterior", "p.a."),
    "AP": ("ap", "antero-posterior", "anteroposterior", "anterior posterior", "ap erect",
           "ap semi erect", "a.p."),
    "AP-supine": ("ap supine", "ap_horizontal", "ap-supine", "ap axial", "supine"),
    "L": ("l", "ll", "rl", "lateral", "lat", "left lateral", "right lateral", "lateral view",
          "xtable lateral", "swimmers"),
    "": ("", "nan", "none", "unk", "unknown", "frontal", "antero posterior or postero anterior"),
}  # fmt: skip
_VIEW_OF = {word: view for view, words in _VIEW_WORDS.items() for word in words}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SEX_OF = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O"}
_FINDING_OF = {
    "": UNKNOWN, "nan": UNKNOWN,
    "1": PRESENT, "1.0": PRESENT, "true": PRESENT, "yes": PRESENT, "y": PRESENT,
    "0": ABSENT, "0.0": ABSENT, "false": ABSENT, "no": ABSENT, "n": ABSENT,
    "-1": UNCERTAIN, "-1.0": UNCERTAIN, "u": UNCERTAIN,
}  # fmt: skip


def finding_of(text: str) -> str:
    """Return `PRESENT`, `ABSENT`, `UNCERTAIN` or `UNKNOWN` for a cell of a finding.

    Raises
    ------
    ValueError
        If the cell is not 1, 0, -1, u, yes, y, no, n, true, false, nan or empty.

    Examples
    --------
    >>> [finding_of(cell) for cell in ("1.0", "0", "-1.0", "")]
    ['1', '0', 'u', '']
    """
    try:
        return _FINDING_OF[text]
    except KeyError:
        pass
    try:
        return _FINDING_OF[text.strip().lower()]
    except KeyError:
        raise ValueError(f"a finding must be 1, 0, -1, u or empty; got {text!r}.") from None


def is_finding(text: str) -> bool:
    """Return whether `finding_of` accepts a cell."""
    try:
        finding_of(text)
    except ValueError:
        return False
    return True


class FindingsOf:
    """Converter of the cells of a row to findings.

    Equal rows share one tuple of findings, so that large sets need little memory.

    Parameters
    ----------
    names : sequence of str
        Names of the findings, in the order of the cells.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._findings: dict[tuple[str, ...], Findings] = {}
        self._pairs: list[dict[str, tuple[str, str]]] = [{} for _ in self._names]

    def __call__(self, cells: tuple[str, ...]) -> Findings:
        """Return the findings of a row of cells."""
        findings = self._findings.get(cells)
        if findings is None:
            findings = tuple(
                pairs.get(cell) or self._pair(pairs, name, cell)
                for pairs, name, cell in zip(self._pairs, self._names, cells, strict=True)
            )
            self._findings[cells] = findings
        return findings

    @staticmethod
    def _pair(pairs: dict[str, tuple[str, str]], name: str, cell: str) -> tuple[str, str]:
        return pairs.setdefault(cell, (name, finding_of(cell)))

    def listed(self, names: Iterable[str]) -> Findings:
        """Return the findings: those in `names` are present, and all others absent.

        Without any name, nothing is known, and all are unknown.

        Raises
        ------
        ValueError
            If a name is not that of a finding.
        """
        present = set(names)
        if strange := sorted(present.difference(self._names)):
            raise ValueError(
                f"a finding must be one of {', '.join(self._names)}; got {strange[0]!r}."
            )
        others = ABSENT if present else UNKNOWN
        return self(tuple(PRESENT if name in present else others for name in self._names))


@functools.lru_cache(1 << 12)
def view_of(text: str) -> str:
    """Return one of `VIEWS` for the word of a table; empty if it means an unknown view.

    "frontal" gives empty, because it does not tell PA from AP. Unknown words give "other".

    Examples
    --------
    >>> [view_of(word) for word in ("AP Supine", "LATERAL", "LL", "COSTAL", "AP_horizontal", "")]
    ['AP-supine', 'L', 'L', 'other', 'AP-supine', '']
    """
    return _VIEW_OF.get(" ".join(text.lower().split()), "other")


@functools.lru_cache(1 << 12)
def age_of(text: str) -> str:
    """Return an age in the form of DICOM, such as "058Y"; empty if the text is not an age.

    Parameters
    ----------
    text : str
        Years as "58", "58.0", "058Y", "45yrs" or "85 or more"; months, weeks or days as "006M",
        "006W" or "006D". More than 120 years are not an age.

    Examples
    --------
    >>> [age_of(word) for word in ("58", "058Y", "45yrs", "85 or more", "006M", "412", "")]
    ['058Y', '058Y', '045Y', '085Y', '006M', '', '']
    """
    match = re.match(r"\s*(\d+)(?:\.\d*)?\s*([DWMYdwmy]?)", text)
    if match is None:
        return ""
    number, unit = int(match[1]), (match[2] or "Y").upper()
    return "" if number > (_OLDEST if unit == "Y" else 999) else f"{number:03d}{unit}"


def age_in(year: int, born: str) -> str:
    """Return the age in `year` of a person born in the year `born`, such as "1950" or "1950.0".

    The age has the form of DICOM, such as "058Y". It is empty if `born` is not a year up to `year`.
    """
    match = re.match(r"\s*(\d{4})\b", born)
    return age_of(str(year - int(match[1]))) if match and int(match[1]) <= year else ""


def sex_of(text: str) -> str:
    """Return "M", "F", "O", or empty for every other word."""
    return _SEX_OF.get(text.strip().lower(), "")


@functools.lru_cache(1 << 12)
def date_of(text: str) -> str:
    """Return a date as YYYY-MM-DD if it has eight digits or an English month name.

    Other texts are returned unchanged, without blanks around them.

    Examples
    --------
    >>> [date_of(word) for word in ("20200122", "January 22, 2020", "2020")]
    ['2020-01-22', '2020-01-22', '2020']
    """
    text = text.strip()
    if re.fullmatch(r"\d{8}", text):
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    words = re.fullmatch(r"([A-Za-z]{3})[a-z]*\.? (\d{1,2}), (\d{4})", text)
    if words and words[1].lower() in _MONTHS:
        return f"{words[3]}-{_MONTHS.index(words[1].lower()) + 1:02d}-{int(words[2]):02d}"
    return text


def listed(text: str, separator: str = "|") -> list[str]:
    """Return the items of a cell that is a Python list literal, or items joined by a separator.

    Blanks around items are removed. Empty items are omitted.

    Examples
    --------
    >>> listed("['cardiomegaly', ' pneumonia', '']"), listed("Effusion|Mass")
    (['cardiomegaly', 'pneumonia'], ['Effusion', 'Mass'])
    """
    items: Sequence[object] = text.split(separator)
    if text.lstrip().startswith("["):
        try:
            literal = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            literal = text.strip(" []").split(",")
        items = [str(item).strip(" '\"") for item in literal]
    return [word for word in (str(item).strip() for item in items) if word]


def with_blanks_absent(findings: Findings) -> Findings:
    """Return the findings with unknown values replaced by absent.

    If all values are unknown, the findings are returned unchanged.
    """
    if not any(value for _, value in findings):
        return findings
    return tuple((name, value or ABSENT) for name, value in findings)
