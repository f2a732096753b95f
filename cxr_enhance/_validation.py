"""Checks of arrays and options, with their error messages.

The module imports neither kernels nor operations. A check returns the value in the form that the
operations need: a plain Python number, or a C-contiguous array in native byte order.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from cxr_enhance._types import Image, Percentiles, TileGridSize

MAX_TILES = 65_536
MAX_COLUMNS_U16 = 1024  # the tables of one column (65,536 levels) take about half a megabyte
MAX_BITS = 16
MAX_BINS = 2**MAX_BITS

_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16))

_SHAPES = {
    "gray": "(H, W) or (H, W, 1)",
    "colour": "(H, W, 3)",
    "any": "(H, W), (H, W, 1) or (H, W, 3)",
}
_CHANNELS: dict[str, tuple[int, ...]] = {"gray": (1,), "colour": (3,), "any": (1, 3)}
_STACK_CURES = {2: " For one image, use cxr_enhance.enhance, or `images[None]`."}

# Types that Python converts to int or float, but that are not accepted as numbers.
_NO_NUMBERS = (
    bool,
    np.bool_,
    np.ndarray,
    np.complexfloating,
    str,
    bytes,
    np.datetime64,
    np.timedelta64,
)

# Modes of PIL images whose channels are not just gray, or red, green and blue.
_PIL_MODES_TO_CONVERT = {
    **dict.fromkeys(("LA", "1"), "L"),
    **dict.fromkeys(("RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV"), "RGB"),
}

T = TypeVar("T")


def check_image(image: object, kind: str = "any", name: str = "image") -> Image:
    """Return `image` if operations on images of `kind` accept it, else raise.

    `kind` is "gray", "colour" or "any". `name` is the argument's name in error messages.
    """
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"`{name}` must be a NumPy array; got {type(image).__name__}.{_array_cure(image)}"
        )
    _check_dtype(image, name)
    allowed = _CHANNELS[kind]
    if not (
        (image.ndim == 2 and kind != "colour") or (image.ndim == 3 and image.shape[2] in allowed)
    ):
        cure = _shape_cure(image, kind)
        raise ValueError(f"`{name}` must have shape {_SHAPES[kind]}; got {image.shape}.{cure}")
    if image.size == 0:
        raise ValueError(f"`{name}` must have at least one pixel; got shape {image.shape}.")
    return image


def as_kernel_input(image: Image) -> Image:
    """Return `image` in the form that kernels need; copy it only if its layout is different.

    Kernels are compiled for one kind of array: C-contiguous, aligned, native byte order, writeable.
    They never write to inputs. A read-only array is therefore passed as a writeable view, which
    avoids a second compilation.
    """
    flags = image.flags
    if flags.carray and image.dtype.isnative:  # C-contiguous, aligned, writeable: nearly always
        return image
    if flags.c_contiguous and flags.aligned and image.dtype.isnative:
        return np.asarray(_Writeable(image))
    return np.array(image, dtype=image.dtype.newbyteorder("="), order="C", subok=False)


class _Writeable:
    """Array interface that marks a read-only array as writeable and keeps the array alive."""

    def __init__(self, image: Image) -> None:
        interface = dict(image.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
        self._image = image


def check_stack(images: np.ndarray) -> None:
    """Raise unless `images` is a stack (N, H, W[, C]) of images that `check_image` accepts."""
    if images.ndim not in (3, 4):
        raise ValueError(
            "`images` must have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3); got "
            f"{images.shape}.{_STACK_CURES.get(images.ndim, '')}{_object_cure(images)}"
        )
    _check_dtype(images, "images")
    if images.ndim == 4 and images.shape[3] not in _CHANNELS["any"]:
        raise ValueError(
            "`images` must have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3); got "
            f"{images.shape}.{_stack_cure(images.shape)}"
        )
    if images.ndim == 3 and images.shape[2] in (1, 3, 4):
        raise ValueError(
            "`images` must have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3); got "
            f"{images.shape}, which reads as one image with channels. Pass `images[None]`, or "
            "a list if these are very narrow gray images."
        )
    if images.shape[1] == 0 or images.shape[2] == 0:
        raise ValueError(f"`images` must have at least one pixel each; got shape {images.shape}.")


def check_sequence(images: object) -> Sequence[Image]:
    """Return `images` if it is a list or tuple, else raise; its items are not checked."""
    if isinstance(images, list | tuple):
        return images
    cure = " Make a list of it." if isinstance(images, Iterable) else ""
    raise TypeError(
        "`images` must be a NumPy array (N, H, W[, C]) or a list or tuple of images; got "
        f"{type(images).__name__}.{cure}"
    )


def check_out(
    out: object,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    image: Image | None,
    name: str = "out",
) -> Image:
    """Return `out` if a result of `shape` and `dtype` can be written to it, else raise.

    `image` is the input that `out` must not overlap. None skips this check, which
    `check_no_overlap` does for sequences.
    """
    if not isinstance(out, np.ndarray):
        raise TypeError(f"`{name}` must be a NumPy array; got {type(out).__name__}.")
    if out.dtype != dtype:
        raise TypeError(f"`{name}` must have the image's dtype {dtype}; got {out.dtype}.")
    if out.shape != shape:
        raise ValueError(f"`{name}` must have shape {shape}; got {out.shape}.")
    if not out.flags.c_contiguous:
        raise ValueError(
            f"`{name}` must be C-contiguous; got strides {out.strides}. Make it with np.empty."
        )
    if not out.flags.writeable:
        raise ValueError(f"`{name}` must be writeable; got a read-only array.")
    if not out.flags.aligned:
        raise ValueError(f"`{name}` must be aligned; got an array at an odd address.")
    if image is not None and np.may_share_memory(out, image):
        raise ValueError(
            f"`{name}` must not overlap the input; got arrays that share memory. Pass a new array."
        )
    return out


def check_out_list(out: object, count: int) -> Sequence[Image]:
    """Return `out` if it is a list or tuple of `count` items, else raise."""
    if not isinstance(out, list | tuple):
        raise TypeError(f"`out` must be a list or tuple, as `images` is; got {type(out).__name__}.")
    if len(out) != count:
        raise ValueError(f"`out` must have one array an image, {count}; got {len(out)}.")
    return out


def check_no_overlap(outs: Sequence[Image], images: Sequence[Image]) -> None:
    """Raise if one of `outs` shares memory with another one or with one of `images`."""
    spans = [
        (*np.lib.array_utils.byte_bounds(array), name, i)
        for name, arrays in (("images", images), ("out", outs))
        for i, array in enumerate(arrays)
    ]
    # Arrays are visited in the order of their addresses. An array overlaps an earlier one if it
    # starts before the furthest end so far. Images may overlap each other.
    furthest = {"images": (0, -1), "out": (0, -1)}
    for start, end, name, i in sorted(spans):
        for other in ("images", "out") if name == "out" else ("out",):
            other_end, j = furthest[other]
            if start < other_end:
                raise ValueError(_overlap(other, j, name, i))
        furthest[name] = max(furthest[name], (end, i))


def _overlap(first: str, i: int, second: str, j: int) -> str:
    if first == second:
        return (
            f"`out` must not overlap itself; got out[{i}] and out[{j}] that share memory. "
            "Pass new arrays."
        )
    out, image = (i, j) if first == "out" else (j, i)
    return (
        f"`out[{out}]` must not overlap the input; got memory shared with images[{image}]. "
        "Pass a new array."
    )


def check_params(params: object, default: T) -> T:
    """Return `params` if it has the type of `default`, or `default` if `params` is None."""
    kind = type(default)
    if params is None:
        return default
    if not isinstance(params, kind):
        cure = f" Use {kind.__name__}.from_dict." if isinstance(params, dict) else ""
        raise TypeError(
            f"`params` must be {kind.__name__} or None; got {type(params).__name__}.{cure}"
        )
    return params


def check_percentiles(percentiles: object) -> Percentiles:
    """Return `percentiles` as two floats, ``0 <= low < high <= 100``."""
    rule = "`percentiles` must satisfy 0 <= low < high <= 100"
    pair = _pair("percentiles", "two numbers (low, high)", percentiles)
    if not (_is_number(pair[0]) and _is_number(pair[1])):
        raise TypeError(f"`percentiles` must be two numbers (low, high); got {percentiles!r}.")
    low, high = _as_float(pair[0]), _as_float(pair[1])
    if not 0 <= low < high <= 100:  # False for NaN too
        raise ValueError(f"{rule}; got {percentiles!r}.")
    return low + 0.0, high + 0.0  # -0.0 becomes 0.0


def check_clip_limit(clip_limit: object) -> float:
    """Return `clip_limit` as a finite float >= 0."""
    if not _is_number(clip_limit):
        raise TypeError(f"`clip_limit` must be a number; got {clip_limit!r}.")
    value = _as_float(clip_limit)
    if not 0 <= value < math.inf:
        raise ValueError(
            "`clip_limit` must be finite and at least 0 (0 turns clipping off); got "
            f"{clip_limit!r}."
        )
    return value + 0.0  # -0.0 becomes 0.0


def check_clip_limit_fits(clip_limit: float, tile_area: int, num_bins: int) -> int:
    """Return OpenCV's integer limit of a bin, 0 for no clipping.

    Raises ValueError if the limit does not fit a 32-bit integer, where OpenCV overflows.
    """
    if clip_limit == 0:
        return 0
    limit = clip_limit * tile_area / num_bins
    if limit >= 2**31:
        largest = 2**31 * num_bins / tile_area
        raise ValueError(
            f"`clip_limit` must be below {largest:.4g} for tiles of {tile_area} pixels; got "
            f"{clip_limit!r}. Use 0 to turn clipping off."
        )
    return max(int(limit), 1)


def check_tile_grid_size(tile_grid_size: object) -> TileGridSize:
    """Return `tile_grid_size` as two positive ints (columns, rows)."""
    rule = "two positive ints (columns, rows)"
    pair = _pair("tile_grid_size", rule, tile_grid_size)
    if not (_is_int(pair[0]) and _is_int(pair[1])):
        raise TypeError(f"`tile_grid_size` must be {rule}; got {tile_grid_size!r}.")
    columns, rows = operator.index(pair[0]), operator.index(pair[1])
    if columns < 1 or rows < 1:
        raise ValueError(f"`tile_grid_size` must be {rule}; got {tile_grid_size!r}.")
    if columns * rows > MAX_TILES:
        raise ValueError(
            f"`tile_grid_size` must have at most {MAX_TILES} tiles; got {tile_grid_size!r}, "
            f"{columns * rows} tiles."
        )
    return columns, rows


def check_grid_fits(tile_grid_size: TileGridSize, itemsize: int) -> None:
    """Raise if the grid has so many columns that the tables of a row of tiles need gigabytes."""
    if itemsize == 2 and tile_grid_size[0] > MAX_COLUMNS_U16:
        raise ValueError(
            f"`tile_grid_size` must have at most {MAX_COLUMNS_U16} columns for uint16 images; got "
            f"{tile_grid_size!r}."
        )


def check_bit_shift(bit_shift: object) -> int:
    """Return `bit_shift` as an int that is valid for uint16; see `check_bit_shift_fits`."""
    largest = MAX_BITS - 1  # at least one bit remains to be counted
    if not _is_int(bit_shift):
        raise TypeError(f"`bit_shift` must be an int; got {bit_shift!r}.")
    value = operator.index(bit_shift)  # type: ignore[arg-type]
    if not 0 <= value <= largest:
        raise ValueError(f"`bit_shift` must be from 0 to {largest}; got {bit_shift!r}.")
    return value


def check_bit_shift_fits(bit_shift: int, bits: int, itemsize: int) -> None:
    """Raise if `bit_shift` drops all `bits` of a value; `itemsize` is the dtype's size in bytes."""
    if bit_shift >= bits:
        kind = f"uint{8 * itemsize} images" if bits == 8 * itemsize else f"bits={bits}"
        raise ValueError(f"`bit_shift` must be from 0 to {bits - 1} for {kind}; got {bit_shift}.")


