"""Keras layers of an exported model before the classifier; Keras can load them after this import.

The layers repeat, as graphs of `keras.ops`, what `cxr_enhance.prepare` does with OpenCV and NumPy,
with the same rounding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

_COEFFICIENTS = 2048  # OpenCV's INTER_RESIZE_COEF_SCALE, for 8 bits


@keras.saving.register_keras_serializable(package="cxr_models")
class ResizeLinear(keras.layers.Layer):  # type: ignore[misc]
    """A layer that resizes like OpenCV's ``INTER_LINEAR``, and crops or pads like `prepare`.

    Parameters
    ----------
    size : (int, int)
        Height and width of the result, in pixels.
    fit : {"squash", "pad", "crop"}, default "squash"
        How images of another aspect ratio are fitted; see `cxr_enhance.Preparation`.
    **kwargs
        Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Raises
    ------
    TypeError
        If the inputs are neither uint8 nor uint16.

    Notes
    -----
    Input shape: (N, H, W, C), dtype uint8 or uint16; H, W and N may be unknown under TensorFlow.
    Output shape: (N, height, width, C) of the same dtype.

    For uint8, the result equals OpenCV's byte for byte, because the layer uses OpenCV's integer
    arithmetic. For uint16, the layer repeats OpenCV's own float32 code. There is one exception:
    OpenCV rounds halves up when it halves both axes, and this layer rounds them to even. The
    difference is one level of 65,536. OpenCV's wheels for x86 would use IPP for 16 bits;
    `cxr_models.inputs.loader` turns IPP off.
    """

    def __init__(self, size: tuple[int, int], fit: str = "squash", **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        height, width = size
        self.size = height, width
        self.fit = fit

    def call(self, inputs: Any) -> Any:
        """Return the resized images."""
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if dtype not in _ARITHMETIC:
            raise TypeError(f"`inputs` must have dtype uint8 or uint16; got {dtype}.")
        kind, mix_across, mix_down = _ARITHMETIC[dtype]
        rows, columns = _axes(_size(inputs, 1), _size(inputs, 2), self.size, self.fit)
        top, bottom, down = _places(rows, self.size[0], clamp=False)
        left, right, across = _places(columns, self.size[1], clamp=True)
        pixels = ops.cast(inputs, kind)
        across, down = (_as_tensor(x, s) for x, s in ((across, (-1, 1)), (down, (-1, 1, 1))))
        # Selecting rows first saves work: most rows of a large image are not needed.
        upper, lower = (
            mix_across(ops.take(part, left, 2), ops.take(part, right, 2), across)
            for part in (ops.take(pixels, top, 1), ops.take(pixels, bottom, 1))
        )
        resized = mix_down(upper, lower, down)
        if self.fit == "pad":  # in int32, because LiteRT cannot multiply bytes
            resized *= _inside(rows, self.size[0], (-1, 1, 1))
            resized *= _inside(columns, self.size[1], (-1, 1))
        return ops.cast(resized, dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (input_shape[0], *self.size, input_shape[3])

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return the shape and the dtype of the result."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), inputs.dtype)

    def get_config(self) -> dict[str, Any]:  # the return type of the base class
        """Return the arguments of the constructor."""
        return {**super().get_config(), "size": list(self.size), "fit": self.fit}


@keras.saving.register_keras_serializable(package="cxr_models")
class ToEightBits(keras.layers.Layer):  # type: ignore[misc]
    """A layer that scales images to uint8, with white at 255, as the pipeline after enhancement.

    Values are rounded. Inputs whose white is already 255 are unchanged.

    Parameters
    ----------
    bits : int or None, default None
        Bit depth of the inputs; white is ``2**bits - 1``. None uses 8 for uint8 inputs and 16 for
        other inputs.
    **kwargs
        Arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Notes
    -----
    Input shape: any shape, dtype uint8 or uint16. Output shape: the same shape, dtype uint8.
    """

    def __init__(self, bits: int | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.bits = bits

    def call(self, inputs: Any) -> Any:
        """Return the images as uint8, with white at 255."""
        is_uint8 = keras.backend.standardize_dtype(inputs.dtype) == "uint8"
        white = (1 << (self.bits or (8 if is_uint8 else 16))) - 1
        if white == 255:
            return ops.cast(inputs, "uint8")
        scaled = ops.cast(inputs, "int32") * 255 + white // 2
        return ops.cast(ops.floor_divide(scaled, white), "uint8")

    def get_config(self) -> dict[str, Any]:  # the return type of the base class
        """Return the arguments of the constructor."""
        return {**super().get_config(), "bits": self.bits}

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return the shape and the dtype of the result."""
        return keras.KerasTensor(inputs.shape, "uint8")


# --- OpenCV's HResizeLinear and VResizeLinear -----------------------------------------------------


def _across_bytes(left: Any, right: Any, share: Any) -> Any:
    return left * _fixed(1.0 - share) + right * _fixed(share)


def _down_bytes(upper: Any, lower: Any, share: Any) -> Any:
    """Mix rows of bytes as OpenCV does with shifts; each product is rounded down separately."""
    first = ops.floor_divide(ops.floor_divide(upper, 16) * _fixed(1.0 - share), 1 << 16)
    second = ops.floor_divide(ops.floor_divide(lower, 16) * _fixed(share), 1 << 16)
    return ops.floor_divide(first + second + 2, 4)


