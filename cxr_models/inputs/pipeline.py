"""Records to tf.data: paths to batches of images and labels, read ahead on all CPUs.

Augmentation and the backbone's preprocessing are layers of the model, where an accelerator does
them; batches of this module are uint8, a quarter of the bytes.
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

_PASSED_ON = (OSError, ValueError, TypeError, ImportError, MemoryError)  # of reading an image
_PREFETCH_BATCHES = 4


def class_weights(targets: Targets) -> dict[int, float]:
    """Weigh classes in inverse proportion to their number; over all images the mean is 1."""
    values, counts = np.unique(targets, return_counts=True)
    return {
        int(value): len(targets) / (len(values) * int(count))
        for value, count in zip(values, counts, strict=True)
    }


def image_source(config: DataConfig, paths: Sequence[str]) -> Callable[[Any], Any]:
    """Return a function from places in `paths` to images, from the cache if there is to be one."""
    if config.cache_dir is not None:
        images = cached_images(config, paths, config.cache_dir)
        return lambda places: images[places]  # a fresh array, as TensorFlow must have
    load = ImageLoader(config)
    return lambda places: load([paths[place] for place in places])


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Raise the error of reading an image in place of TensorFlow's message about it."""
    try:
        yield
    except tf.errors.OpError as error:
        original = _original_error(error.message or "")
        if original is None:
            raise
        raise original from error


def _original_error(account: str) -> Exception | None:
    """Return the exception that a TensorFlow message holds: kind, words, number and file."""
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
    """Make a dataset of (images, targets) in order, once, the last batch as small as it comes.

    Parameters
    ----------
    config : DataConfig
        Size, order, enhancement and cache.
    paths : sequence of str
        Files.
    targets : ndarray of shape (N,) or (N, K), dtype int32
        Their classes, or of each of K findings 1, 0, or -1 where it is unknown.
    batch_size : int
        Images a batch.

    Returns
    -------
    tf.data.Dataset
        Of uint8 (B, H, W, C) and float32 (B,) or (B, K).
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
    """Make a dataset without end: epoch after epoch, each in an order of its own.

    Parameters
    ----------
    config, paths, targets, batch_size
        As for `evaluation_batches`.
    seed : int
        The order is a function of it and of the epoch's number alone, however long images take to
        read, so that a run that is resumed goes on as it would have gone.
    first_epoch : int, default 0
        Number of the epoch to begin with.
    weights : dict of int to float, optional
        Weight of each class; adds a third element, float32 (B,).

    Returns
    -------
    tf.data.Dataset
        ``ceil(len(paths) / batch_size)`` batches an epoch, the last as small as it comes.
    """
    orders = epoch_orders(len(paths), batch_size, seed=seed, first_epoch=first_epoch)
    places = orders.map(lambda _epoch, batch: batch)
    return _load(places, config, paths, targets, weights)


def epoch_orders(count: int, batch_size: int, *, seed: int, first_epoch: int) -> Any:
    """Make a dataset without end of (epoch, places of a batch): a shuffled 0..count-1 an epoch."""

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
        # `stateful=False`, or tf.data runs the map one by one.
        images = tf.numpy_function(refused_at_exit(source), [batch], tf.uint8, stateful=False)
        images = tf.ensure_shape(images, (batch.shape[0], *shape))
        items = (images, tf.gather(labels, batch))
        return items if factors is None else (*items, tf.gather(factors, batch))

    # Each call reads on all CPUs already; two at a time hide its ends. Batches keep their order, as
    # is tf.data's default: layers draw their random numbers by the number of a batch.
    loaded = places.map(load, num_parallel_calls=2)
    return loaded.prefetch(_PREFETCH_BATCHES)
