"""Exact and near duplicates among radiographs: digests of pixels, perceptual hashes, their pairs.

The hash of an image:

1. Gray; the mean of each cell of a 32 x 32 grid.
2. The discrete cosine transform of that, and of it the 16 x 16 lowest frequencies without the
   first, the mean.
3. One bit for each: whether it lies above the median. Brightness and contrast leave no trace.

Chests resemble each other, so 256 bits are kept where pictures in general make do with 64.
"""

from __future__ import annotations

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
from cxr_models._cpu import usable_cpus

if TYPE_CHECKING:
    import numpy.typing as npt

    Image = npt.NDArray[np.unsignedinteger[Any]]
    Hashes = npt.NDArray[np.uint64]

HASH_WORDS = 4  # uint64 words a hash
MAX_DISTANCE = 32  # bits of 256; docs/models.md tells how it was chosen
_GRID = 32
_KEPT = 16
_TILE = (128, 1024)  # hashes compared at a time: what a core's cache holds


def pixel_digest(image: Image) -> str:
    """Return the SHA-256 of an image's shape, dtype and pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        A decoded image. Three equal channels count as gray.

    Returns
    -------
    str
        64 hexadecimal digits, equal for equal pixels whatever file format held them.
    """
    if image.ndim == 3 and _is_gray(image):
        image = image[..., 0]
    digest = hashlib.sha256(f"{image.shape} {image.dtype.name}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def perceptual_hash(image: Image) -> Hashes:
    """Hash an image so that alike images have hashes that differ in few bits.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        A decoded image of any size.

    Returns
    -------
    ndarray of shape (4,), dtype uint64
        256 bits. A constant image has none set.
    """
    if image.ndim == 3:
        image = image[..., 0] if _is_gray(image) else cxr_enhance.rgb_to_gray(image)
    cells = _cell_means(image.astype(np.float32))
    basis = _cosine_basis()
    low = (basis @ cells @ basis.T).ravel()
    low[0] = 0.0
    if np.ptp(low) < 1e-3 * max(float(cells.max()), 1.0):
        return np.zeros(HASH_WORDS, np.uint64)
    bits = low > np.median(low[1:])
    return np.packbits(bits).view(np.uint64)


def near_pairs(hashes: Hashes, *, max_distance: int = MAX_DISTANCE) -> npt.NDArray[np.int64]:
    """Find all pairs of hashes that differ in few bits.

    Parameters
    ----------
    hashes : ndarray of shape (N, 4), dtype uint64
        One hash a row.
    max_distance : int, default 32
        Most bits, of 256, that two hashes of a pair may differ in.

    Returns
    -------
    ndarray of shape (P, 2), dtype int64
        The pairs, ``first < second``, sorted.

    Raises
    ------
    TypeError
        If `hashes` has another dtype.
    ValueError
        If `hashes` has another shape or `max_distance` is negative.

    Notes
    -----
    Every pair is compared, by half of its bits in most cases. All usable CPUs take part. Memory: a
    few MiB a thread, and the pairs.
    """
    if hashes.dtype != np.uint64:
        raise TypeError(f"`hashes` must have dtype uint64; got {hashes.dtype}.")
    if hashes.ndim != 2 or hashes.shape[1] != HASH_WORDS:
        raise ValueError(f"`hashes` must have shape (N, {HASH_WORDS}); got {hashes.shape}.")
    if max_distance < 0:
        raise ValueError(f"`max_distance` must be at least 0; got {max_distance!r}.")
    words = [np.ascontiguousarray(word) for word in hashes.T]
    rows = range(0, len(hashes), _TILE[0])
    with ThreadPoolExecutor(min(usable_cpus(), max(len(rows), 1))) as pool:
        found = list(pool.map(lambda row: _near_pairs_of(words, row, max_distance), rows))
    pairs = np.concatenate([np.empty((0, 2), np.int64), *found])
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _near_pairs_of(words: list[Hashes], row: int, max_distance: int) -> npt.NDArray[np.int64]:
    """Compare one tile's rows of hashes with all later ones, a tile at a time."""
    found = []
    rows = slice(row, row + _TILE[0])
    for column in range(row, len(words[0]), _TILE[1]):
        columns = slice(column, column + _TILE[1])
        # Half of the words first: what differs in more bits there does so altogether.
        distance = np.bitwise_count(words[2][rows, None] ^ words[2][None, columns])
        distance += np.bitwise_count(words[3][rows, None] ^ words[3][None, columns])
        first, second = np.nonzero(distance <= max_distance)
        first, second = first + row, second + column
        later = first < second
        first, second = first[later], second[later]
        total = np.zeros(len(first), np.int64)
        for word in words:
            total += np.bitwise_count(word[first] ^ word[second])
        near = total <= max_distance
        found.append(np.stack((first[near], second[near]), axis=1))
    return np.concatenate(found)


def duplicate_ties(
    digests: list[str], hashes: Hashes, *, max_distance: int = MAX_DISTANCE
) -> list[tuple[int, int]]:
    """Pair up images whose pixels are equal or whose hashes are near.

    Parameters
    ----------
    digests : list of str
        `pixel_digest` of each image.
    hashes : ndarray of shape (N, 4), dtype uint64
        `perceptual_hash` of each image. Hashes without a bit set, those of constant images, are
        near to nothing.
    max_distance : int, default 32
        As in `near_pairs`.

    Returns
    -------
    list of (int, int)
        Ties for `cxr_models.records.ties.connect`.
    """
    first: dict[str, int] = {}
    ties = [(first.setdefault(digest, index), index) for index, digest in enumerate(digests)]
    ties = [(one, other) for one, other in ties if one != other]
    telling = np.flatnonzero(hashes.any(axis=1))
    pairs = telling[near_pairs(hashes[telling], max_distance=max_distance)]
    return ties + [(int(one), int(other)) for one, other in pairs]


def _is_gray(image: Image) -> bool:
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all())


def _cell_means(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Mean of each cell of the grid; sides shorter than the grid are repeated first."""
    for axis in (0, 1):
        size = image.shape[axis]
        if size < _GRID:
            image = np.repeat(image, -(-_GRID // size), axis=axis)
            size = image.shape[axis]
        edges = np.arange(_GRID) * size // _GRID
        counts = np.diff(edges, append=size)
        sums = np.add.reduceat(image, edges, axis=axis)
        image = sums / counts.reshape((-1, 1) if axis == 0 else (1, -1)).astype(np.float32)
    return image.astype(np.float64)


@functools.cache
def _cosine_basis() -> npt.NDArray[np.float64]:
    place = (np.arange(_GRID) + 0.5) / _GRID
    return np.cos(np.pi * np.arange(_KEPT)[:, None] * place[None, :])
