"""The fingerprint of an image, by which copies are found: a digest and two perceptual hashes.

`index` writes it into the manifest, so that sets are compared later without decoding their images.
"""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import cxr_enhance
from cxr_enhance import usable_cpus
from cxr_models.records.duplicates import HASH_WORDS, perceptual_hash, pixel_digest

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from cxr_models.records.duplicates import Hashes, Image
    from cxr_models.records.manifest import Manifest, Record

_FORM = "d1:"  # version of the hashes; hashes of another version are computed again
_DIGITS = 2 * HASH_WORDS * 16
_TOLERANCE = 0.02  # of an image's range: what compression leaves of a border's uniformity


class Fingerprint(NamedTuple):
    """Digest and hashes of one image."""

    pixels: str  # `pixel_digest` of the image
    # whole, trimmed: (4,); `perceptual_hash` of the image, with and without uniform borders
    whole: Hashes
    trimmed: Hashes

    def columns(self) -> dict[str, Any]:  # `dataclasses.replace` takes fields of any type
        """Return the fingerprint as the columns ``pixels`` and ``hash`` of a manifest."""
        return {
            "pixels": self.pixels,
            "hash": _FORM + self.whole.tobytes().hex() + self.trimmed.tobytes().hex(),
        }


def fingerprint(image: Image) -> Fingerprint:
    """Return digest and hashes of a decoded image.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        A decoded image.
    """
    whole = perceptual_hash(image)
    inner = without_borders(image)
    trimmed = whole if inner.shape == image.shape else perceptual_hash(inner)
    return Fingerprint(pixel_digest(image), whole, trimmed)


def without_borders(image: Image) -> Image:
    """Return an image without the uniform rows and columns around it; a view.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        A decoded image.

    Returns
    -------
    ndarray
        Rows and columns at the edges go while the standard deviation of their values is at most a
        fiftieth of the image's range. An image that would vanish is returned as it is.
    """
    limit = _TOLERANCE * (float(image.max()) - float(image.min()))
    inner, height, width = image, -1, -1
    while inner.size and inner.shape[:2] != (height, width):
        height, width = inner.shape[:2]
        inner = _without_uniform_rows(inner, limit)
        if inner.size:
            inner = _without_uniform_rows(inner.swapaxes(0, 1), limit).swapaxes(0, 1)
    return inner if inner.size else image


def _without_uniform_rows(image: Image, limit: float) -> Image:
    first, last = 0, len(image)
    while first < last and image[first].std(axis=0).max() <= limit:
        first += 1
    while first < last and image[last - 1].std(axis=0).max() <= limit:
        last -= 1
    return image[first:last]


def stored_fingerprint(record: Record) -> Fingerprint | None:
    """Return the fingerprint that a record holds; None where it has none of this version."""
    return fingerprint_of_columns(record.pixels, record.hash)


def fingerprint_of_columns(pixels: str, text_of_hash: str) -> Fingerprint | None:
    """Return the fingerprint that `Fingerprint.columns` wrote; None for another version."""
    text = text_of_hash.removeprefix(_FORM)
    if not pixels or text == text_of_hash or len(text) != _DIGITS:
        return None
    try:
        words: npt.NDArray[Any] = np.frombuffer(bytes.fromhex(text), np.uint64)
    except ValueError:
        return None
    return Fingerprint(pixels, words[:HASH_WORDS], words[HASH_WORDS:])


def fingerprints_of(
    manifest: Manifest, *, progress: Callable[[int], object] | None = None
) -> list[Fingerprint | None]:
    """Return the fingerprint of each record, decoding the images of records without one.

    Parameters
    ----------
    manifest : Manifest
        Records, and where their files lie.
    progress : callable, optional
        Called once with the number of images to decode, unless that is 0.

    Returns
    -------
    list of Fingerprint or None
        In the order of the records; None for images that cannot be read.
    """
    fingerprints = [stored_fingerprint(record) for record in manifest.records]
    paths = manifest.paths()
    lacking = [index for index, fingerprint in enumerate(fingerprints) if fingerprint is None]
    if lacking and progress is not None:
        progress(len(lacking))
    with ThreadPoolExecutor(usable_cpus()) as pool:
        decoded = pool.map(_fingerprint_of_file, [paths[index] for index in lacking])
        for index, fingerprint in zip(lacking, decoded, strict=True):
            fingerprints[index] = fingerprint
    return fingerprints


def with_fingerprints(
    manifest: Manifest, *, progress: Callable[[int], object] | None = None
) -> Manifest:
    """Return a manifest whose records hold their fingerprints, but for unreadable images.

    Parameters
    ----------
    manifest : Manifest
        Records, and where their files lie.
    progress : callable, optional
        As in `fingerprints_of`.
    """
    fingerprints = fingerprints_of(manifest, progress=progress)
    records = tuple(
        record if fingerprint is None else dataclasses.replace(record, **fingerprint.columns())
        for record, fingerprint in zip(manifest.records, fingerprints, strict=True)
    )
    return dataclasses.replace(manifest, records=records)


def _fingerprint_of_file(path: str | os.PathLike[str]) -> Fingerprint | None:
    try:
        return fingerprint(cxr_enhance.read_image(path))
    except Exception:  # a file is left out, whatever error it raises
        return None


def stacked(fingerprints: Sequence[Fingerprint]) -> tuple[Hashes, Hashes]:
    """Return the hashes of whole and of trimmed images, (N, 4) each."""
    empty = np.empty((0, HASH_WORDS), np.uint64)
    return (
        np.stack([fingerprint.whole for fingerprint in fingerprints]) if fingerprints else empty,
        np.stack([fingerprint.trimmed for fingerprint in fingerprints]) if fingerprints else empty,
    )
