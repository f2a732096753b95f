"""Changes to decoded images, as scanners, archives and people make them.

Each change is one function. Its image has shape (H, W) or (H, W, 3) and dtype uint8 or uint16; 0 is
black. The function does not modify the image, and returns an image of the same dtype. The parameter
`white` is the value of white, so that the bit depth is kept. This module does not use models.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Image = npt.NDArray[Any]
    Random = np.random.Generator

Kind = Literal["jpeg", "gamma", "noise", "rotation", "crop", "inverted", "corners"]
CORNER = 0.15  # share of the height and of the width that `without_corners` paints
_AMOUNTS: dict[Kind, tuple[float | None, ...]] = {
    "jpeg": (90, 50, 20),
    "gamma": (0.7, 1.4),
    "noise": (5, 15),
    "rotation": (2, 5),
    "crop": (2, 5, 10),
    "inverted": (None,),
    "corners": (None,),
}
_TITLES: dict[Kind, str] = {
    "jpeg": "JPEG, quality {:g}",
    "gamma": "gamma {:g}",
    "noise": "noise, sigma {:g} of 255",
    "rotation": "turned by {:g} degrees",
    "crop": "{:g} % cut off each side",
    "inverted": "inverted",
    "corners": "corners painted black",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbation:
    """A kind of change and its amount."""

    kind: Kind
    # JPEG quality, gamma, sigma of noise, degrees of rotation or percent of crop; None for kinds
    # without an amount
    amount: float | None = None

    @property
    def name(self) -> str:
        """The name in files, such as ``jpeg-50``."""
        return self.kind if self.amount is None else f"{self.kind}-{self.amount:g}"

    @property
    def title(self) -> str:
        """The name in tables, such as ``JPEG, quality 50``."""
        return _TITLES[self.kind].format(self.amount)

    def change(self, image: Image, *, white: int, random: Random) -> Image:
        """Return the changed image.

        Parameters
        ----------
        image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
            The image; not modified.
        white : int
            The value of white.
        random : numpy.random.Generator
            Source of noise and of the direction of rotation.
        """
        amount = self.amount or 0.0
        match self.kind:
            case "jpeg":
                return recompressed(image, int(amount), white=white)
            case "gamma":
                return with_gamma(image, amount, white=white)
            case "noise":
                return noisy(image, amount, random, white=white)
            case "rotation":
                return rotated(image, amount if random.random() < 0.5 else -amount)
            case "crop":
                return cropped(image, amount / 100)
            case "inverted":
                return inverted(image, white=white)
            case "corners":
                return without_corners(image)


PERTURBATIONS = tuple(
    Perturbation(kind=kind, amount=amount)
    for kind, amounts in _AMOUNTS.items()
    for amount in amounts
)
"""The changes that `cxr-models audit --perturb` makes, in the order of its table."""


def white_of(image: Image, bits: int | None = None) -> int:
    """Return the value of white: ``2**bits - 1``, or the largest value of the image's dtype."""
    return (1 << (bits or 8 * image.itemsize)) - 1


def random_of(seed: int, file: str, name: str) -> Random:
    """Return a random generator that depends only on seed, file name and perturbation name."""
    digest = hashlib.sha256(f"{seed}\0{file}\0{name}".encode(errors="surrogateescape")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16]))


def recompressed(image: Image, quality: int, *, white: int) -> Image:
    """Return `image` after compression as JPEG with a quality of 1..100, and decompression.

    JPEG has 8 bits. Images of other depths are rounded to 8 bits before and scaled back after.
    """
    is_eight = image.dtype == np.uint8 and white == 255
    levels = image if is_eight else _scaled(image, white, 255).astype(np.uint8)
    in_order = levels if levels.ndim == 2 else cv2.cvtColor(levels, cv2.COLOR_RGB2BGR)
    _, code = cv2.imencode(".jpg", in_order, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Any = cv2.imdecode(code, cv2.IMREAD_UNCHANGED)
    if levels.ndim == 3:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    result: Image = decoded if is_eight else _scaled(decoded, 255, white).astype(image.dtype)
    return result


def with_gamma(image: Image, gamma: float, *, white: int) -> Image:
    """Return `image` with each value, as a share of white, raised to the power `gamma`.

    A gamma above 1 makes the image darker.
    """
    shares = np.arange(white + 1) / white
    table = np.rint(white * shares**gamma).astype(image.dtype)
    result: Image = table[image]
    return result


def noisy(image: Image, sigma: float, random: Random, *, white: int) -> Image:
    """Return `image` with Gaussian noise, rounded and clipped; all channels have equal noise.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3)
        The image; not modified.
    sigma : float
        Standard deviation of the noise, in units of 1/255 of white.
    random : numpy.random.Generator
        Source of the noise.
    white : int
        The value of white.
    """
    shape = (*image.shape[:2], *(1,) * (image.ndim - 2))
    noise = random.standard_normal(shape, dtype=np.float32) * np.float32(sigma * white / 255)
    result: Image = np.clip(np.rint(image + noise), 0, white).astype(image.dtype)
    return result


def rotated(image: Image, degrees: float) -> Image:
    """Return `image` rotated counter-clockwise about its centre, with the same size.

    Pixels are interpolated linearly. New areas at the corners repeat the edge pixels.
    """
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    result: Image = cv2.warpAffine(
        np.ascontiguousarray(image),
        turn,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return result


def cropped(image: Image, share: float) -> Image:
    """Return `image` without its margins, each the share `share` of the height or of the width."""
    rows, columns = (round(share * side) for side in image.shape[:2])
    return image[rows : image.shape[0] - rows, columns : image.shape[1] - columns].copy()


def inverted(image: Image, *, white: int) -> Image:
    """Return the negative of `image`."""
    result: Image = np.subtract(white, image, dtype=image.dtype)
    return result


def without_corners(image: Image, share: float = CORNER) -> Image:
    """Return `image` with four black corners; each has `share` of the height and of the width."""
    result = image.copy()
    rows, columns = (round(share * side) for side in image.shape[:2])
    for vertical in (slice(0, rows), slice(image.shape[0] - rows, None)):
        result[vertical, :columns] = 0
        result[vertical, image.shape[1] - columns :] = 0
    return result


def _scaled(image: Image, white: int, new_white: int) -> Image:
    """Return an image as uint32, scaled so that `white` becomes `new_white`; halves round up."""
    return (image.astype(np.uint32) * new_white + white // 2) // white
