"""Public sets that contain images of other public sets.

A model that was trained on a set cannot be tested on another set with the same images.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ORIGINS: Mapping[str, tuple[str, ...]] = MappingProxyType(
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

_PUBLIC = frozenset((*ORIGINS, *(name for sources in ORIGINS.values() for name in sources)))


def origins(source: str) -> frozenset[str]:
    """Return the sets that the images of a source come from, including the source itself."""
    names: set[str] = set()
    waiting = [source]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += ORIGINS.get(name, ())
    return frozenset(names)


def shared_origins(first: str, second: str) -> frozenset[str]:
    """Return the public sets that both of two sources have images of.

    Examples
    --------
    >>> sorted(shared_origins("rsna", "nih")), sorted(shared_origins("nih", "chexpert"))
    (['nih'], [])
    """
    return origins(first) & origins(second) & _PUBLIC


def overlap_notes(source: str) -> list[str]:
    """Return one clause for each kind of overlap of a source with public sets."""
    notes = []
    if ORIGINS.get(source):
        notes.append(f"holds images of {', '.join(ORIGINS[source])}")
    holders = [name for name, sources in ORIGINS.items() if source in sources]
    if holders:
        notes.append(f"its images are in {', '.join(holders)} too")
    return notes


def lines_on_sources(
    name: str, model_sources: Iterable[str], set_sources: Iterable[str]
) -> list[str]:
    """Return warnings about sources of a tested set that share images with seen sources.

    Parameters
    ----------
    name : str
        Name of the tested set.
    model_sources, set_sources : iterable of str
        Sources of the images that the model has seen, and of the images of the tested set.

    Returns
    -------
    list of str
        One line for each pair of sources that share images.
    """
    model_names = sorted(set(model_sources) - {""})
    return [
        f"WARNING: {set_source} of {name} and {model_source}, which the model has seen, both hold "
        f"images of {', '.join(sorted(shared))}: {name} is no other source"
        for set_source in sorted(set(set_sources) - {""})
        for model_source in model_names
        if (shared := shared_origins(set_source, model_source))
    ]
