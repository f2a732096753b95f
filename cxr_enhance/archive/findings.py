"""Reasons against using an image as a frontal chest radiograph.

Each rule is conservative. Somebody should look at an image with a finding; an image without
findings may still be unsuitable. docs/archives.md gives the error rate of each rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from cxr_enhance.archive.writing import holds_writing
from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image
    from cxr_enhance.io.info import ImageInfo

Kind: TypeAlias = Literal[
    "unreadable", "blank", "saturated", "low-depth", "inverted", "burned-in-text", "lateral",
    "other-modality", "equal-pixels",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

_BURNED_IN_ANNOTATION = 0x00280301
HEADER_TAGS = (_BURNED_IN_ANNOTATION,)
"""Elements that `header_findings` reads beside the fields of `ImageInfo`."""

_RADIOGRAPHY = ("CR", "DX", "RG")
_LATERAL = ("LL", "RL", "LAT", "LATERAL")
# An image is blank if percentiles 0.5 and 99.5 differ by at most this fraction of its greatest
# value.
_BLANK_SHARE = 1 / 64
_FEW_LEVELS = 64
_SATURATED_SHARE = 0.1  # share of the pixels that have the greatest value
_SIDE = 64  # side of the thumbnail from which polarity is computed, in pixels
# Images with a lower value look inverted. All of 2,820 public images give at least -0.26; 97 % of
# their negatives give less than -0.4.
_INVERTED_BELOW = -0.4


def header_findings(info: ImageInfo, texts: dict[int, tuple[str, ...]] | None = None) -> list[Kind]:
    """List the findings of a DICOM header; `texts` holds the elements of `HEADER_TAGS`."""
    kinds: list[Kind] = []
    if info.modality and info.modality not in _RADIOGRAPHY:
        kinds.append("other-modality")
    if info.view in _LATERAL:
        kinds.append("lateral")
    if texts is not None and "YES" in texts.get(_BURNED_IN_ANNOTATION, ()):
        kinds.append("burned-in-text")
    return kinds


def pixel_findings(gray: Image) -> list[Kind]:
    """List the findings of the pixels of a gray image of shape (H, W)."""
    cv2 = load_cv2()
    levels = int(np.iinfo(gray.dtype).max) + 1
    counts = cv2.calcHist([gray], [0], None, [levels], [0, levels]).ravel()
    used = np.flatnonzero(counts)
    cumulated = np.cumsum(counts, dtype=np.float64)
    low, high = np.searchsorted(cumulated, np.array((0.005, 0.995)) * gray.size)
    if high - low <= _BLANK_SHARE * used[-1]:
        return ["blank"]
    kinds: list[Kind] = []
    if counts[used[-1]] > _SATURATED_SHARE * gray.size:
        kinds.append("saturated")
    if used.size < _FEW_LEVELS <= np.sqrt(gray.size):
        kinds.append("low-depth")
    if looks_inverted(gray):
        kinds.append("inverted")
    if holds_writing(gray):
        kinds.append("burned-in-text")
    return kinds


def looks_inverted(image: Image) -> bool:
    """Return whether black and white of a frontal radiograph look exchanged.

    In a radiograph, the air next to the neck and in the lungs is dark; spine and mediastinum are
    bright. An image looks inverted if air is clearly brighter than spine and mediastinum.

    Parameters
    ----------
    image : ndarray of shape (H, W), (H, W, 1) or (H, W, 3), dtype uint8 or uint16
        Gray or RGB; large images are sampled.
    """
    return _brightness_of_the_middle(image) < _INVERTED_BELOW


def _brightness_of_the_middle(image: Image) -> float:
    """Measure how much brighter the spine is than upper corners and lungs, from -2 to 2."""
    cv2 = load_cv2()
    step = max(min(image.shape[:2]) // (4 * _SIDE), 1)  # all pixels of a large image take 3 ms
    some = np.ascontiguousarray(image[::step, ::step])
    if some.ndim == 3:
        some = some[..., 0] if some.shape[2] == 1 else cv2.cvtColor(some, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(some, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    low, high = np.percentile(small, (1, 99))
    if high <= low:
        return 0.0
    small = np.clip((small - low) / (high - low), 0, 1)
    spine = _mean(small[8:56, 28:36])
    corners = _mean(small[:6, :6], small[:6, -6:])
    lungs = _mean(small[18:36, 12:24], small[18:36, 40:52])
    return (spine - corners) + (spine - lungs)


def _mean(*parts: npt.NDArray[np.float64]) -> float:
    return float(np.mean([part.mean() for part in parts]))