def check_num_bins(num_bins: object, bit_shift: int) -> int | None:
    """Return `num_bins` as None (count every value) or an int >= 2.

    Raises ValueError if `num_bins` is a number and `bit_shift` is above 0.
    """
    if num_bins is None:
        return None
    if not _is_int(num_bins):
        raise TypeError(f"`num_bins` must be an int or None; got {num_bins!r}.")
    value: int = int(num_bins)  # type: ignore[call-overload]
    if not 2 <= value <= MAX_BINS:
        raise ValueError(
            f"`num_bins` must be from 2 to {MAX_BINS}; got {num_bins!r}. None counts every value."
        )
    if bit_shift > 0:
        raise ValueError(
            f"`num_bins` must be None where `bit_shift` is above 0; got num_bins={value} and "
            f"bit_shift={bit_shift}. Use num_bins=None, which counts what `bit_shift` leaves."
        )
    return value


def check_bits(bits: object) -> int | None:
    """Return `bits` as None or an int that is valid for uint16; see `check_bits_fit`."""
    if bits is None:
        return None
    if not _is_int(bits):
        raise TypeError(f"`bits` must be an int or None; got {bits!r}.")
    value = operator.index(bits)  # type: ignore[arg-type]
    if not 1 <= value <= MAX_BITS:
        raise ValueError(
            f"`bits` must be from 1 to {MAX_BITS}; got {bits!r}. None takes those of the dtype."
        )
    return value


