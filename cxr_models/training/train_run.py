"""Training of a run up to its end, as the command and the library do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from cxr_models.config import RunConfig
    from cxr_models.records.splits import Split
    from cxr_models.training.own_parts import OwnParts
    from cxr_models.training.progress import StepReport


def train_run(
    split: Split,
    config: RunConfig,
    out: str | os.PathLike[str],
    *,
    own: OwnParts | None = None,
    devices: Sequence[str] | None = None,
    say: Callable[[str], object] | None = None,
    watch: Callable[[StepReport], object] | None = None,
) -> RunFolder:
    """Train a run and draw its curves. A run that has ended is left as it is.

    The weights of a run that has ended may have been evaluated, so they never change. The
    parameters and errors are those of `cxr_models.training.train.train`.

    Returns
    -------
    RunFolder
        The folder of the run.
    """
    from cxr_models.training.own_parts import OwnParts  # loads Keras

    folder, own = RunFolder(path=Path(out)), own or OwnParts()
    own.check_resumed(folder, config.training.learning_rate_head)
    has_ended = folder.best_weights.is_file()
    if not has_ended:
        from cxr_models.training.train import train

        train(split, config, out, own=own, devices=devices, say=say, watch=watch)
    elif say is not None:
        say("this run has ended and is not trained again")
    history = folder.read_history()
    if history and not (has_ended and folder.curves_file.exists()):
        from cxr_models.training.curves import write_curves

        write_curves(folder.curves_file, history)
    return folder