def _across_floats(left: Any, right: Any, share: Any) -> Any:
    # `abs` does not change the value, but prevents compilers from fusing product and sum.
    return ops.abs(left * (1.0 - share)) + ops.abs(right * share)


def _down_floats(upper: Any, lower: Any, share: Any) -> Any:
    return ops.cast(ops.round(_across_floats(upper, lower, share)), "int32")


_ARITHMETIC = {
    "uint8": ("int32", _across_bytes, _down_bytes),
    "uint16": ("float32", _across_floats, _down_floats),
}


def _fixed(share: Any) -> Any:
    return ops.cast(ops.round(share * np.float32(_COEFFICIENTS)), "int32")


def _size(images: Any, axis: int) -> Any:
    size = images.shape[axis]
    return ops.shape(images)[axis] if size is None else size


def _as_tensor(share: Any, shape: tuple[int, ...]) -> Any:
    return ops.reshape(ops.convert_to_tensor(share), (1, *shape))


class _Axis(NamedTuple):
    """The crop, scale and margin of one axis.

    The values are ints, or scalar tensors if the size of the inputs is not known yet.
    """

    start: Any  # first pixel of the kept part
    kept: Any  # number of kept pixels
    scaled: Any  # number of pixels to which the kept part is resized
    margin: Any  # number of black pixels before the resized part


def _axes(height: Any, width: Any, size: tuple[int, int], fit: str) -> tuple[_Axis, _Axis]:
    """Repeat `cxr_enhance.preparation.sizing.fitted` for sizes that may be tensors."""
    high, wide = size
    is_known = isinstance(height, int) and isinstance(width, int)
    xp: Any = np if is_known else ops
    if not is_known:
        height, width = (ops.cast(side, "int32") for side in (height, width))
    is_tall = width * high <= height * wide
    if fit == "pad":
        scaled_height = xp.where(is_tall, high, xp.clip(_rounded(height * wide, width), 1, high))
        scaled_width = xp.where(is_tall, xp.clip(_rounded(width * high, height), 1, wide), wide)
        margins = (high - scaled_height) // 2, (wide - scaled_width) // 2
        axes = (
            _Axis(0, height, scaled_height, margins[0]),
            _Axis(0, width, scaled_width, margins[1]),
        )
    elif fit == "crop":
        kept_height = xp.minimum(xp.maximum(_rounded(width * high, wide), 1), height)
        kept_width = xp.minimum(xp.maximum(_rounded(height * wide, high), 1), width)
        kept_height = xp.where(is_tall, kept_height, height)
        kept_width = xp.where(is_tall, width, kept_width)
        axes = (
            _Axis((height - kept_height) // 2, kept_height, high, 0),
            _Axis((width - kept_width) // 2, kept_width, wide, 0),
        )
    else:
        axes = _Axis(0, height, high, 0), _Axis(0, width, wide, 0)
    return (_Axis(*map(int, axes[0])), _Axis(*map(int, axes[1]))) if is_known else axes


def _rounded(number: Any, divisor: Any) -> Any:
    return (2 * number + divisor) // (2 * divisor)


def _inside(axis: _Axis, size: int, shape: tuple[int, ...]) -> Any:
    """Return an int32 mask along one axis: 1 for pixels of the image, 0 for its black margins."""
    places = ops.convert_to_tensor(np.arange(size, dtype=np.int32))
    after = ops.greater_equal(places, axis.margin)
    before = ops.less(places, axis.margin + axis.scaled)
    return ops.reshape(ops.cast(ops.logical_and(after, before), "int32"), (1, *shape))


def _places(axis: _Axis, size: int, *, clamp: bool) -> tuple[Any, Any, Any]:
    """Return, for each pixel of the result, its two source pixels and the weight of the second.

    Source pixels are clamped at the borders. Along rows of pixels (`clamp`), OpenCV also sets the
    weight to 0 at the borders.
    """
    start, source, scaled, margin = axis
    positions = np.arange(size) + 0.5
    if all(isinstance(value, int) for value in axis):
        exact = ((positions - margin) * (1.0 / (scaled / source)) - 0.5).astype(np.float32)
        first = np.floor(exact)
        share: Any = exact - first
        place: Any = first.astype(np.int32)
        if clamp:
            share = np.where((place < 0) | (place >= source - 1), np.float32(0), share)
        first_pixel, second_pixel = (
            np.clip(at, 0, source - 1) + start for at in (place, place + 1)
        )
        return first_pixel, second_pixel, share
    scale = 1.0 / (ops.cast(scaled, "float64") / ops.cast(source, "float64"))
    centre = ops.convert_to_tensor(positions) - ops.cast(margin, "float64")
    centre = ops.cast(centre * scale - 0.5, "float32")
    below = ops.floor(centre)
    share, place = centre - below, ops.cast(below, "int32")
    if clamp:
        outside = ops.logical_or(ops.less(place, 0), ops.greater_equal(place, source - 1))
        share = ops.where(outside, ops.zeros_like(share), share)
    first_pixel, second_pixel = (ops.clip(at, 0, source - 1) + start for at in (place, place + 1))
    return first_pixel, second_pixel, share
