"""TensorFlow datasets of batches of images and targets, prefetched on all CPUs.

Augmentation and the preprocessing of the backbone are layers of the model, so that an accelerator
runs them. Images of this module are uint8, which need a quarter of the bytes of float32.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import tensorflow as tf
except ModuleNotFoundError as error:
    if error.name != "tensorflow":  # a dependency of TensorFlow is missing
        raise
    raise ImportError(
        "tensorflow is needed for cxr_models.inputs.pipeline. "
        'Install it with: pip install "cxr-enhance[models]"'
    ) from error

from cxr_enhance.adapters.exit_guard import refused_at_exit
from cxr_models.inputs.loader import ImageLoader, cached_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cxr_models.config import DataConfig
    from cxr_models.inputs.targets import Targets

# Errors of reading an image that are raised again with their original type.
_PASSED_ON = (OSError, ValueError, TypeError, ImportError, MemoryError)
_PREFETCH_BATCHES = 4


def class_weights(targets: Targets) -> dict[int, float]:
    """Return weights of the classes, in inverse proportion to their numbers of images.

    The mean weight over all images is 1.
    """
    values, counts = np.unique(targets, return_counts=True)
    return {
        int(value): len(targets) / (len(values) * int(count))
        for value, count in zip(values, counts, strict=True)
    }


def image_source(config: DataConfig, paths: Sequence[str]) -> Callable[[Any], Any]:
    """Return a function from an array of indices of `paths` to a batch of images.

    The images come from the cache if `config` has a cache folder.
    """
    if config.cache_dir is not None:
        images = cached_images(config, paths, config.cache_dir)
        return lambda places: images[places]  # indexing copies, as TensorFlow requires
    load = ImageLoader(config)
    return lambda places: load([paths[place] for place in places])


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Raise the original error of reading an image instead of the error of TensorFlow about it."""
    try:
        yield
    except tf.errors.OpError as error:
        original = _original_error(error.message or "")
        if original is None:
            raise
        raise original from error


def _original_error(account: str) -> Exception | None:
    """Return the exception that a message of TensorFlow contains; None if it contains none.

    Type and text are restored; for an OSError the error number and the file, too.
    """
    for name, words in re.findall(r"\b(\w+Error): (.+)", account):
        exception_type = getattr(builtins, name, type(None))
        kind = next((kind for kind in _PASSED_ON if issubclass(exception_type, kind)), None)
        with_number = re.fullmatch(r"""\[Errno (\d+)\] (.+?): ('.+'|".+")""", words)
        if kind is OSError and with_number:
            return OSError(int(with_number[1]), with_number[2], ast.literal_eval(with_number[3]))
        if kind is not None:
            return kind(words)
    return None


def evaluation_batches(
    config: DataConfig, paths: Sequence[str], targets: Targets, batch_size: int
) -> Any:
    """Return a dataset of batches (images, targets) that contains each image once, in order.

    Parameters
    ----------
    config : DataConfig
        Settings of the images: size, fit, border, order, enhancement and cache.
    paths : sequence of str
        Paths of N image files.
    targets : ndarray of shape (N,) or (N, K), dtype int32
        Class of each image, or for each of K findings 1 (present), 0 (absent) or -1 (unknown).
    batch_size : int
        Number of images per batch. The last batch may be smaller.

    Returns
    -------
    tf.data.Dataset
        Batches of uint8 images, shape (B, H, W, C), and float32 targets, shape (B,) or (B, K).
    """
    places = tf.data.Dataset.range(len(paths)).batch(batch_size)
    return _load(places, config, paths, targets)


def training_batches(
    config: DataConfig,
    paths: Sequence[str],
    targets: Targets,
    batch_size: int,
    *,
    seed: int,
    first_epoch: int = 0,
    weights: dict[int, float] | None = None,
) -> Any:
    """Return an endless dataset of batches, in a new random order in each epoch.

    Parameters
    ----------
    config, paths, targets, batch_size
        See `evaluation_batches`.
    seed : int
        Seed of the order. The order depends only on the seed and the number of the epoch, and not
        on the time that images take to read. A resumed run therefore sees the images in the same
        order as an uninterrupted run.
    first_epoch : int, default 0
        Number of the first epoch of the dataset.
    weights : dict of int to float, optional
        Weight of each class. If given, batches have a third element: float32 weights of the
        images, shape (B,).

    Returns
    -------
    tf.data.Dataset
        ``ceil(len(paths) / batch_size)`` batches per epoch. The last batch of an epoch may be
        smaller.
    """
    orders = epoch_orders(len(paths), batch_size, seed=seed, first_epoch=first_epoch)
    places = orders.map(lambda _epoch, batch: batch)
    return _load(places, config, paths, targets, weights)


def epoch_orders(count: int, batch_size: int, *, seed: int, first_epoch: int) -> Any:
    """Return an endless dataset of (epoch, indices of a batch).

    The batches of each epoch contain the numbers 0..count-1 in a random order.
    """

    def order_of_epoch(epoch: Any) -> Any:
        state = tf.stack([tf.cast(seed, tf.int64), epoch])
        order = tf.argsort(tf.random.stateless_uniform([count], seed=state), stable=True)
        batches = tf.data.Dataset.from_tensor_slices(tf.cast(order, tf.int64)).batch(batch_size)
        return batches.map(lambda batch: (epoch, batch))

    return tf.data.Dataset.counter(first_epoch).flat_map(order_of_epoch)


def _load(
    places: Any,
    config: DataConfig,
    paths: Sequence[str],
    targets: Targets,
    weights: dict[int, float] | None = None,
) -> Any:
    source = image_source(config, paths)
    shape = (*config.image_size, config.channels)
    labels = tf.constant(targets, tf.float32)
    factors = None
    if weights is not None:
        factors = tf.constant([weights[int(target)] for target in targets], tf.float32)

    def load(batch: Any) -> tuple[Any, ...]:
        # Without `stateful=False`, tf.data would not run calls of the map in parallel.
        images = tf.numpy_function(refused_at_exit(source), [batch], tf.uint8, stateful=False)
        images = tf.ensure_shape(images, (batch.shape[0], *shape))
        items = (images, tf.gather(labels, batch))
        return items if factors is None else (*items, tf.gather(factors, batch))

    # Each call reads on all CPUs. Two calls in parallel keep the CPUs busy while one call ends.
    # The order of batches is kept (the default of tf.data), because layers draw random numbers by
    # the number of the batch.
    loaded = places.map(load, num_parallel_calls=2)
    return loaded.prefetch(_PREFETCH_BATCHES)
