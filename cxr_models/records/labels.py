"""Labels from findings: one finding against the rest, the first of several, or the only one.

This module makes labels; it does not change findings.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models.records.layouts.values import ABSENT, PRESENT, UNCERTAIN, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cxr_models.records.choices import Choices
    from cxr_models.records.layouts.values import Findings
    from cxr_models.records.manifest import Record

NORMAL, SEVERAL, NOT_SURE, UNKNOWN_LABEL = "normal", "several findings", "uncertain", "unknown"
_NO_FINDINGS = frozenset(("unchanged", "exclude", "suboptimal study"))  # words of PadChest
_NORMAL_NAMES = frozenset(("no finding", "normal", "healthy", "no_finding"))
_REST = "no "


class Labeller:
    """Rule that makes a label from the findings of an image.

    Parameters
    ----------
    choices : Choices
        Choices about labels: ``label_from`` or ``priority``, and ``uncertain``.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def chosen_findings(self) -> tuple[str, ...]:
        """Return the findings that the choices name."""
        return (self._choices.label_from,) if self._choices.label_from else self._choices.priority

    def check(self, names: Iterable[str]) -> None:
        """Raise if the choices name a finding that is not in `names`.

        Raises
        ------
        ValueError
            If a finding is not in `names`.
        """
        findings = list(names)
        for name in self.chosen_findings():
            if name not in findings:
                option = "--label-from" if self._choices.label_from else "--priority"
                raise ValueError(
                    f"`{option}` must name findings of the set; got {name!r}. Its findings: "
                    f"{', '.join(findings) or 'none'}."
                )

    def present(self, findings: Findings) -> list[str]:
        """Return the names of the present findings, without names such as "No Finding".

        Uncertain findings are present if ``uncertain`` is "one".
        """
        positive = (PRESENT, UNCERTAIN) if self._choices.uncertain == "one" else (PRESENT,)
        return [name for name, value in findings if value in positive and not _is_no_finding(name)]

    def label(self, findings: Findings) -> str:
        """Return the label of an image with these findings.

        With ``label_from``, the label is empty in two cases: this finding is uncertain and
        ``uncertain`` is "ignore", or all findings are unknown. The image is then left out.
        """
        if self._choices.label_from:
            return self._against_the_rest(dict(findings))
        present = self.present(findings)
        if self._choices.priority:
            first = next((name for name in self._choices.priority if name in present), "")
            if first:
                return label_name(first)
        if len(present) == 1:
            return label_name(present[0])
        if present:
            return SEVERAL
        if any(v == PRESENT and name.lower() in _NORMAL_NAMES for name, v in findings):
            return NORMAL
        values = {value for _, value in findings}
        if UNCERTAIN in values and self._choices.uncertain == "ignore":
            return NOT_SURE
        if len(findings) == 1 and values & {ABSENT, UNCERTAIN}:
            return _REST + label_name(findings[0][0])
        return UNKNOWN_LABEL

    def _against_the_rest(self, values: Mapping[str, str]) -> str:
        name, value = label_name(self._choices.label_from), values[self._choices.label_from]
        if value == UNCERTAIN and self._choices.uncertain == "ignore":
            return ""
        if not any(values.values()):  # nothing is known of this image
            return ""
        present = value == PRESENT or (value == UNCERTAIN and self._choices.uncertain == "one")
        return name if present else _REST + name


def remark_on_blanks(records: Sequence[Record], choices: Choices) -> str:
    """Return a sentence on records with the label "no FINDING" whose finding is unknown.

    Images that the set states to be normal are not counted.

    Parameters
    ----------
    records : sequence of Record
        Records whose labels were made with `choices`.
    choices : Choices
        Choices about labels.

    Returns
    -------
    str
        The sentence; empty if there is no such record.
    """
    name = choices.label_from
    if not name:
        return ""
    # Many records share one tuple of findings, so each tuple is looked at once.
    shared = {id(record.findings): record.findings for record in records}
    blank = {key for key, findings in shared.items() if _is_blank(findings, name)}
    count = sum(id(record.findings) in blank for record in records)
    if not count:
        return ""
    images = counted(count, "image has", "images have")
    return (
        f"{images} the label {_REST + label_name(name)!r} only because the set leaves the finding "
        "blank; it states other findings of these images, and not that this one is absent"
    )


def remark_on_spellings(labels: Iterable[str]) -> str:
    """Return a sentence on labels that differ in letter case alone; empty if there are none.

    Examples
    --------
    >>> remark_on_spellings(["COVID", "covid", "normal"])
    "labels 'COVID' and 'covid' differ in letter case alone; rename them if they mean the same"
    """
    spellings: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        spellings.setdefault(label.casefold(), []).append(label)
    alike = [names for names in spellings.values() if len(names) > 1]
    if not alike:
        return ""
    shown = " and ".join(map(repr, alike[0]))
    return f"labels {shown} differ in letter case alone; rename them if they mean the same"


def _is_blank(findings: Findings, name: str) -> bool:
    """Return whether a finding is unknown in an image that is not stated to be normal."""
    is_normal = any(v == PRESENT and n.lower() in _NORMAL_NAMES for n, v in findings)
    return dict(findings)[name] == UNKNOWN and not is_normal


@functools.lru_cache(1 << 12)
def _is_no_finding(name: str) -> bool:
    return name.lower() in (*_NORMAL_NAMES, *_NO_FINDINGS)


@functools.lru_cache(1 << 12)
def label_name(finding: str) -> str:
    """Return the name of a finding as a label, without characters that file names cannot have."""
    for character in '/\\:*?"<>|;':
        finding = finding.replace(character, " or " if character in "/|" else " ")
    return " ".join(finding.split()).strip(".")
