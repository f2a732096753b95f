"""Functions for `tf.data` that run the library's kernels: from images or files to images.

Each element of a dataset is one call into Python (`tf.numpy_function`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import tensorflow as tf
except ImportError as error:
    raise ImportError(
        "tensorflow is needed for cxr_enhance.adapters.tf_data. "
        'Install it with: pip install "cxr-enhance[tf]"'
    ) from error

import cxr_enhance
from cxr_enhance.adapters._tensorflow.loading import Loader
from cxr_enhance.adapters._value_range import (
    TENSORFLOW,
    bits_of,
    check_precision,
    check_value_range,
    through_levels,
)
from cxr_enhance.adapters.exit_guard import refused_at_exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance import EnhanceParams
    from cxr_enhance.adapters._tensorflow.loading import Resize
    from cxr_enhance.preparation.options import DType, Fit, Interpolation

_ALIGNMENT = 64  # bytes, of TensorFlow's own buffers
_SHAPES = "(H, W), (H, W, C), (N, H, W) or (N, H, W, C), C being 1 or 3"


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def enhance_op(
    params: EnhanceParams | None = None,
    *,
    num_threads: int | None = None,
    value_range: tuple[float, float] | None = None,
) -> Callable[[Any], Any]:
    """Make a function for `Dataset.map` that enhances an image or a batch.

    Each result equals that of `cxr_enhance.enhance` for the same image.

    Parameters
    ----------
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    num_threads : int, optional
        Number of threads that share a batch; None uses every CPU this process may use. A single
        image runs on one thread: map single images with `num_parallel_calls`.
    value_range : (float, float), optional
        Black and white of float images, such as (0, 1) or (0, 255). None refuses float images,
        because TensorFlow has no usual range.

    Returns
    -------
    callable
        Takes a uint8, uint16 or float tensor of shape (H, W), (H, W, 1), (H, W, 3), (N, H, W),
        (N, H, W, 1) or (N, H, W, 3). The static sizes may be unknown, except the number of
        channels. In a tensor of three axes, a last size of 1 or 3 is the number of channels.
        Returns the result of `enhance` or `enhance_batch`, with static shape and dtype set. Raises
        TypeError and ValueError when the graph is built, if the static shape and dtype show the
        error.

    Raises
    ------
    TypeError
        If an option has the wrong type.
    ValueError
        If an option is out of range.

    See Also
    --------
    load_and_enhance_op : Read the images from files.
    cxr_enhance.adapters.keras_layers.Enhance : A layer for models that are to be exported.

    Notes
    -----
    The function is stateless. It works with ``deterministic=True``, iterator checkpoints,
    `Dataset.cache`, `Dataset.save` and the tf.data service of the same process. Every result is a
    new array; the input is not modified.

    Each element is one call into Python, which a SavedModel cannot store. Map small images in
    batches (`map` after `batch`), because the call takes longer than the enhancement of a
    224 x 224 image. From about 1024 x 1024 pixels on, batches are not faster.

    Floats are rounded to ``2**params.bits`` levels. Where ``params.bits`` is None, there are 256
    levels for the range (0, 255) and 65,536 levels for other ranges. Rounding changes a value by at
    most half a level, which is 7.7e-6 of the range for 65,536 levels. The result equals that of
    `enhance` for the rounded levels. Values outside the range by at most half a level are clipped;
    other values outside the range end the iteration with an error.

    Examples
    --------
    >>> import tensorflow as tf, numpy as np  # doctest: +SKIP
    >>> from cxr_enhance.adapters.tf_data import enhance_op
    >>> images = tf.data.Dataset.from_tensor_slices(np.zeros((8, 64, 64), np.uint8))
    >>> images.batch(4).map(enhance_op()).element_spec.shape
    TensorShape([None, 64, 64])
    """
    cxr_enhance.enhance_batch([], params, num_threads=num_threads)  # checks the options
    rgb = params is not None and params.output == "rgb"
    floats = check_value_range(value_range, None)

    def run(images: Any, batched: bool, channels: list[int]) -> Any:
        if images.dtype not in (np.uint8, np.uint16):
            return through_levels(
                lambda levels: run(levels, batched, channels),
                images,
                floats,  # type: ignore[arg-type]
                bits=None if params is None else params.bits,
                name="images",
                suggestions=TENSORFLOW,
            )
        out = _empty_aligned((*images.shape[: 3 if batched else 2], *channels), images.dtype)
        if batched:
            return cxr_enhance.enhance_batch(images, params, num_threads=num_threads, out=out)
        return cxr_enhance.enhance(images, params, out=out)

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def apply(images: Any, *others: Any) -> Any:
        images = _one_tensor(images, others, "images")
        shape = _check(images, params, floats)
        batched = len(shape) == 4 or (len(shape) == 3 and shape[-1] not in (1, 3))
        spatial = shape[:3] if batched else shape[:2]
        channels = [3] if rgb else [1] if shape[len(spatial) :] == [1] else []
        # With `stateful=True`, tf.data would run calls one at a time, and iterators could not be
        # checkpointed.
        result = tf.numpy_function(
            refused_at_exit(lambda array: run(array, batched, channels)),
            [images],
            images.dtype,
            stateful=False,
        )
        return tf.ensure_shape(result, [*spatial, *channels])

    return apply  # type: ignore[no-any-return]


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def load_and_enhance_op(
    size: tuple[int, int],
    params: EnhanceParams | None = None,
    *,
    encoded: bool = False,
    on_error: str = "raise",
    resize: Resize = "after",
    interpolation: Interpolation = "linear",
    dtype: DType = "uint8",
    fit: Fit = "squash",
    crop_border: bool = False,
    num_threads: int | None = None,
) -> Callable[[Any], Any]:
    """Make a function for `Dataset.map` from a batch of image files to a batch of images.

    One call reads, enhances and resizes the files of a batch on several threads. Each result equals
    that of `cxr_enhance.prepare` for the same image.

    Parameters
    ----------
    size : (int, int)
        Height and width of the returned images, in pixels.
    params : EnhanceParams, optional
        The options; None uses the defaults, which are those of the COVIDLite study.
    encoded : bool, default False
        True if elements are the contents of files, False if they are file names.
    on_error : {"raise", "skip", "zeros"}, default "raise"
        What to do with a file that cannot be read or enhanced. "raise" raises an error that names
        the file. "skip" leaves the file out. "zeros" returns zeros in its place. "skip" and "zeros"
        log a warning that names the file.
    resize : {"after", "before"}, default "after"
        Whether images are resized after the enhancement or before it. The COVIDLite study resized
        them before it.
    interpolation : {"nearest", "linear", "cubic", "area"}, default "linear"
        OpenCV's interpolation for resizing.
    dtype : {"uint8", "uint16"}, default "uint8"
        Dtype of the result. Images are enhanced at their own bit depth, or at ``params.bits``. Then
        the values are scaled so that white becomes the white of this dtype: 16-bit values are
        divided by 257 and rounded to give 8 bits, and 8-bit values are multiplied by 257 to give 16
        bits.
    fit : {"squash", "pad", "crop"}, default "squash"
        How images of another aspect ratio are fitted to `size`; see `cxr_enhance.Preparation`.
    crop_border : bool, default False
        Whether a uniform frame and the area shaded by a collimator are cropped first.
    num_threads : int, optional
        Number of threads that share a batch; None uses every CPU this process may use.

    Returns
    -------
    callable
        Takes a string tensor of shape (N,). With ``on_error="raise"``, returns the images, of shape
        (N, height, width, 1), or (N, height, width, 3) if ``params.output`` is "rgb". Otherwise
        returns a pair: the images, which are fewer than N if files were skipped, and a bool tensor
        of shape (N,), which is True for files that could be used. The bool tensor is for
        ``tf.boolean_mask(labels, usable)``.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a value is out of range.
    ImportError
        If OpenCV is missing.

    Notes
    -----
    Colour files are read as RGB; ``params.channel_order`` "bgr" is an error. The function is
    stateless, as that of `enhance_op`. Memory: the batch, and one decoded file for each thread.

    Examples
    --------
    >>> import tensorflow as tf  # doctest: +SKIP
    >>> from cxr_enhance.adapters.tf_data import load_and_enhance_op
    >>> files = tf.data.Dataset.list_files("scans/*.png").batch(32)
    >>> images = files.map(load_and_enhance_op((224, 224)), num_parallel_calls=2)
    """
    load = Loader(
        size,
        params,
        encoded=encoded,
        on_error=on_error,
        resize=resize,
        interpolation=interpolation,
        dtype=dtype,
        fit=fit,
        crop_border=crop_border,
        num_threads=num_threads,
    )

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def apply(sources: Any, *others: Any) -> Any:
        sources = _one_tensor(sources, others, "sources")
        if sources.dtype != tf.string or sources.shape.rank != 1:
            raise TypeError(
                "`sources` must be a string tensor of shape (N,); got dtype "
                f"{sources.dtype.name}, shape {sources.shape}. Call `batch` before `map`."
            )
        images, usable = tf.numpy_function(
            refused_at_exit(load), [sources], (dtype, tf.bool), stateful=False
        )
        usable = tf.ensure_shape(usable, sources.shape)
        count = None if on_error == "skip" else sources.shape[0]
        images = tf.ensure_shape(images, [count, *load.shape])
        return images if on_error == "raise" else (images, usable)

    return apply  # type: ignore[no-any-return]


def _one_tensor(value: Any, others: tuple[Any, ...], name: str) -> Any:
    """Return `value` as a tensor; raise with a correction if an element is not one tensor."""
    if isinstance(value, dict):
        key = next((key for key, part in value.items() if _may_be_image(part)), "image")
        raise TypeError(
            f"`{name}` must be one tensor; got elements of a dict. Take it out with "
            f"data.map(lambda element: {{**element, {key!r}: op(element[{key!r}])}})."
        )
    if others or isinstance(value, tuple):
        kind = f"{1 + len(others)} components" if others else f"a {type(value).__name__}"
        raise TypeError(
            f"`{name}` must be one tensor; got elements of {kind}. Take it out, for instance "
            "data.map(lambda image, *others: (op(image), *others))."
        )
    if isinstance(value, tf.RaggedTensor | tf.SparseTensor):
        is_sparse = isinstance(value, tf.SparseTensor)
        cure = "Use tf.sparse.to_dense" if is_sparse else "Map images before they are put together"
        raise TypeError(f"`{name}` must be a dense tensor; got {type(value).__name__}. {cure}.")
    return tf.convert_to_tensor(value)


def _may_be_image(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and (value.shape.rank is None or value.shape.rank >= 2)


def _empty_aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return a new array whose memory is aligned as TensorFlow needs it.

    TensorFlow uses such an array without a copy. It copies other arrays while it holds the GIL.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    memory = np.empty(nbytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + nbytes].view(dtype).reshape(shape)


def _check_dtype(images: Any, floats: tuple[float, float] | None, bits: int | None) -> None:
    """Raise unless `images` are uint8, uint16, or floats with a range that fits the dtype."""
    dtype = images.dtype
    if dtype in (tf.uint8, tf.uint16):
        return
    if dtype.is_floating and floats is not None:
        check_precision(dtype.name, floats, bits_of(floats, bits), "images", TENSORFLOW)
        return
    cure = ""
    if dtype.is_floating:
        cure = (
            " For floats, pass the values of black and white: enhance_op(value_range=(0, 1)) or "
            "enhance_op(value_range=(0, 255))."
        )
    elif dtype.is_bool:
        cure = " Use tf.cast(images, tf.uint8) * 255."
    elif dtype.is_integer:
        cure = (
            " For values 0..255, use tf.cast(images, tf.uint8); for 0..65535, tf.cast(images, "
            "tf.uint16)."
        )
    raise TypeError(f"`images` must have dtype uint8 or uint16; got {dtype.name}.{cure}")


def _check(
    images: Any, params: EnhanceParams | None, floats: tuple[float, float] | None
) -> list[int | None]:
    """Return the static shape; raise while the graph is built if the kernels would refuse it."""
    depth = params.bits if params else None
    _check_dtype(images, floats, depth)
    if images.shape.rank is None:
        raise ValueError(
            f"`images` must have shape {_SHAPES}; got an unknown rank. Set it with tf.ensure_shape "
            "(and expand_animations=False in tf.io.decode_image)."
        )
    shape: list[int | None] = images.shape.as_list()
    if len(shape) not in (2, 3, 4) or (len(shape) == 4 and shape[-1] not in (1, 3)):
        cure = ""
        if len(shape) == 4 and shape[-1] is None:
            sizes = ", ".join(map(str, shape[:3]))
            cure = (
                f" Set it with tf.ensure_shape(images, ({sizes}, 1)) where images are gray, or "
                f"({sizes}, 3)."
            )
        if len(shape) in (3, 4) and shape[-1] in (2, 4):
            cure = f" Drop the alpha channel with images[..., :{shape[-1] - 1}]."
        raise ValueError(f"`images` must have shape {_SHAPES}; got {tuple(shape)}.{cure}")
    if len(shape) == 3 and shape[-1] is None:
        raise ValueError(
            f"`images` must have shape {_SHAPES}, the last size known; got {tuple(shape)}. Set it "
            "with tf.ensure_shape."
        )
    spatial = shape[1:3] if len(shape) == 4 or shape[-1] not in (1, 3) else shape[:2]
    if len(shape) == 2:
        spatial = shape
    if 0 in spatial:
        raise ValueError(f"`images` must have at least one pixel each; got shape {tuple(shape)}.")
    height, width = (size or 1 for size in spatial)
    is_float = floats and images.dtype.is_floating
    bits = bits_of(floats, depth) if floats and is_float else 8 * images.dtype.size
    cxr_enhance.EnhanceParams.or_default(params).check_for(
        height, width, np.uint8 if bits <= 8 else np.uint16
    )
    return shape
