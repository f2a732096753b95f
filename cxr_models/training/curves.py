"""The curves of a run as a picture: loss and accuracy over the epochs of all phases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_enhance.io.atomic import replaces_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


def write_curves(path: str | os.PathLike[str], history: Sequence[dict[str, Any]]) -> None:
    """Draw the rows of a history.

    Parameters
    ----------
    path : str or PathLike
        PNG to write, replaced if it exists.
    history : sequence of dict
        As `RunFolder.read_history` gives them.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    OSError
        If the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "matplotlib is needed to draw training curves. "
            'Install it with: pip install "cxr-enhance[models]"'
        ) from error
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = range(1, len(history) + 1)
    starts = [i for i in range(1, len(history)) if history[i]["phase"] != history[i - 1]["phase"]]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(epochs, [row[name] for row in history], label="train", marker=".")
        axes.plot(epochs, [row[f"val_{name}"] for row in history], label="val", marker=".")
        for start in starts:
            axes.axvline(start + 0.5, color="0.6", linestyle="--", linewidth=1)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.legend()
    with replaces_whole(Path(path)) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
