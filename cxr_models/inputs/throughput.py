"""How fast batches come, and how long a consumer waits for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_WARM_UP = 2  # batches that fill the queue and compile the step


class Throughput(NamedTuple):
    """Images a second, and the share of the time that was spent waiting for them, 0..1."""

    images_per_second: float
    waiting_share: float


def measure(
    batches: Iterable[Any], count: int, step: Callable[[Any], object] | None = None
) -> Throughput:
    """Take batches one after the other, each followed by a step.

    Parameters
    ----------
    batches : iterable
        Tuples whose first element has as many items as there are images.
    count : int
        Batches to take, after two that are not counted.
    step : callable, optional
        Called with each batch; None calls nothing, and the share is then 1.

    Returns
    -------
    Throughput
        Means over the batches counted.

    Raises
    ------
    ValueError
        If `count` is below 1 or the batches end too early.
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
