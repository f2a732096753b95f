"""Fingerprints of images, by which copies are found: a digest and two perceptual hashes.

`index` writes fingerprints into the manifest. Sets can then be compared without decoding their
images again.
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
_TOLERANCE = 0.02  # share of an image's range; compression makes uniform borders vary a little


class Fingerprint(NamedTuple):
    """Digest and perceptual hashes of one image."""

    pixels: str  # `pixel_digest` of the image
    whole: Hashes  # (4,); `perceptual_hash` of the image
    trimmed: Hashes  # (4,); `perceptual_hash` of the image without its uniform borders

    def columns(self) -> dict[str, Any]:  # `dataclasses.replace` takes fields of any type
        """Return the fingerprint as the columns ``pixels`` and ``hash`` of a manifest."""
        return {
            "pixels": self.pixels,
            "hash": _FORM + self.whole.tobytes().hex() + self.trimmed.tobytes().hex(),
        }


def fingerprint(image: Image) -> Fingerprint:
    """Return the digest and the perceptual hashes of a decoded image.

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
    """Return a view of an image without the uniform rows and columns at its edges.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        A decoded image.

    Returns
    -------
    ndarray
        View of the image. A row or column at an edge is removed if the standard deviation of its
        values is at most 2 percent of the range of the image (maximum minus minimum). This is
        repeated until nothing more is removed. If nothing of the image would be left, the image
        is returned unchanged.
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
    """Return the fingerprint in a record; None if it has no fingerprint of this version."""
    return fingerprint_of_columns(record.pixels, record.hash)


def fingerprint_of_columns(pixels: str, text_of_hash: str) -> Fingerprint | None:
    """Return the fingerprint from cells that `Fingerprint.columns` made.

    The result is None if the cells are empty, damaged or of another version.
    """
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
    """Return the fingerprint of each record; images of records without fingerprint are decoded.

    Parameters
    ----------
    manifest : Manifest
        Records, and the folder of their files.
    progress : callable, optional
        Function that is called once, with the number of images to decode, before decoding. It is
        not called if that number is 0.

    Returns
    -------
    list of Fingerprint or None
        Fingerprints in the order of the records. None stands for an image that cannot be read.

    Notes
    -----
    Images are decoded in threads on all usable CPUs.
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
    """Return the manifest with a fingerprint in each record; see `fingerprints_of`.

    Records of images that cannot be read stay unchanged.

    Parameters
    ----------
    manifest : Manifest
        Records, and the folder of their files.
    progress : callable, optional
        Function that is called once, with the number of images to decode, if that is not 0.
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
    except Exception:  # any error means that the file is left out
        return None


def stacked(fingerprints: Sequence[Fingerprint]) -> tuple[Hashes, Hashes]:
    """Return the hashes of whole images and of trimmed images, as arrays of shape (N, 4)."""
    empty = np.empty((0, HASH_WORDS), np.uint64)
    return (
        np.stack([fingerprint.whole for fingerprint in fingerprints]) if fingerprints else empty,
        np.stack([fingerprint.trimmed for fingerprint in fingerprints]) if fingerprints else empty,
    )
