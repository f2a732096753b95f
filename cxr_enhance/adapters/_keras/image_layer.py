"""Base class of the Keras layers.

It checks the inputs, converts them to levels and back, and makes layers work in tf.data pipelines
with any backend.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import keras
import numpy as np
from keras import ops

from cxr_enhance.adapters._value_range import (
    DEFAULTS,
    KERAS,
    check_levels,
    check_precision,
    check_value_range,
    check_values,
    through_levels,
    values_of,
)
from cxr_enhance.adapters.exit_guard import refused_at_exit

if TYPE_CHECKING:
    from cxr_enhance import EnhanceParams

T = TypeVar("T", bound="ImageLayer")

_BITS = {"uint8": 8, "uint16": 16}


class ImageLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer that takes images and returns images of the same dtype.

    Parameters
    ----------
    params : EnhanceParams
        Options that images are checked against and that `_graph` receives.
    channels : tuple of int or None
        Allowed numbers of channels; None allows any number.
    bit_depth, value_range, data_format, **kwargs
        As in the public layers.
    """

    def __init__(
        self,
        params: EnhanceParams,
        *,
        channels: tuple[int, ...] | None,
        bit_depth: int | None,
        value_range: tuple[float, float] | None,
        data_format: str,
        **kwargs: Any,
    ) -> None:
        # Inputs are never cast to half precision, which is not exact above 256 (bfloat16) or 2048
        # (float16).
        super().__init__(autocast=False, **kwargs)
        if data_format != "channels_last":
            cure = " Use keras.layers.Permute((2, 3, 1)) before it."
            raise ValueError(f"`data_format` must be 'channels_last'; got {data_format!r}.{cure}")
        if bit_depth not in (None, 8, 16):
            raise ValueError(f"`bit_depth` must be 8, 16 or None; got {bit_depth!r}.")
        self.data_format = data_format
        self.bit_depth = bit_depth
        default = (0.0, 65535.0) if bit_depth == 16 else DEFAULTS["keras"]
        self.value_range = check_value_range(value_range, default)
        self._params = params
        self._channels = channels

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        _refuse_collections(inputs)
        if isinstance(inputs, np.ndarray):  # backends refuse or misread another byte order
            inputs = inputs.astype(inputs.dtype.newbyteorder("="), copy=False)
        if keras.backend.backend() != "tensorflow" and _is_tensorflow(inputs):
            # The layer is used in a tf.data pipeline, with the jax or torch backend.
            return _unconverted(self._run_in_tensorflow)(inputs)
        return super().__call__(inputs, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Return the processed images."""
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        bits = _unconverted(self._check)(inputs.shape, dtype)
        if len(inputs.shape) == 4 and _is_zero(inputs.shape[0]):
            return ops.zeros(self.compute_output_shape(inputs.shape), dtype)
        bits = self._params.bits or bits
        if keras.backend.is_float_dtype(dtype) and _can_be_seen(inputs):
            least, most = (float(reduce(inputs)) for reduce in (ops.min, ops.max))
            check_values(least, most, self.value_range, bits, "inputs", KERAS)
        elif self._params.bits and _can_be_seen(inputs):
            check_levels(int(ops.max(inputs)), bits, "inputs")
        if keras.backend.backend() == "tensorflow" and _is_eager_tensorflow(inputs):
            fixed = len(inputs.shape), inputs.shape[-1]
            options = self._params, bits, self.value_range
            return _as_function(type(self), options, fixed)(inputs)  # type: ignore[arg-type]
        return _unconverted(self._run)(inputs, self._params, bits, self.value_range)

    @classmethod
    def _run(
        cls, inputs: Any, params: EnhanceParams, bits: int, value_range: tuple[float, float]
    ) -> Any:
        images = inputs if len(inputs.shape) == 4 else ops.expand_dims(inputs, 0)
        result = cls._graph(_to_levels(images, bits, value_range), params, bits)
        result = _from_levels(result, inputs.dtype, bits, value_range)
        return result if len(inputs.shape) == 4 else ops.squeeze(result, 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result for inputs of `input_shape`."""
        return (*input_shape[:-1], self._channels_out(input_shape[-1]))

    def compute_output_spec(self, inputs: Any) -> Any:
        """Return shape and dtype of the result; raise the errors of `call` about them."""
        self._check(inputs.shape, keras.backend.standardize_dtype(inputs.dtype))
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the options that all layers have."""
        config: dict[str, Any] = super().get_config()
        return {
            **config,
            "bit_depth": self.bit_depth,
            "value_range": list(self.value_range),
            "data_format": self.data_format,
        }

    def _channels_out(self, channels: int | None) -> int | None:
        return channels

    @staticmethod
    def _graph(levels: Any, params: EnhanceParams, bits: int) -> Any:
        raise NotImplementedError

    def _kernels(self, images: Any) -> Any:
        """Return the result of `_graph` for an (N, H, W, C) array, computed by the kernels."""
        raise NotImplementedError

    def _check(self, shape: tuple[int | None, ...], dtype: str) -> int:
        """Return the bits of a level, 8 or 16; raise if the shape or dtype is not supported."""
        bits = self._bits(dtype)
        if len(shape) not in (3, 4):
            raise ValueError(
                f"`inputs` must have shape (N, H, W, C) or (H, W, C); got {tuple(shape)}."
            )
        if shape[-1] is None or (self._channels is not None and shape[-1] not in self._channels):
            rule = "known" if self._channels is None else "1 or 3"
            raise ValueError(
                f"`inputs` must have channels last, their number {rule}; got shape {tuple(shape)}."
            )
        if 0 in shape[-3:-1]:
            raise ValueError(
                f"`inputs` must have at least one pixel an image; got shape {tuple(shape)}."
            )
        self._params.check_for(shape[-3] or 1, shape[-2] or 1, np.uint8 if bits == 8 else np.uint16)
        return bits

    def _bits(self, dtype: str) -> int:
        if dtype == "int32" and self.bit_depth is None and keras.backend.backend() == "torch":
            return 16  # Keras on torch holds uint16 as int32
        if dtype in _BITS:
            if self.bit_depth not in (None, _BITS[dtype]):
                raise ValueError(
                    f"`bit_depth` must be {_BITS[dtype]} or None for {dtype} inputs; got "
                    f"{self.bit_depth}."
                )
            return _BITS[dtype]
        low, high = self.value_range
        if keras.backend.is_float_dtype(dtype):
            asked = self._params.bits or 0
            bits = self.bit_depth or (8 if high - low <= 255 and asked <= 8 else 16)
            check_precision(dtype, self.value_range, self._params.bits or bits, "inputs", KERAS)
            return bits
        if dtype == "int32" and self.bit_depth is not None:
            return self.bit_depth
        cure = "Pass bit_depth=8 or 16" if dtype == "int32" else "Cast them with keras.ops.cast"
        raise TypeError(
            "`inputs` must have dtype uint8 or uint16, or be floats whose black and white are "
            f"value_range=({low:g}, {high:g}); got {dtype}. {cure}."
        )

    def _run_in_tensorflow(self, inputs: Any) -> Any:
        import tensorflow as tf

        bits = self._check(tuple(inputs.shape), inputs.dtype.name)
        images = inputs
        if inputs.dtype.is_integer:
            top = (1 << (self._params.bits or bits)) - 1
            images = tf.cast(tf.clip_by_value(images, 0, top), f"uint{bits}")
        if inputs.shape.rank == 3:
            images = images[None]

        def run(array: Any) -> Any:
            depth = self._params.bits or bits
            return through_levels(self._kernels, array, self.value_range, bits=depth, clip=True)

        result = tf.numpy_function(refused_at_exit(run), [images], images.dtype, stateful=False)
        if inputs.shape.rank == 3:
            result = result[0]
        result = tf.ensure_shape(result, self.compute_output_shape(tuple(inputs.shape)))
        return tf.cast(result, inputs.dtype)


def registered(layer: type[T]) -> type[T]:
    """Register a layer under its module's name, so that Keras can load it from files.

    If the module is not imported, Keras's error message shows the module's name. The layer is also
    registered as ``cxr_enhance>NAME``, because older files have this name.
    """
    keras.saving.get_custom_objects().update({f"cxr_enhance>{layer.__name__}": layer})
    keras.saving.register_keras_serializable(package=layer.__module__)(layer)
    return layer


def _unconverted(function: Any) -> Any:
    """Prevent AutoGraph from converting `function` and the functions that it calls."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return function
    return tensorflow.autograph.experimental.do_not_convert(function)


def _is_tensorflow(inputs: Any) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(inputs, tensorflow.Tensor)


def _is_eager_tensorflow(inputs: Any) -> bool:
    return sys.modules["tensorflow"].executing_eagerly() and _is_tensorflow(inputs)


def _is_zero(size: Any) -> bool:
    return isinstance(size, int) and size == 0  # symbolic sizes cannot be compared


def _refuse_collections(inputs: Any) -> None:
    kind = type(inputs).__name__
    cure = {
        "list": "np.stack(inputs), if the images have one size",
        "tuple": "np.stack(inputs), if the images have one size",
        "dict": "the image alone",
        "RaggedTensor": "inputs.to_tensor(), if the images have one size",
        "SparseTensor": "tf.sparse.to_dense(inputs)",
    }.get(kind)
    if cure is not None:
        raise TypeError(f"`inputs` must be one dense tensor or array; got {kind}. Pass {cure}.")


@functools.lru_cache(maxsize=64)
def _as_function(
    layer: type[ImageLayer],
    options: tuple[EnhanceParams, int, tuple[float, float]],
    fixed: tuple[int, int],
) -> Any:
    """Return a `tf.function` of the layer, for eager calls in TensorFlow.

    One call of the function is faster than the hundred operations of the layer called one by one.
    With `reduce_retracing`, TensorFlow treats sizes that differ between calls as unknown. The rank
    and the number of channels must be known. They are in `fixed`, so that the cache holds one
    function for each pair.
    """
    import tensorflow as tf

    params, bits, value_range = options
    run = functools.partial(layer._run, params=params, bits=bits, value_range=value_range)
    return tf.function(run, autograph=False, reduce_retracing=True)


def _can_be_seen(inputs: Any) -> bool:
    """Return whether `inputs` hold values; they hold none while a graph is built."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _is_eager_tensorflow(inputs)
    if backend == "jax":
        jax = sys.modules["jax"]
        return isinstance(inputs, jax.Array) and not isinstance(inputs, jax.core.Tracer)
    if backend == "torch":
        torch = sys.modules["torch"]
        building = torch.compiler.is_compiling() or torch.jit.is_tracing()
        real = type(inputs) in (torch.Tensor, torch.nn.Parameter) and not inputs.is_meta
        return real and not building
    return False


def _to_levels(images: Any, bits: int, value_range: tuple[float, float]) -> Any:
    top = (1 << bits) - 1
    if _BITS.get(keras.backend.standardize_dtype(images.dtype)) == bits:
        return ops.cast(images, "int32")
    low, high = value_range
    if keras.backend.is_float_dtype(images.dtype):
        if value_range != (0, top):
            is_double = keras.backend.standardize_dtype(images.dtype) == "float64"
            images = ops.cast(images, "float64" if is_double else "float32")
            images = (images - low) * (top / (high - low))
        # NaN becomes level 0. Without this line, the cast of NaN would depend on the machine.
        images = ops.where(ops.isnan(images), ops.zeros_like(images), ops.round(images))
    else:
        images = ops.cast(images, "int32")
    return ops.cast(ops.clip(images, 0, top), "int32")


def _from_levels(levels: Any, dtype: Any, bits: int, value_range: tuple[float, float]) -> Any:
    top = (1 << bits) - 1
    if not keras.backend.is_float_dtype(dtype) or value_range == (0, top):
        return ops.cast(levels, dtype)
    # Values come from a table, because compilers may replace a division by a multiplication, whose
    # last bit can differ.
    is_double = keras.backend.standardize_dtype(dtype) == "float64"
    table = values_of(np.arange(top + 1), value_range, bits)
    table = ops.convert_to_tensor(table.astype("float64" if is_double else "float32"))
    return ops.cast(ops.take(table, ops.cast(levels, "int32")), dtype)
