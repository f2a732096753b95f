"""Plot of the training curves: loss and accuracy over the epochs of all phases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cxr_enhance.io.atomic import replace_atomically

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from cxr_models.runs.facts import EpochRow


def write_curves(path: str | os.PathLike[str], history: Sequence[EpochRow]) -> None:
    """Write a plot of the training and validation curves of a run as PNG.

    Parameters
    ----------
    path : str or PathLike
        PNG to write. An existing file is replaced.
    history : sequence of EpochRow
        Rows of the history, at least one.

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
    starts = [i for i in range(1, len(history)) if history[i].phase != history[i - 1].phase]
    losses = [row.loss for row in history], [row.val_loss for row in history]
    accuracies = [row.accuracy for row in history], [row.val_accuracy for row in history]
    curves = (("loss", *losses), ("accuracy", *accuracies))
    for axes, (name, train, val) in zip(figure.subplots(1, 2), curves, strict=True):
        axes.plot(epochs, train, label="train", marker=".")
        axes.plot(epochs, val, label="val", marker=".")
        for start in starts:
            axes.axvline(start + 0.5, color="0.6", linestyle="--", linewidth=1)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.legend()
    with replace_atomically(Path(path)) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
