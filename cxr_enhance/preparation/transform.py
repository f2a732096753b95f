"""`Transform`: the geometry of a prepared image; `map_points`: map points to it and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_SEQUENCES = (tuple, list)


class Box(NamedTuple):
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def of(self, image: Any) -> Any:
        """Return the view of `image` inside the rectangle."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]


class Pad(NamedTuple):
    """Number of rows or columns of black pixels that are added at each side."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """The geometric change of an image by `prepare`: crop, then scale, then pad.

    Parameters
    ----------
    source_size : (int, int)
        Height and width of the original image, in pixels.
    crop : (int, int, int, int)
        Top, left, height and width of the cropped part, in pixels of the original image.
    scaled_size : (int, int)
        Height and width that the cropped part was resized to, in pixels.
    pad : (int, int, int, int)
        Rows of black pixels added at the top and bottom, and columns added at the left and right.

    Raises
    ------
    TypeError
        If a value is not a tuple of ints.
    ValueError
        If a size is not positive, the crop leaves the image, or a pad is negative.

    See Also
    --------
    map_points

    Examples
    --------
    >>> from cxr_enhance import Transform
    >>> letterbox = Transform(
    ...     source_size=(100, 50), crop=(0, 0, 100, 50), scaled_size=(20, 10), pad=(0, 0, 5, 5)
    ... )
    >>> letterbox.output_size
    (20, 20)
    >>> Transform.from_dict(letterbox.to_dict()) == letterbox
    True
    """

    source_size: tuple[int, int]
    crop: Box
    scaled_size: tuple[int, int]
    pad: Pad

    def __post_init__(self) -> None:
        store = object.__setattr__
        store(self, "source_size", _ints("source_size", self.source_size, 2, 1))
        crop = Box(*_ints("crop", self.crop, 4, 0))
        store(self, "crop", crop)
        store(self, "scaled_size", _ints("scaled_size", self.scaled_size, 2, 1))
        store(self, "pad", Pad(*_ints("pad", self.pad, 4, 0)))
        height, width = self.source_size
        ends = crop.top + crop.height, crop.left + crop.width
        if min(crop.height, crop.width) < 1 or ends[0] > height or ends[1] > width:
            raise ValueError(
                "`crop` must be top, left, height and width of a part of the image of "
                f"{height} x {width} pixels; got {tuple(crop)!r}."
            )

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the result, in pixels."""
        height, width = self.scaled_size
        return (
            self.pad.top + height + self.pad.bottom,
            self.pad.left + width + self.pad.right,
        )

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the result per pixel of the original image, down and across."""
        return self.scaled_size[0] / self.crop.height, self.scaled_size[1] / self.crop.width

    @property
    def is_identity(self) -> bool:
        """Whether every pixel keeps its position."""
        return self == whole(*self.source_size)

    @property
    def is_stretch(self) -> bool:
        """Whether the result shows all of the image, without padding."""
        return self.crop == Box(0, 0, *self.source_size) and not any(self.pad)

    def to_dict(self) -> dict[str, list[int]]:
        """Return the four fields as lists, as in the manifest of an archive."""
        return {name: list(getattr(self, name)) for name in COLUMNS}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Transform:
        """Make a `Transform` from `to_dict`'s result or a manifest's row; ignore other names.

        Raises
        ------
        TypeError
            If `values` is not a mapping, or a value is not a list or tuple of ints.
        ValueError
            If a name is missing, or a value is out of range.
        """
        if not isinstance(values, Mapping):
            raise TypeError(f"`values` must be a dict; got {type(values).__name__}.")
        missing = [name for name in COLUMNS if values.get(name) is None]
        if missing:
            raise ValueError(
                f"`values` must have the names {', '.join(COLUMNS)}; {', '.join(missing)} missing."
            )
        return cls(**{name: values[name] for name in COLUMNS})


COLUMNS = ("source_size", "crop", "scaled_size", "pad")
"""The fields of a `Transform`, as the manifest of an archive names them."""


def whole(height: int, width: int) -> Transform:
    """Return the transform that changes nothing."""
    return Transform(
        source_size=(height, width),
        crop=Box(0, 0, height, width),
        scaled_size=(height, width),
        pad=Pad(0, 0, 0, 0),
    )


def map_points(points: npt.ArrayLike, transform: Transform, *, inverse: bool = False) -> Floats:
    """Map points of an image to the prepared image, or back.

    Parameters
    ----------
    points : array_like of shape (..., 2)
        Points (x, y) in pixels from the top left corner of the image. The pixel in row r and column
        c extends from (c, r) to (c + 1, r + 1); its centre is (c + 0.5, r + 0.5). Pass a box as its
        two corners.
    transform : Transform
        The transform that `prepare` returned.
    inverse : bool, default False
        True maps points of the prepared image to the original image.

    Returns
    -------
    ndarray of the shape of `points`, dtype float64
        The mapped points. Points outside the cropped part are mapped to positions outside the
        scaled part; they are not moved to its edge.

    Raises
    ------
    TypeError
        If `points` are not numbers, or `transform` is not a `Transform`.
    ValueError
        If `points` do not have shape (..., 2).

    Examples
    --------
    >>> import numpy as np, cxr_enhance as cxe
    >>> image = np.zeros((200, 100), np.uint8)
    >>> preparation = cxe.Preparation(size=(50, 50), fit="pad", params=None)
    >>> _, transform = cxe.prepare(image, preparation)
    >>> box = [(0, 0), (100, 200)]
    >>> cxe.map_points(box, transform).tolist()
    [[12.0, 0.0], [37.0, 50.0]]
    >>> cxe.map_points(cxe.map_points(box, transform), transform, inverse=True).tolist()
    [[0.0, 0.0], [100.0, 200.0]]
    """
    if not isinstance(transform, Transform):
        raise TypeError(f"`transform` must be a Transform; got {type(transform).__name__}.")
    given = np.asarray(points)
    if given.dtype.kind not in "iuf":
        raise TypeError(f"`points` must be numbers; got dtype {given.dtype}.")
    if not given.ndim or given.shape[-1] != 2:
        raise ValueError(f"`points` must have shape (..., 2), each (x, y); got {given.shape}.")
    down, across = transform.scale
    scale = np.array([across, down])
    start = np.array([transform.crop.left, transform.crop.top], np.float64)
    margin = np.array([transform.pad.left, transform.pad.top], np.float64)
    if inverse:
        return (given.astype(np.float64) - margin) / scale + start  # type: ignore[no-any-return]
    return (given.astype(np.float64) - start) * scale + margin  # type: ignore[no-any-return]


def _ints(name: str, value: object, count: int, least: int) -> tuple[int, ...]:
    rule = f"{count} ints of at least {least}"
    if not isinstance(value, _SEQUENCES) or set(map(type, value)) - {int}:
        raise TypeError(f"`{name}` must be {rule}; got {value!r}.")
    if len(value) != count or min(value) < least:
        raise ValueError(f"`{name}` must be {rule}; got {value!r}.")
    return tuple(value)
