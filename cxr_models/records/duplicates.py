"""Digests and perceptual hashes of radiographs, and the pairs of near hashes.

The perceptual hash of an image is computed in three steps:

1. Convert the image to gray, and compute the mean of each cell of a 32 x 32 grid.
2. Compute the discrete cosine transform of these means. Keep the 16 x 16 lowest frequencies, and
   set the first one, which is the mean, to 0.
3. Set one bit for each frequency whose value is above the median of all but the first one.
   The bits do not depend on brightness and contrast.

Chest radiographs look alike, so the hash has 256 bits. Hashes for general photographs usually have
64 bits.
"""

from __future__ import annotations

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

import cxr_enhance
from cxr_enhance import usable_cpus

if TYPE_CHECKING:
    import numpy.typing as npt

    Image = npt.NDArray[np.unsignedinteger[Any]]
    Hashes = npt.NDArray[np.uint64]

HASH_WORDS = 4  # number of uint64 words per hash
MAX_DISTANCE = 32  # bits of 256; docs/models.md says how it was chosen
_GRID = 32
_FREQUENCIES = 16  # frequencies of the cosine transform that are kept, per axis
_TILE = (128, 1024)  # numbers of hashes compared at a time, so that a tile fits a core's cache


def pixel_digest(image: Image) -> str:
    """Return the SHA-256 of an image's shape, dtype and pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        A decoded image. Three equal channels count as gray.

    Returns
    -------
    str
        64 hexadecimal digits. Equal pixels give equal digests, independent of the file format.
    """
    if image.ndim == 3 and _is_gray(image):
        image = image[..., 0]
    digest = hashlib.sha256(f"{image.shape} {image.dtype.name}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def perceptual_hash(image: Image) -> Hashes:
    """Hash an image so that hashes of similar images differ in few bits.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        A decoded image of any size.

    Returns
    -------
    ndarray of shape (4,), dtype uint64
        256 bits. No bit is set for a constant image.
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


def near_pairs(
    hashes: Hashes,
    references: Hashes | None = None,
    *,
    later: bool | None = None,
    max_distance: int = MAX_DISTANCE,
) -> npt.NDArray[np.int64]:
    """Find all pairs of hashes that differ in few bits.

    Parameters
    ----------
    hashes : ndarray of shape (N, 4), dtype uint64
        One hash per row.
    references : ndarray of shape (M, 4), dtype uint64, optional
        Hashes to compare `hashes` with. None compares `hashes` with each other.
    later : bool, optional
        Whether only pairs with ``first < second`` are returned. None means True if `references` is
        None, and False otherwise.
    max_distance : int, default 32
        Largest number of bits, of 256, in which the two hashes of a pair may differ.

    Returns
    -------
    ndarray of shape (P, 2), dtype int64
        The sorted pairs ``(first, second)``: a row number of `hashes` and a row number of
        `references`.

    Raises
    ------
    TypeError
        If hashes have another dtype.
    ValueError
        If hashes have another shape or `max_distance` is negative.

    Notes
    -----
    All pairs are compared. For most pairs, half of the bits are enough to exclude them. The work
    runs in threads on all usable CPUs. Memory: a few MiB per thread, and the pairs.
    """
    if later is None:
        later = references is None
    compared = hashes if references is None else references
    for name, array in (("hashes", hashes), ("references", compared)):
        if array.dtype != np.uint64:
            raise TypeError(f"`{name}` must have dtype uint64; got {array.dtype}.")
        if array.ndim != 2 or array.shape[1] != HASH_WORDS:
            raise ValueError(f"`{name}` must have shape (N, {HASH_WORDS}); got {array.shape}.")
    if max_distance < 0:
        raise ValueError(f"`max_distance` must be at least 0; got {max_distance!r}.")
    words = [np.ascontiguousarray(word) for word in hashes.T]
    reference_words = [np.ascontiguousarray(word) for word in compared.T]
    rows = range(0, len(hashes), _TILE[0])

    def pairs_of(row: int) -> npt.NDArray[np.int64]:
        return _near_pairs_of(words, reference_words, row, later, max_distance)

    with ThreadPoolExecutor(min(usable_cpus(), max(len(rows), 1))) as pool:
        tiles = list(pool.map(pairs_of, rows))
    pairs = np.concatenate([np.empty((0, 2), np.int64), *tiles])
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _near_pairs_of(
    words: list[Hashes], references: list[Hashes], row: int, later: bool, max_distance: int
) -> npt.NDArray[np.int64]:
    """Return the near pairs of one tile of `words`, whose first row is `row`.

    The rows of the tile are compared with `references`, or only with later rows, tile by tile.
    """
    tile_pairs = [np.empty((0, 2), np.int64)]
    rows = slice(row, row + _TILE[0])
    for column in range(row if later else 0, len(references[0]), _TILE[1]):
        columns = slice(column, column + _TILE[1])
        # Half of the words first: pairs that differ in more bits there differ in more bits overall.
        distance = np.bitwise_count(words[2][rows, None] ^ references[2][None, columns])
        distance += np.bitwise_count(words[3][rows, None] ^ references[3][None, columns])
        first, second = np.nonzero(distance <= max_distance)
        first, second = first + row, second + column
        if later:
            in_order = first < second
            first, second = first[in_order], second[in_order]
        total = np.zeros(len(first), np.int64)
        for word, reference in zip(words, references, strict=True):
            total += np.bitwise_count(word[first] ^ reference[second])
        near = total <= max_distance
        tile_pairs.append(np.stack((first[near], second[near]), axis=1))
    return np.concatenate(tile_pairs)


def _is_gray(image: Image) -> bool:
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all())


def _cell_means(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the mean of each cell of the grid.

    Pixels of an axis that is shorter than the grid are repeated first.
    """
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
    return np.cos(np.pi * np.arange(_FREQUENCIES)[:, None] * place[None, :])
