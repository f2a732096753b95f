"""What speaks against using an image as a frontal chest radiograph; nothing is changed.

Each rule is conservative: what it finds is worth a look, and what it does not find may still be
wrong. docs/archives.md says how often each of them errs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from cxr_enhance.io.opencv import load_cv2

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_enhance._types import Image
    from cxr_enhance.io.info import ImageInfo

Kind: TypeAlias = Literal[
    "unreadable", "blank", "saturated", "low-depth", "inverted", "lateral", "other-modality",
    "equal-pixels",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

_RADIOGRAPHY = ("CR", "DX", "RG")
_LATERAL = ("LL", "RL", "LAT", "LATERAL")
_BLANK_SHARE = 1 / 64  # of the greatest value, between the percentiles 0.5 and 99.5
_FEW_LEVELS = 64
_SATURATED_SHARE = 0.1  # of the pixels, at the greatest value
_SIDE = 64  # of the thumbnail in which polarity is looked for
_INVERTED_BELOW = -0.4  # 2,820 public images have -0.26 and more, and 97 % of their negatives less


def header_findings(info: ImageInfo) -> list[Kind]:
    """Name what the header of a DICOM file says against it."""
    kinds: list[Kind] = []
    if info.modality and info.modality not in _RADIOGRAPHY:
        kinds.append("other-modality")
    if info.view in _LATERAL:
        kinds.append("lateral")
    return kinds


def pixel_findings(gray: Image) -> list[Kind]:
    """Name what the pixels of a gray image, of shape (H, W), say against it."""
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
    if _brightness_of_the_middle(gray) < _INVERTED_BELOW:
        kinds.append("inverted")
    return kinds


def _brightness_of_the_middle(gray: Image) -> float:
    """Measure how much brighter the spine is than upper corners and lungs, -2 to 2.

    The air beside the neck and in the lungs is dark, spine and mediastinum are bright; where it is
    the other way round, black and white are.
    """
    cv2 = load_cv2()
    step = max(min(gray.shape) // (4 * _SIDE), 1)  # every pixel of a large image takes 3 ms
    some = np.ascontiguousarray(gray[::step, ::step])
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
