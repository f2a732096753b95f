"""Which public sets hold images of others, so that one is no test of a model trained on another."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TAKEN_FROM: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "rsna": ("nih",),
        "siim-acr": ("nih",),
        "chestx-det": ("nih",),
        "nih-google": ("nih",),
        "chestmnist": ("nih",),
        "pneumoniamnist": ("kermany",),
        "tbx11k": ("montgomery", "shenzhen"),
        "covid19-radiography": ("rsna", "kermany", "padchest", "ieee8023", "cxnet"),
        "covidx": ("rsna", "ieee8023"),
        "covid-qu": ("covid19-radiography",),
        "cohen": ("ieee8023",),
        "mimic-cxr-jpg": ("mimic-cxr",),
    }
)

_PUBLIC = frozenset((*TAKEN_FROM, *(name for taken in TAKEN_FROM.values() for name in taken)))


def origins(source: str) -> frozenset[str]:
    """Return the sets that images of a source come from, the source itself among them."""
    found: set[str] = set()
    waiting = [source]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += TAKEN_FROM.get(name, ())
    return frozenset(found)


def shared_origins(one: str, other: str) -> frozenset[str]:
    """Return the public sets from which two sources both have images.

    Examples
    --------
    >>> sorted(shared_origins("rsna", "nih")), sorted(shared_origins("nih", "chexpert"))
    (['nih'], [])
    """
    return origins(one) & origins(other) & _PUBLIC


def overlap_notes(source: str) -> list[str]:
    """Say in a sentence each which sets share images with a source; none where none is known."""
    notes = []
    if TAKEN_FROM.get(source):
        notes.append(f"holds images of {', '.join(TAKEN_FROM[source])}")
    holders = [name for name, taken in TAKEN_FROM.items() if source in taken]
    if holders:
        notes.append(f"its images are in {', '.join(holders)} too")
    return notes


def lines_on_sources(name: str, seen: Iterable[str], tested: Iterable[str]) -> list[str]:
    """Warn of sources of a set that, as sets, share images with those a model has seen.

    Parameters
    ----------
    name : str
        What the set is called.
    seen, tested : iterable of str
        Sources of images that the model has seen, and of those of the set.
    """
    known = sorted(set(seen) - {""})
    return [
        f"WARNING: {test} of {name} and {one}, which the model has seen, both hold images of "
        f"{', '.join(sorted(shared))}: {name} is no other source"
        for test in sorted(set(tested) - {""})
        for one in known
        if (shared := shared_origins(test, one))
    ]
