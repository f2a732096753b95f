"""Keras layers with the same results as the library, for preprocessing inside a model."""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    from keras import ops
except ImportError as error:
    raise ImportError(
        "keras is needed for cxr_enhance.adapters.keras_layers. "
        'Install it with: pip install "cxr-enhance[tf]"'
    ) from error

import cxr_enhance
from cxr_enhance import EnhanceParams
from cxr_enhance.adapters._keras import graph
from cxr_enhance.adapters._keras.image_layer import ImageLayer, registered

_DEFAULT = EnhanceParams()


@registered
class Enhance(ImageLayer):
    """White balance, gray and CLAHE inside a model: `cxr_enhance.enhance` as a graph.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    bit_depth : {8, 16}, optional
        Bits of a level. None uses the bits of an integer dtype. For floats, None uses 16 if
        `value_range` is wider than 255 or ``params.bits`` is above 8, else 8.
    value_range : (float, float), optional
        Black and white of float inputs. None uses (0, 255), or (0, 65535) with ``bit_depth=16``.
    data_format : {"channels_last"}
        Layout of the axes; there is no other choice.
    **kwargs
        Options of every Keras layer, such as `name` and `dtype`.

    Raises
    ------
    TypeError
        If an option or the dtype of the inputs is wrong.
    ValueError
        If an option or the shape of the inputs is out of range.
    NotImplementedError
        If a model with white balance is exported to LiteRT, which has no float64.

    See Also
    --------
    cxr_enhance.adapters.tf_data.enhance_op : Several times faster; it cannot be exported.

    Notes
    -----
    Input shape: (N, H, W, C) or (H, W, C), C 1 or 3; dtype uint8, uint16 or float. H, W and N may
    be unknown under TensorFlow.

    Floats are rounded half to even to the nearest level; ``params.bits``, if given, sets the number
    of levels. If the layer is called eagerly, it checks the values. It refuses values more than
    half a level outside the range, images within 0..1 where white is 255 or more, and integers of
    more than ``params.bits`` bits. In graphs (`predict`, `fit`, `tf.function`, jit, exports) the
    layer cannot check values: values outside the range are clipped, and NaN becomes black.

    Keras holds uint16 as int32 on the torch backend, so that the layer reads int32 as uint16 there.

    Output shape: the input's with one channel, or with three equal channels if ``params.output`` is
    "rgb". The dtype is the input's.

    The result equals that of `cxr_enhance.enhance`, byte for byte, on CPU, in `tf.function`, under
    XLA and in compiled JAX. The two percentiles are computed in float64 if the backend has it. The
    layer is a graph of `keras.ops` and can be exported with its model: to .keras, SavedModel, ONNX
    (with ``opset_version=18``) and LiteRT (without white balance). To load a .keras file, first
    import this module. In a tf.data pipeline with the jax or torch backend, the layer runs the
    library's kernels instead of the graph.

    Memory for 1024 x 1024 pixels: less than 128 MiB for each uint8 image. For uint16, the tables
    need 256 KiB more for each tile; images are then processed one after the other.

    Examples
    --------
    >>> import keras, numpy as np  # doctest: +SKIP
    >>> from cxr_enhance.adapters.keras_layers import Enhance
    >>> inputs = keras.Input((224, 224, 1), dtype="uint8")
    >>> model = keras.Model(inputs, Enhance()(inputs))
    """

    def __init__(
        self,
        params: EnhanceParams | None = None,
        *,
        bit_depth: int | None = None,
        value_range: tuple[float, float] | None = None,
        data_format: str = "channels_last",
        **kwargs: Any,
    ) -> None:
        self.params = EnhanceParams.or_default(params)
        super().__init__(
            self.params,
            channels=(1, 3),
            bit_depth=bit_depth,
            value_range=value_range,
            data_format=data_format,
            **kwargs,
        )

    def _channels_out(self, channels: int | None) -> int:
        return 3 if self.params.output == "rgb" else 1

    @staticmethod
    def _graph(levels: Any, params: EnhanceParams, bits: int) -> Any:
        if params.percentiles is not None:
            levels = graph.white_balance(levels, params.percentiles, bits)
        flat = levels[..., 0]
        if levels.shape[-1] == 3:
            flat = graph.gray(levels, params.channel_order)
        if params.clip_limit is not None:
            flat = graph.clahe(flat, params, bits)
        return ops.stack([flat] * 3, axis=-1) if params.output == "rgb" else flat[..., None]

    def _kernels(self, images: Any) -> Any:
        result = cxr_enhance.enhance_batch(images, self.params)
        return result if result.ndim == 4 else result[..., None]

    def get_config(self) -> dict[str, Any]:
        """Return the options of the layer; `params` is a dictionary of JSON types."""
        return {**super().get_config(), "params": self.params.to_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Enhance:
        """Make a layer from the result of `get_config`."""
        return cls(**{**config, "params": EnhanceParams.from_dict(config["params"])})


@registered
class WhiteBalance(ImageLayer):
    """Stretch each channel between two of its percentiles: `cxr_enhance.white_balance` as a graph.

    Parameters
    ----------
    percentiles : (float, float), default (0.05, 99.95)
        Low and high percentile in percent, ``0 <= low < high <= 100``.
    bits : int or None, default None
        Bit depth of the values and results, as for `cxr_enhance.white_balance`. In graphs, values
        of more bits are clipped.
    bit_depth, value_range : optional
        As in `Enhance`.
    data_format : {"channels_last"}
        Layout of the axes; there is no other choice.
    **kwargs
        Options of every Keras layer, such as `name` and `dtype`.

    Raises
    ------
    TypeError
        If an option or the dtype of the inputs is wrong.
    ValueError
        If an option or the shape of the inputs is out of range.
    NotImplementedError
        If a model with this layer is exported to LiteRT, which has no float64.

    Notes
    -----
    Input shape: (N, H, W, C) or (H, W, C), C 1 or 3; output shape and dtype: the input's. See
    `Enhance` for dtypes and exactness.
    """

    def __init__(
        self,
        percentiles: tuple[float, float] = _DEFAULT.percentiles,  # type: ignore[assignment]
        *,
        bits: int | None = None,
        bit_depth: int | None = None,
        value_range: tuple[float, float] | None = None,
        data_format: str = "channels_last",
        **kwargs: Any,
    ) -> None:
        if percentiles is None:
            raise TypeError("`percentiles` must be two numbers (low, high); got None.")
        params = EnhanceParams(percentiles=percentiles, clip_limit=None, bits=bits)
        self.percentiles = params.percentiles
        super().__init__(
            params,
            channels=(1, 3),
            bit_depth=bit_depth,
            value_range=value_range,
            data_format=data_format,
            **kwargs,
        )

    @staticmethod
    def _graph(levels: Any, params: EnhanceParams, bits: int) -> Any:
        assert params.percentiles is not None
        return graph.white_balance(levels, params.percentiles, bits)

    def _kernels(self, images: Any) -> Any:
        result = np.empty(images.shape, images.dtype)
        for image, out in zip(images, result, strict=True):
            cxr_enhance.white_balance(
                image,
                percentiles=self._params.percentiles,  # type: ignore[arg-type]
                bits=self._params.bits,
                out=out,
            )
        return result

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        options = self._params.to_dict()
        return {**super().get_config(), **{name: options[name] for name in ("percentiles", "bits")}}


@registered
class OpenCVCLAHE(ImageLayer):
    """Equalize contrast tile by tile with OpenCV's bytes: `cxr_enhance.clahe` as a graph.

    The layer is named after OpenCV because Keras has a similar layer,
    ``ContrastLimitedAdaptiveHistogramEqualization``. Results of the Keras layer differ from
    OpenCV's by up to 19 levels. It takes the grid as (rows, columns), and the default of its
    `clip_limit` is 4.

    Parameters
    ----------
    clip_limit : float, default 2.0
        Ceiling of a bin as a multiple of the tile's mean bin count; 0 turns clipping off.
    tile_grid_size : (int, int), default (16, 16)
        Number of tiles as (columns, rows), OpenCV's order.
    bit_shift : int, default 0
        Number of low bits that are dropped before counting: OpenCV's ``setBitShift``.
    num_bins, bits : int or None, default None
        Number of gray levels that are counted, and bit depth of the values and results, as for
        `cxr_enhance.clahe`. In graphs, values of more bits are clipped.
    bit_depth, value_range : optional
        As in `Enhance`.
    data_format : {"channels_last"}
        Layout of the axes; there is no other choice.
    **kwargs
        Options of every Keras layer, such as `name` and `dtype`.

    Raises
    ------
    TypeError
        If an option or the dtype of the inputs is wrong.
    ValueError
        If an option or the shape of the inputs is out of range.

    Notes
    -----
    Input shape: (N, H, W, C) or (H, W, C), with any known C; each channel is equalized separately.
    Output shape and dtype: the input's. See `Enhance` for dtypes, exactness and memory. This layer
    needs no float64 and can also be exported to LiteRT.

    References
    ----------
    .. [1] OpenCV, modules/imgproc/src/clahe.cpp.
    """

    def __init__(
        self,
        clip_limit: float = _DEFAULT.clip_limit,  # type: ignore[assignment]
        tile_grid_size: tuple[int, int] = _DEFAULT.tile_grid_size,
        *,
        bit_shift: int = _DEFAULT.bit_shift,
        num_bins: int | None = None,
        bits: int | None = None,
        bit_depth: int | None = None,
        value_range: tuple[float, float] | None = None,
        data_format: str = "channels_last",
        **kwargs: Any,
    ) -> None:
        if clip_limit is None:
            raise TypeError("`clip_limit` must be a number; got None. Use 0 to turn clipping off.")
        params = EnhanceParams(
            percentiles=None,
            clip_limit=clip_limit,
            tile_grid_size=tile_grid_size,
            bit_shift=bit_shift,
            num_bins=num_bins,
            bits=bits,
        )
        super().__init__(
            params,
            channels=None,
            bit_depth=bit_depth,
            value_range=value_range,
            data_format=data_format,
            **kwargs,
        )

    @staticmethod
    def _graph(levels: Any, params: EnhanceParams, bits: int) -> Any:
        channels = levels.shape[-1]
        if channels == 1:
            return graph.clahe(levels[..., 0], params, bits)[..., None]
        height, width = (graph.size_of(levels, axis) for axis in (1, 2))
        planes = ops.reshape(ops.transpose(levels, (0, 3, 1, 2)), (-1, height, width))
        planes = graph.clahe(planes, params, bits)
        planes = ops.reshape(planes, (-1, channels, height, width))
        return ops.transpose(planes, (0, 2, 3, 1))

    def _kernels(self, images: Any) -> Any:
        channels = [images[..., c : c + 1] for c in range(images.shape[-1])]
        done = [cxr_enhance.enhance_batch(channel, self._params) for channel in channels]
        return np.concatenate(done, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        options = self._params.to_dict()
        names = ("clip_limit", "tile_grid_size", "bit_shift", "num_bins", "bits")
        return {**super().get_config(), **{name: options[name] for name in names}}
