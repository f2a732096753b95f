"""One label of several findings: one against the rest, the first of several, or the only one.

Findings stay as they are; only labels are made here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cxr_models.records.layouts.values import ABSENT, PRESENT, UNCERTAIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxr_models.records.choices import Choices
    from cxr_models.records.layouts.values import Findings

NORMAL, SEVERAL, NOT_SURE, UNKNOWN_LABEL = "normal", "several findings", "uncertain", "unknown"
_NO_FINDINGS = frozenset(("unchanged", "exclude", "suboptimal study"))  # words of PadChest
_NORMAL_NAMES = frozenset(("no finding", "normal", "healthy", "no_finding"))
_REST = "no "


class Labeller:
    """Findings to labels, as chosen.

    Parameters
    ----------
    choices : Choices
        The finding or the priority of findings, and the rule for uncertain values.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def chosen_findings(self) -> tuple[str, ...]:
        """Return the findings that the choices name."""
        return (self._choices.label_from,) if self._choices.label_from else self._choices.priority

    def check(self, names: Iterable[str]) -> None:
        """Raise unless the findings that the choices name are among `names`.

        Raises
        ------
        ValueError
            If one is not.
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
        """Return the findings that are present, those that say "nothing found" left out."""
        positive = (PRESENT, UNCERTAIN) if self._choices.uncertain == "one" else (PRESENT,)
        return [name for name, value in findings if value in positive and not _is_no_finding(name)]

    def label(self, findings: Findings) -> str:
        """Return the label; empty where `uncertain` says that an image has none."""
        if self._choices.label_from:
            return self._against_the_rest(dict(findings)[self._choices.label_from])
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

    def _against_the_rest(self, value: str) -> str:
        name = label_name(self._choices.label_from)
        if value == UNCERTAIN and self._choices.uncertain == "ignore":
            return ""
        present = value == PRESENT or (value == UNCERTAIN and self._choices.uncertain == "one")
        return name if present else _REST + name


@functools.lru_cache(1 << 12)
def _is_no_finding(name: str) -> bool:
    return name.lower() in (*_NORMAL_NAMES, *_NO_FINDINGS)


@functools.lru_cache(1 << 12)
def label_name(finding: str) -> str:
    """Return a finding's name as a label, which must not hold slashes and the like."""
    for character in '/\\:*?"<>|;':
        finding = finding.replace(character, " or " if character in "/|" else " ")
    return " ".join(finding.split()).strip(".")
