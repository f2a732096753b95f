"""Layers that an exported model needs before the classifier; importing this makes them loadable.

A graph of `keras.ops`: what the pipeline does with OpenCV and NumPy, in their roundings.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

_COEFFICIENTS = 2048  # OpenCV's INTER_RESIZE_COEF_SCALE, for 8 bits


@keras.saving.register_keras_serializable(package="cxr_models")
class ResizeLinear(keras.layers.Layer):  # type: ignore[misc]
    """Resize as OpenCV's ``resize`` with ``INTER_LINEAR``, the aspect not kept.

    Parameters
    ----------
    size : (int, int)
        Height and width of the result, in pixels.
    **kwargs
        Keras's own: `name`, `dtype`.

    Raises
    ------
    TypeError
        If the inputs are neither uint8 nor uint16.

    Notes
    -----
    Input shape: (N, H, W, C), dtype uint8 or uint16; H, W and N may be unknown under TensorFlow.
    Output shape: (N, height, width, C) of the same dtype.

    uint8: OpenCV's bytes, in its integer arithmetic. uint16: those of OpenCV's own code, in
    float32; by a factor of two on both axes it rounds halves up, here they go to even: one level
    of 65,536. Its wheels for x86 would hand 16 bits to IPP, which `cxr_models.inputs.loader` does
    not let them.
    """

    def __init__(self, size: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.size = tuple(size)

    def call(self, inputs: Any) -> Any:
        """Return the images of `inputs`, resized."""
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        if dtype not in _ARITHMETIC:
            raise TypeError(f"`inputs` must have dtype uint8 or uint16; got {dtype}.")
        kind, mix_across, mix_down = _ARITHMETIC[dtype]
        height, width = self.size
        top, bottom, down = _places(_size(inputs, 1), height, clamp=False)
        left, right, across = _places(_size(inputs, 2), width, clamp=True)
        pixels = ops.cast(inputs, kind)
        across, down = (_as_tensor(x, s) for x, s in ((across, (-1, 1)), (down, (-1, 1, 1))))
        # Rows are taken first: most pixels of a large image lie in none of them.
        upper, lower = (
            mix_across(ops.take(rows, left, 2), ops.take(rows, right, 2), across)
            for rows in (ops.take(pixels, top, 1), ops.take(pixels, bottom, 1))
        )
        return ops.cast(mix_down(upper, lower, down), dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (input_shape[0], *self.size, input_shape[3])

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return shape and dtype of the result."""
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "size": list(self.size)}


@keras.saving.register_keras_serializable(package="cxr_models")
class ToEightBits(keras.layers.Layer):  # type: ignore[misc]
    """Make white 255, rounded, as the pipeline does after enhancement; uint8 stays.

    Parameters
    ----------
    bits : int or None, default None
        White is ``2**bits - 1``; None takes the bits of the inputs' type.
    **kwargs
        Keras's own: `name`, `dtype`.

    Notes
    -----
    Any shape; the result is uint8.
    """

    def __init__(self, bits: int | None = None, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.bits = bits

    def call(self, inputs: Any) -> Any:
        """Return `inputs` as uint8."""
        is_uint8 = keras.backend.standardize_dtype(inputs.dtype) == "uint8"
        white = (1 << (self.bits or (8 if is_uint8 else 16))) - 1
        if white == 255:
            return ops.cast(inputs, "uint8")
        scaled = ops.cast(inputs, "int32") * 255 + white // 2
        return ops.cast(ops.floor_divide(scaled, white), "uint8")

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "bits": self.bits}

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return shape and dtype of the result."""
        return keras.KerasTensor(inputs.shape, "uint8")


# --- OpenCV's HResizeLinear and VResizeLinear -----------------------------------------------------


def _across_bytes(left: Any, right: Any, share: Any) -> Any:
    return left * _fixed(1.0 - share) + right * _fixed(share)


def _down_bytes(upper: Any, lower: Any, share: Any) -> Any:
    """Shifts, each product cut off by itself."""
    first = ops.floor_divide(ops.floor_divide(upper, 16) * _fixed(1.0 - share), 1 << 16)
    second = ops.floor_divide(ops.floor_divide(lower, 16) * _fixed(share), 1 << 16)
    return ops.floor_divide(first + second + 2, 4)


def _across_floats(left: Any, right: Any, share: Any) -> Any:
    # `abs` changes nothing and keeps compilers from fusing product and sum.
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


def _places(source: Any, size: int, *, clamp: bool) -> tuple[Any, Any, Any]:
    """Return for each pixel of the result its two of the source and the share of the second.

    The two are clamped at the borders; across, OpenCV clears the share there as well.
    """
    positions = np.arange(size) + 0.5
    if isinstance(source, int):
        exact = (positions * (1.0 / (size / source)) - 0.5).astype(np.float32)
        first = np.floor(exact)
        share: Any = exact - first
        place: Any = first.astype(np.int32)
        if clamp:
            share = np.where((place < 0) | (place >= source - 1), np.float32(0), share)
        return np.clip(place, 0, source - 1), np.clip(place + 1, 0, source - 1), share
    scale = 1.0 / (float(size) / ops.cast(source, "float64"))
    centre = ops.cast(ops.convert_to_tensor(positions) * scale - 0.5, "float32")
    below = ops.floor(centre)
    share, place = centre - below, ops.cast(below, "int32")
    if clamp:
        outside = ops.logical_or(ops.less(place, 0), ops.greater_equal(place, source - 1))
        share = ops.where(outside, ops.zeros_like(share), share)
    return ops.clip(place, 0, source - 1), ops.clip(place + 1, 0, source - 1), share
