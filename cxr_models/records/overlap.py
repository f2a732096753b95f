"""Overlap of two sets of radiographs: equal pixels, near copies and shared patients.

Images are compared by content and not by path. A copied file has another path, and many archives
contain the same public set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cxr_models._counts import counted
from cxr_models.records.copies import EQUAL, find_copies
from cxr_models.records.fingerprints import fingerprints_of, with_fingerprints
from cxr_models.records.patients import patient_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.records.manifest import Manifest, Record

_SHOWN = 10


class Part(NamedTuple):
    """A named set of radiographs that a model has seen."""

    name: str  # name of the set in messages, such as "train"
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Shared:
    """A radiograph of a tested set, and a related radiograph that the model has seen."""

    file: str  # file of the tested set
    seen: str  # file that the model has seen
    part: str  # name of the `Part` that contains `seen`
    kind: str  # relation of the files: one of `cxr_models.records.copies.KINDS`, or "patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Overlap of a tested set with the radiographs that a model has seen.

    Each file of the tested set occurs at most once in each field.
    """

    near: tuple[Shared, ...]  # near copies
    patients: tuple[Shared, ...]  # images of a patient whom the model has seen, by source and id
    unread: int  # number of images of both sets that cannot be read and were not compared
    equal: tuple[Shared, ...] = ()  # equal pixels; `SeenImages.check` refuses a set with these


class SeenImages:
    """Radiographs that a model has seen, for comparison with tested sets.

    Parameters
    ----------
    parts : sequence of Part
        The radiographs. Images of records without fingerprints are decoded; see `decoded_once`.
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
            The tested set. Fingerprints in its records are used without checking. Images without
            fingerprint are decoded.
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
        """Raise if a set has images of equal pixels, and report the other overlap.

        Parameters
        ----------
        name : str
            Name of the set in messages.
        tested : Manifest
            The tested set.
        refusal : callable
            Function from the number of images of equal pixels to the first sentence of the error
            message.
        cure : str
            Last sentence of the error message: what the user can do.
        say : callable, optional
            Function that is called with each line about decoding, near copies, shared patients
            and unread images. None reports nothing.

        Raises
        ------
        ValueError
            If an image has the same pixels as an image that the model has seen.
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
    """Return the manifest with a fingerprint in each record, so that images are decoded only once.

    Parameters
    ----------
    manifest : Manifest
        Records to complete. Images of records without fingerprint are decoded, which is slow.
    say : callable, optional
        Function that is called with one line about the number of images to decode, if there are
        any. None reports nothing.
    """

    def decoding(count: int) -> None:
        if say is not None:
            say(
                f"decoding {counted(count, 'image')} to compare them by content; manifests that "
                "cxr-models index writes anew save that"
            )

    return with_fingerprints(manifest, progress=decoding)


def overlap_lines(name: str, overlap: Overlap) -> list[str]:
    """Describe near copies, shared patients and unread images, in lines of text.

    Parameters
    ----------
    name : str
        Name of the tested set.
    overlap : Overlap
        Overlap of the tested set with the images that the model has seen.
    """
    lines, one, several = [], f"image of {name} is", f"images of {name} are"
    if overlap.near:
        near = counted(len(overlap.near), f"{one} a near copy", f"{several} near copies")
        lines += [f"WARNING: {near} of images that the model has seen:"]
        lines += shared_lines(overlap.near)
    if overlap.patients:
        of_patients = counted(
            len(overlap.patients), f"{one} of a patient", f"{several} of patients"
        )
        lines += [
            f"WARNING: {of_patients}, by source and id, whom the model has seen:",
            *shared_lines(overlap.patients),
        ]
    if overlap.unread:
        lines += [f"{name}: {counted(overlap.unread, 'image')} cannot be read or compared"]
    return lines


def shared_lines(shared: Sequence[Shared]) -> list[str]:
    """Return one line for each of the first ten files, and one line with the number of others."""
    lines = [f"  {tie.file}: {tie.kind}, {tie.seen} in {tie.part}" for tie in shared[:_SHOWN]]
    return [*lines, *([f"  and {len(shared) - _SHOWN} more"] if len(shared) > _SHOWN else [])]
