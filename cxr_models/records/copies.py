"""Pairs of images that are copies of each other: equal, near, mirrored, inverted or padded.

Mirroring an image changes the sign of its cosines of odd frequency. The hash of a mirrored image is
therefore the hash of the image with the bits of the odd columns flipped. The hash of an inverted
image is the complement of the hash of the image. Both kinds of copies are found by comparing stored
hashes; no further hash is computed. Padded copies are found by comparing the hashes of images whose
uniform borders were removed.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models.records.duplicates import MAX_DISTANCE, near_pairs
from cxr_models.records.fingerprints import stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.records.duplicates import Hashes
    from cxr_models.records.fingerprints import Fingerprint

EQUAL = "equal"
_VARIANTS = {
    "near": 0,
    "mirrored": 0x5555555555555555,  # bits of the odd columns: every second bit
    "inverted": 0xFFFFFFFFFFFFFFFF,
    "mirrored and inverted": 0xAAAAAAAAAAAAAAAA,
}
_FORMS = ("", "padded")  # names for hashes of whole images, and of images without borders


def _kind(form: str, variant: str) -> str:
    return ", ".join(name for name in (form, variant) if name and not (form and name == "near"))


KINDS = (EQUAL, *(_kind(form, variant) for form in _FORMS for variant in _VARIANTS))


class Copy(NamedTuple):
    """A pair of images, one of which is a copy of the other."""

    first: int  # first and second: indices of the images
    second: int
    kind: str  # one of `KINDS`
    bits: int  # number of bits, of 256, in which the hashes differ; 0 for equal images


def find_copies(
    images: Sequence[Fingerprint],
    references: Sequence[Fingerprint] | None = None,
    *,
    max_distance: int = MAX_DISTANCE,
) -> list[Copy]:
    """Find all pairs of images in which one image is a copy of the other.

    Parameters
    ----------
    images : sequence of Fingerprint
        Fingerprints of the images. A constant image has a hash without a set bit; such a hash is
        not near to any other hash.
    references : sequence of Fingerprint, optional
        Fingerprints to compare `images` with. None compares `images` with each other.
    max_distance : int, default 32
        Largest number of bits, of 256, in which the hashes of near copies may differ.

    Returns
    -------
    list of Copy
        The pairs, sorted by ``first`` and ``second``, each pair once. A pair of several kinds has
        the kind "equal" if that applies. Otherwise it has the kind with the fewest different bits
        between whole images, and a padded kind only if no other kind applies. ``second`` is an
        index of `references` if that is given. Otherwise it is an index of `images` greater than
        ``first``.
    """
    copies = {pair: Copy(*pair, EQUAL, 0) for pair in _equal_pairs(images, references)}
    hashes = stacked(images)
    reference_hashes = None if references is None else stacked(references)
    for number, form in enumerate(_FORMS):
        alike: dict[tuple[int, int], Copy] = {}
        for variant, mask in _VARIANTS.items():
            for copy in _near_copies(
                hashes[number],
                None if reference_hashes is None else reference_hashes[number],
                _kind(form, variant),
                np.uint64(mask),
                max_distance,
            ):
                former = alike.setdefault((copy.first, copy.second), copy)
                if copy.bits < former.bits:
                    alike[copy.first, copy.second] = copy
        copies = {**alike, **copies}  # equal has priority over near, and near over padded
    return [copies[pair] for pair in sorted(copies)]


def _equal_pairs(
    images: Sequence[Fingerprint], references: Sequence[Fingerprint] | None
) -> list[tuple[int, int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        places[image.pixels].append(index)
    if references is None:
        return [
            (first, second)
            for equal in places.values()
            for number, first in enumerate(equal)
            for second in equal[number + 1 :]
        ]
    return [
        (first, second)
        for second, reference in enumerate(references)
        for first in places.get(reference.pixels, ())
    ]


def _near_copies(
    hashes: Hashes, references: Hashes | None, kind: str, mask: np.uint64, max_distance: int
) -> list[Copy]:
    rows = np.flatnonzero(hashes.any(axis=1))
    reference_rows = rows if references is None else np.flatnonzero(references.any(axis=1))
    targets = (hashes if references is None else references)[reference_rows] ^ mask
    pairs = near_pairs(
        hashes[rows],
        targets,
        later=references is None,
        max_distance=max_distance,
    )
    bits = np.bitwise_count(hashes[rows][pairs[:, 0]] ^ targets[pairs[:, 1]]).sum(axis=1)
    return [
        Copy(int(rows[first]), int(reference_rows[second]), kind, int(count))
        for (first, second), count in zip(pairs, bits, strict=True)
    ]
