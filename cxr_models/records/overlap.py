"""What two sets of radiographs share by content: equal pixels, near copies, patients.

Paths say nothing of it: a copied file has another path, and a public set lies in many archives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.copies import EQUAL, find_copies
from cxr_models.records.fingerprints import fingerprints_of, with_fingerprints
from cxr_models.records.patients import patient_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.records.manifest import Manifest, Record

_SHOWN = 10


class Part(NamedTuple):
    """Radiographs that a model has seen."""

    name: str  # what they are called in sentences, such as "train"
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Shared:
    """A radiograph of a set that is tied to one the model has seen."""

    file: str
    seen: str  # the one that was seen
    part: str  # the part it is in
    kind: str  # how they are tied: one of `cxr_models.records.copies.KINDS`, or "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What a set shares with radiographs that a model has seen; each file once a field."""

    # near, patients: files of near copies, and of patients of the same source
    near: tuple[Shared, ...]
    patients: tuple[Shared, ...]
    unread: int  # images of either side that cannot be read and so were not compared
    equal: tuple[Shared, ...] = ()  # files of equal pixels; a set that has some is refused


class SeenImages:
    """Radiographs that a model has seen, to compare sets with.

    Parameters
    ----------
    parts : sequence of Part
        The radiographs. Images of records without fingerprints are decoded, see `decoded_once`.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._records = [record for part in parts for record in part.manifest.records]
        self._names = [part.name for part in parts for _ in part.manifest.records]
        self._fingerprints = [one for part in parts for one in fingerprints_of(part.manifest)]

    def overlap(self, tested: Manifest) -> Overlap:
        """Compare a set with all that was seen.

        Parameters
        ----------
        tested : Manifest
            The set. Fingerprints that `index` wrote are believed; images without are decoded.
        """
        theirs, ours = self._fingerprints, fingerprints_of(tested)
        seen = [index for index, one in enumerate(theirs) if one is not None]
        read = [index for index, one in enumerate(ours) if one is not None]
        copies = find_copies(
            [one for one in theirs if one is not None], [one for one in ours if one is not None]
        )
        equal: dict[int, Shared] = {}
        near: dict[int, Shared] = {}
        for copy in copies:
            place = read[copy.second]
            found = self._shared(tested.records[place], seen[copy.first], copy.kind)
            (equal if copy.kind == EQUAL else near).setdefault(place, found)
        return Overlap(
            equal=tuple(equal[place] for place in sorted(equal)),
            near=tuple(near[place] for place in sorted(near) if place not in equal),
            patients=self._patients(tested),
            unread=len(theirs) - len(seen) + len(ours) - len(read),
        )

    def check(
        self,
        name: str,
        tested: Manifest,
        *,
        refusal: Callable[[int], str],
        cure: str,
        say: Callable[[str], object] | None = None,
    ) -> Overlap:
        """Refuse a set that holds images of equal pixels, and say what else it shares.

        Parameters
        ----------
        name : str
            What the set is called.
        tested : Manifest
            The set.
        refusal : callable
            Gives the rule and what was got instead, for a number of images of equal pixels.
        cure : str
            What to do about them.
        say : callable, optional
            Called with lines on near copies and on patients that both have.

        Raises
        ------
        ValueError
            If an image has the pixels of one that was seen.
        """
        overlap = self.overlap(decoded_once(tested, say=say))
        if overlap.equal:
            shown = "\n".join(shared_lines(overlap.equal))
            raise ValueError(f"{refusal(len(overlap.equal))}:\n{shown}\n{cure}")
        if say is not None:
            for line in overlap_lines(name, overlap):
                say(line)
        return overlap

    def _patients(self, tested: Manifest) -> tuple[Shared, ...]:
        first: dict[tuple[str, str], int] = {}
        for index, record in enumerate(self._records):
            key = patient_key(record)
            if key is not None:
                first.setdefault(key, index)
        return tuple(
            self._shared(record, first[key], "patient")
            for record in tested.records
            if (key := patient_key(record)) in first and key is not None
        )

    def _shared(self, record: Record, seen: int, kind: str) -> Shared:
        return Shared(record.file, self._records[seen].file, self._names[seen], kind)


def decoded_once(manifest: Manifest, *, say: Callable[[str], object] | None = None) -> Manifest:
    """Return a manifest whose records hold their fingerprints, and say what that takes.

    Parameters
    ----------
    manifest : Manifest
        Its images are decoded where their records hold no fingerprint.
    say : callable, optional
        Called with a line where images have to be decoded, which takes its time.
    """

    def decoding(count: int) -> None:
        if say is not None:
            say(
                f"decoding {count:,} images to compare them by content; manifests that "
                "cxr-models index writes anew save that"
            )

    return with_fingerprints(manifest, progress=decoding)


def overlap_lines(name: str, overlap: Overlap) -> list[str]:
    """Describe near copies, shared patients and what was not compared, in lines.

    Parameters
    ----------
    name : str
        What the set is called.
    overlap : Overlap
        What it shares.
    """
    lines = []
    if overlap.near:
        lines.append(
            f"WARNING: {len(overlap.near)} images of {name} are near copies of images that the "
            "model has seen:"
        )
        lines += shared_lines(overlap.near)
    if overlap.patients:
        lines.append(
            f"WARNING: {len(overlap.patients)} images of {name} are of patients, by source and "
            "id, whom the model has seen:"
        )
        lines += shared_lines(overlap.patients)
    if overlap.unread:
        lines.append(f"{name}: {overlap.unread} images cannot be read and were not compared")
    return lines


def shared_lines(shared: Sequence[Shared]) -> list[str]:
    """Name the first ten of the files, and count the others."""
    lines = [f"  {one.file}: {one.kind}, {one.seen} in {one.part}" for one in shared[:_SHOWN]]
    return [*lines, *([f"  and {len(shared) - _SHOWN} more"] if len(shared) > _SHOWN else [])]