def check_bits_fit(bits: int | None, itemsize: int) -> int:
    """Return `bits`, or the number of bits of the dtype if `bits` is None.

    `itemsize` is the dtype's size in bytes. Raises ValueError if `bits` is above the dtype's bits.
    """
    if bits is None:
        return 8 * itemsize
    if bits > 8 * itemsize:
        raise ValueError(
            f"`bits` must be from 1 to {8 * itemsize} for uint{8 * itemsize} images; got {bits}. "
            "None takes those of the dtype."
        )
    return bits


def check_values_fit(image: Image, bits: int | None, name: str = "image") -> None:
    """Raise if a value of `image` has more than `bits` bits; None reads no pixel."""
    if bits is None or bits >= 8 * image.itemsize or image.size == 0:
        return
    largest = int(image.max())
    if largest >= 2**bits:
        raise ValueError(
            f"`{name}` must hold values from 0 to {2**bits - 1} for bits={bits}; got {largest}. "
            f"Use bits={largest.bit_length()}, or None for the whole range of its dtype."
        )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise unless `value` is one of `choices`."""
    if not (isinstance(value, str) and value in choices):
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(f"`{name}` must be {' or '.join(map(repr, choices))}; got {value!r}.")


def check_dtypes(dtypes: object) -> list[np.dtype[Any]]:
    """Return `dtypes` as a list of dtypes, each uint8 or uint16."""
    rule = "`dtypes` must be a list of np.uint8, np.uint16 or both"
    if isinstance(dtypes, str | bytes | type) or not isinstance(dtypes, Iterable):
        raise TypeError(f"{rule}; got {dtypes!r}.")
    return [check_dtype(dtype, rule) for dtype in dtypes]


def check_dtype(dtype: Any, rule: str = "`dtype` must be np.uint8 or np.uint16") -> np.dtype[Any]:
    """Return `dtype` as uint8 or uint16."""
    try:
        checked: np.dtype[Any] = np.dtype(dtype)
    except TypeError as error:
        raise TypeError(f"{rule}; got {dtype!r}.") from error
    if dtype is None or checked not in _DTYPES:  # NumPy reads None as float64
        raise TypeError(f"{rule}; got {dtype!r}.")
    return checked


def check_size(name: str, size: object) -> int:
    """Return `size`, the height or width of an image, as an int >= 1."""
    if not _is_int(size):
        raise TypeError(f"`{name}` must be an int; got {size!r}.")
    value = operator.index(size)  # type: ignore[arg-type]
    if value < 1:
        raise ValueError(f"`{name}` must be at least 1; got {size!r}.")
    return value


def check_num_threads(num_threads: object) -> int:
    """Return `num_threads` as an int >= 1."""
    if not _is_int(num_threads):
        raise TypeError(f"`num_threads` must be an int or None; got {num_threads!r}.")
    value = operator.index(num_threads)  # type: ignore[arg-type]
    if value < 1:
        raise ValueError(
            f"`num_threads` must be at least 1; got {num_threads!r}. None uses every usable CPU."
        )
    return value


def _check_dtype(image: np.ndarray, name: str) -> None:
    if type(image) is not np.ndarray:
        _check_subclass(image, name)
    if image.dtype not in _DTYPES and image.dtype.newbyteorder("=") not in _DTYPES:
        raise TypeError(
            f"`{name}` must have dtype uint8 or uint16; got {image.dtype}.{_dtype_cure(image)}"
        )


def _check_subclass(image: np.ndarray, name: str) -> None:
    if isinstance(image, np.ma.MaskedArray):
        raise TypeError(
            f"`{name}` must be a plain array; got a masked one. Use `{name}.filled(value)`."
        )
    if isinstance(image, np.matrix):
        raise TypeError(f"`{name}` must be a plain array; got a matrix. Use np.asarray({name}).")


def _pair(name: str, rule: str, value: object) -> tuple[Any, ...]:
    if type(value) is not tuple:
        if isinstance(value, str | bytes | dict | set) or not isinstance(value, Iterable):
            raise TypeError(f"`{name}` must be {rule}; got {value!r}.")
        value = tuple(value)
    if len(value) != 2:
        raise ValueError(f"`{name}` must be {rule}; got {value!r}.")
    return value


def _is_int(value: object) -> bool:
    if type(value) is int:  # nearly always
        return True
    return hasattr(type(value), "__index__") and not isinstance(value, _NO_NUMBERS)


def _is_number(value: object) -> bool:
    if type(value) is float:  # nearly always
        return True
    return hasattr(type(value), "__float__") and not isinstance(value, _NO_NUMBERS)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an int above the largest float
        return math.inf


def _array_cure(image: object) -> str:
    if image is None:
        return " Did reading the file fail?"
    if isinstance(image, str | bytes):
        return " Read the file first, with cxr_enhance.read_image."
    package = type(image).__module__.partition(".")[0]
    if package == "PIL":
        mode = getattr(image, "mode", None)
        if mode in _PIL_MODES_TO_CONVERT:
            return f' Convert it with np.asarray(image.convert("{_PIL_MODES_TO_CONVERT[mode]}")).'
        return " Convert it with np.asarray(image)."
    if package == "torch":
        if getattr(image, "is_nested", False):
            return " Enhance its tensors one by one: those of image.unbind()."
        if str(getattr(image, "dtype", "")) == "torch.bfloat16":
            return " Convert it with image.float().numpy(force=True)."
        return " Convert it with image.numpy(force=True)."
    return " Convert it with np.asarray(image), which keeps its values."


def _dtype_cure(image: np.ndarray) -> str:
    if image.dtype.kind == "f" or image.dtype.name == "bfloat16":
        return (
            " For values 0..1, use np.rint(image.astype(np.float32) * 255).astype(np.uint8); for"
            " 0..255, np.rint(image).astype(np.uint8); for 0..65535,"
            " np.rint(image).astype(np.uint16)."
        )
    if image.dtype.kind == "b":
        return " Use image.astype(np.uint8) * 255."
    if image.dtype.kind in "iu":
        return (
            " For values 0..255, use image.astype(np.uint8); for 0..65535, image.astype(np.uint16)."
        )
    if image.dtype.kind == "O":
        return " Use np.array(image.tolist())."
    if image.dtype == np.dtype("V2"):
        return " If it is bfloat16 read from a file, use image.view(ml_dtypes.bfloat16)."
    return ""


def _shape_cure(image: np.ndarray, kind: str) -> str:
    shape = image.shape
    if len(shape) == 3 and shape[2] in (2, 4):
        return f" Drop the alpha channel with image[..., :{shape[2] - 1}]."
    if len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3):
        return " Channels come last: use np.moveaxis(image, 0, -1)."
    if len(shape) == 3 and shape[2] == 3 and kind == "gray":
        return " Convert it with cxr_enhance.rgb_to_gray, or use cxr_enhance.enhance."
    if len(shape) == 2 and kind == "colour":
        return " A gray image needs no conversion."
    if len(shape) == 4:
        return " Use cxr_enhance.enhance_batch for a batch."
    return ""


def _object_cure(images: np.ndarray) -> str:
    unequal = images.dtype.kind == "O" and images.ndim == 1
    return " For images of unequal sizes, pass list(images)." if unequal else ""


def _stack_cure(shape: tuple[int, ...]) -> str:
    if shape[3] in (2, 4):
        return f" Drop the alpha channel with images[..., :{shape[3] - 1}]."
    if shape[1] in (1, 3):
        return " Channels come last: use np.moveaxis(images, 1, -1)."
    return ""
