"""Check of the setting `weights` without loading weights; imports no framework."""

from __future__ import annotations

from pathlib import Path

from cxr_models._settings import suggestion
from cxr_models.config import NO_WEIGHTS_FILE

_SUFFIXES = (".weights.h5", ".h5", ".keras")


def check_weights(weights: str) -> None:
    """Raise unless `weights` is ``imagenet``, ``none``, or an existing file with an allowed suffix.

    Raises
    ------
    ValueError
        If `weights` is something else.
    FileNotFoundError
        If the file does not exist.
    """
    if weights in NO_WEIGHTS_FILE:
        return
    if not Path(weights).name.endswith(_SUFFIXES):
        raise ValueError(
            f"`weights` must be imagenet, none, or a file that ends in {', '.join(_SUFFIXES)}; "
            f"got {weights!r}.{suggestion(weights, NO_WEIGHTS_FILE)}"
        )
    if not Path(weights).is_file():
        raise FileNotFoundError(f"`weights` must name a file that exists; got {weights!r}")
