"""`cxr-models train`: options to a configuration, and on to the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.cli import _console
from cxr_models.config import RunConfig
from cxr_models.records.splits import read_split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def config_of(
    file: Path | None, typed: Mapping[str, object], settings: Sequence[str], *, no_enhance: bool
) -> RunConfig:
    """Return the configuration of `file`, or the defaults, changed by what was typed.

    Raises
    ------
    TypeError, ValueError
        In the words of the records, or if a setting is not ``key=value``.
    OSError
        If the file cannot be read.
    """
    config = RunConfig()
    if file is not None:
        read = RunConfig.from_json if file.suffix == ".json" else RunConfig.from_toml
        try:
            config = read(file.read_text(encoding="utf-8-sig"))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`--config` must hold settings; got {str(file)!r}: {error}"
            ) from error
    for name, value in typed.items():
        if value is not None:
            # Names of files are text even where they look like numbers.
            settings_of_name = config.to_dict()
            section, _, key = name.partition(".")
            settings_of_name[section][key] = value
            config = RunConfig.from_dict(settings_of_name)
    if no_enhance:
        config = config.with_setting("data.enhance", None)
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"`--set` must be key=value; got {setting!r}.")
        config = config.with_setting(name.strip(), text.strip())
    return config


def train(split: Path, out: Path, config: RunConfig) -> int:
    """Train, draw the curves, and say where things lie."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        read = read_split(split)
    with _console.errors_exit_with(_console.FAILED):
        from cxr_models.runs.folder import RunFolder
        from cxr_models.training.curves import write_curves
        from cxr_models.training.schedule import best_epochs
        from cxr_models.training.train import train as train_model

        train_model(read, config, out, say=lambda text: _console.say(_console.printable(text)))
        folder = RunFolder(path=out)
        history = folder.read_history()
        if history:
            write_curves(out / "curves.png", history)
            best = (f"{row['val_accuracy']:.4f} in {row['phase']}" for row in best_epochs(history))
            _console.say(f"best validation accuracy: {', '.join(best)}")
        kept = folder.read_kept()
        if kept is not None:
            _console.say(f"kept the weights of epoch {kept['epoch'] + 1} of {kept['phase']}")
        _console.say(f"wrote {folder.best_weights}")
    return 0
