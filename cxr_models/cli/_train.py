"""`cxr-models train`: make the configuration from the options, and train."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from typing import TYPE_CHECKING

from cxr_enhance.cli.params_file import read_params
from cxr_models.cli import _console
from cxr_models.cli._framework import load_framework
from cxr_models.cli._training_display import TrainingDisplay
from cxr_models.config import RunConfig
from cxr_models.records.splits import read_split
from cxr_models.runs.folder import RunFolder
from cxr_models.training.checks import check_given_epochs, check_run
from cxr_models.training.schedule import best_epochs, monitor_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def config_of(
    file: Path | None,
    typed: Mapping[str, object],
    settings: Sequence[str],
    *,
    no_enhance: bool,
    params_file: Path | None = None,
) -> RunConfig:
    """Return the configuration of `file`, or the defaults, changed by the options.

    `typed` maps names of settings to the values of their options; None means that the option was
    not given. `settings` are the ``key=value`` texts of ``--set``. `params_file` contains only the
    enhancement, which replaces the enhancement of `file`.

    Raises
    ------
    TypeError, ValueError
        If the configuration does not allow a value, a text of `settings` is not ``key=value``,
        `params_file` is given with `no_enhance`, or `typed` or `settings` has a number of epochs of
        fine-tuning other than 0 and the weights are "none".
    OSError
        If a file cannot be read.
    """
    config = RunConfig()
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8-sig")
            # TOML never begins with a brace. The name of a pipe does not end in .json.
            is_json = file.suffix.lower() == ".json" or text.lstrip().startswith("{")
            config = RunConfig.from_json(text) if is_json else RunConfig.from_toml(text)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`--config` must hold settings; got {str(file)!r}: {error}"
            ) from error
    # A str is encoded as JSON, so that the name of a file stays a str even if it looks like a
    # number.
    changes: list[tuple[str, object]] = [
        (name, json.dumps(value) if isinstance(value, str) else value)
        for name, value in typed.items()
        if value is not None
    ]
    if params_file is not None:
        if no_enhance:
            raise ValueError("`--params` is only allowed without --no-enhance.")
        changes.append(("data.enhance", read_params(params_file).to_dict()))
    if no_enhance:
        changes.append(("data.enhance", None))
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"`--set` must be key=value; got {setting!r}.")
        changes.append((name.strip(), text.strip()))
    config = config.with_settings(changes)
    check_given_epochs([name for name, _ in changes], config)
    return config


def train(split: Path, out: Path, config: RunConfig) -> int:
    """Train, draw the curves, and print the best epochs and the path of the weights; return 0."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        checked_split = read_split(split)
        check_run(checked_split, config, out)
    folder = RunFolder(path=out)
    display = TrainingDisplay()
    with _console.errors_exit_with(_console.FAILED), _says_how_to_go_on(split, folder, display):
        devices = load_framework("tensorboard", "matplotlib")
        display.say(f"running on {', '.join(devices) or 'the CPU'}")
        from cxr_models.training.train import train as train_run

        train_run(checked_split, config, out, say=display.say, watch=display.watch)
        history = folder.read_history()
        if history:
            monitor = monitor_of(config.model)
            best = (
                f"{getattr(row, monitor):.4f} in {row.phase}"
                for row in best_epochs(history, monitor)
            )
            what = "accuracy" if monitor == "val_accuracy" else "loss of known labels"
            display.say(f"best validation {what}: {', '.join(best)}")
        kept_epoch = folder.read_facts().kept
        if kept_epoch is not None:
            display.say(f"kept the weights of epoch {kept_epoch.epoch + 1} of {kept_epoch.phase}")
        display.say(f"wrote {folder.best_weights}")
    return 0


@contextlib.contextmanager
def _says_how_to_go_on(split: Path, folder: RunFolder, display: TrainingDisplay) -> Iterator[None]:
    """After an interruption, print the kept epochs and the command that resumes, and exit with 130.

    The process then ends at once. The progress bar is removed in every case.
    """
    try:
        yield
    except KeyboardInterrupt:
        display.close()
        _console.complain("")
        _console.complain(_console.printable(_how_to_go_on(split, folder)))
        _console.leave_at_once(_console.INTERRUPTED)  # TensorFlow's own exit takes seconds
    finally:
        display.close()


def _how_to_go_on(split: Path, folder: RunFolder) -> str:
    if not (folder.config_file).is_file():
        return "stopped before anything was written; give the same command to begin again"
    epochs = folder.epochs_kept()
    backend = os.environ.get("KERAS_BACKEND")
    words = ["env", f"KERAS_BACKEND={backend}"] if backend else []
    words += ["cxr-models", "train", str(split), "--config", str(folder.config_file)]
    command = shlex.join([*words, "--out", str(folder.path)])
    return f"stopped; whole epochs that are kept: {epochs}. Go on with: {command}"
