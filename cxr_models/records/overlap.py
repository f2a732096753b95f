"""What two sets of radiographs share by content: equal pixels, near copies, patients.

Paths do not show it: a copied file has another path, and a public set lies in many archives.
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
    seen: str  # the radiograph that the model has seen
    part: str  # the part that `seen` is in
    kind: str  # how the two are tied: one of `cxr_models.records.copies.KINDS`, or "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What a set shares with radiographs that a model has seen; each file once a field."""

    # near, patients: files of near copies, and of patients of the same source
    near: tuple[Shared, ...]
    patients: tuple[Shared, ...]
    unread: int  # images of either side that cannot be read, and are not compared
    equal: tuple[Shared, ...] = ()  # files of equal pixels; a set that has such a file is refused


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
        self._fingerprints = [
            fingerprint for part in parts for fingerprint in fingerprints_of(part.manifest)
        ]

    def overlap(self, tested: Manifest) -> Overlap:
        """Compare a set with all radiographs that the model has seen.

        Parameters
        ----------
        tested : Manifest
            The set. Fingerprints that `index` wrote are believed; images without one are decoded.
        """
        model_fingerprints, set_fingerprints = self._fingerprints, fingerprints_of(tested)
        model_places = [
            index for index, fingerprint in enumerate(model_fingerprints) if fingerprint is not None
        ]
        set_places = [
            index for index, fingerprint in enumerate(set_fingerprints) if fingerprint is not None
        ]
        copies = find_copies(
            [fingerprint for fingerprint in model_fingerprints if fingerprint is not None],
            [fingerprint for fingerprint in set_fingerprints if fingerprint is not None],
        )
        equal: dict[int, Shared] = {}
        near: dict[int, Shared] = {}
        for copy in copies:
            place = set_places[copy.second]
            shared = self._shared(tested.records[place], model_places[copy.first], copy.kind)
            (equal if copy.kind == EQUAL else near).setdefault(place, shared)
        return Overlap(
            equal=tuple(equal[place] for place in sorted(equal)),
            near=tuple(near[place] for place in sorted(near) if place not in equal),
            patients=self._patients(tested),
            unread=len(model_fingerprints)
            - len(model_places)
            + len(set_fingerprints)
            - len(set_places),
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
        """Refuse a set that holds images of equal pixels, and say what else the two share.

        Parameters
        ----------
        name : str
            What the set is called.
        tested : Manifest
            The set.
        refusal : callable
            Gives the rule and what was got instead, for a number of images of equal pixels.
        cure : str
            What to do about these images.
        say : callable, optional
            Called with lines on near copies and on patients that both sets hold.

        Raises
        ------
        ValueError
            If an image has the pixels of an image that the model has seen.
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

    def _shared(self, record: Record, index: int, kind: str) -> Shared:
        return Shared(record.file, self._records[index].file, self._names[index], kind)


def decoded_once(manifest: Manifest, *, say: Callable[[str], object] | None = None) -> Manifest:
    """Return a manifest whose records hold their fingerprints, and say how many are decoded.

    Parameters
    ----------
    manifest : Manifest
        Its images are decoded where their records hold no fingerprint.
    say : callable, optional
        Called with a line where images have to be decoded, which is slow.
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
    """Name the first ten files, and count the rest."""
    lines = [f"  {tie.file}: {tie.kind}, {tie.seen} in {tie.part}" for tie in shared[:_SHOWN]]
    return [*lines, *([f"  and {len(shared) - _SHOWN} more"] if len(shared) > _SHOWN else [])]
