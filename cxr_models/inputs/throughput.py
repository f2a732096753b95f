"""Measurement of the speed of batches, and of the time that a consumer waits for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_WARM_UP = 2  # batches that fill the queue and compile the step


class Throughput(NamedTuple):
    """Number of images per second, and share of the time spent waiting for batches, 0..1."""

    images_per_second: float
    waiting_share: float


def measure(
    batches: Iterable[Any], count: int, step: Callable[[Any], object] | None = None
) -> Throughput:
    """Measure the throughput of batches, with an optional step after each batch.

    Parameters
    ----------
    batches : iterable
        Batches, as tuples. The length of the first element is the number of images.
    count : int
        Number of batches to measure. Two batches before them are not counted.
    step : callable, optional
        Function that is called with each batch, such as a training step. None calls nothing; the
        share of waiting is then 1.

    Returns
    -------
    Throughput
        Means over the measured batches.

    Raises
    ------
    ValueError
        If `count` is less than 1, or there are fewer than ``count + 2`` batches.
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1; got {count!r}.")
    source = iter(batches)
    images, waiting_seconds, began = 0, 0.0, 0.0
    for number in range(_WARM_UP + count):
        if number == _WARM_UP:
            began = time.perf_counter()
        request_time = time.perf_counter()
        try:
            batch = next(source)
        except StopIteration as error:
            raise ValueError(
                f"`batches` must be at least {_WARM_UP + count}; got {number}."
            ) from error
        arrival_time = time.perf_counter()
        if step is not None:
            step(batch)
        if number >= _WARM_UP:
            waiting_seconds += arrival_time - request_time
            images += len(batch[0])
    seconds = time.perf_counter() - began
    return Throughput(images / seconds, waiting_seconds / seconds if step is not None else 1.0)
