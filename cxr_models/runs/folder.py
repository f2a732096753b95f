"""The folder of a run: settings, origin, history, best weights, and what is needed to resume.

Files appear whole or not at all, so that a run killed at any moment can go on.
"""

from __future__ import annotations

import csv
import json
import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_enhance.io.atomic import replaces_whole, write_whole
from cxr_models._json import read_json
from cxr_models.config import RunConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

HISTORY_COLUMNS = (
    "phase",
    "epoch",
    "learning_rate",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "seconds",
)
KEPT = "kept"  # in run.json: the epoch that the best weights are of
_KEPT = ("phase", "epoch", "val_accuracy")
_READ = ("config.json", "run.json", "split.csv", "history.csv", "best.weights.h5", "evaluation")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Names and contents of a run's files.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def best_weights(self) -> Path:
        """Weights of the best epoch of all phases, once the run has ended."""
        return self.path / "best.weights.h5"

    def best_of(self, phase: str) -> Path:
        """Weights of the best epoch of a phase so far."""
        return self.path / "phases" / f"{phase}.weights.h5"

    def check_confined(self) -> None:
        """Check that what is read of a run, and where its evaluation goes, lies in its folder.

        Raises
        ------
        ValueError
            If one of its files is a link to elsewhere.
        """
        inside = self.path.resolve()
        for path in (
            *map(self.path.joinpath, _READ),
            *sorted((self.path / "evaluation").glob("*")),
        ):
            if not path.resolve().is_relative_to(inside):
                raise ValueError(
                    f"`RUN` must hold its own files; got {str(self.path)!r}, whose "
                    f"{path.relative_to(self.path)} is a link to elsewhere. Copy what it links to "
                    "into the folder."
                )

    def check(self, config: RunConfig, facts: dict[str, Any]) -> None:
        """Check that the folder is new or an earlier start of the same run; write nothing.

        Raises
        ------
        ValueError
            If the folder holds another run, or files that are none.
        """
        config_file, facts_file = self.path / "config.json", self.path / "run.json"
        if not config_file.exists() and self.path.exists() and any(self.path.iterdir()):
            raise ValueError(
                f"`--out` must be a new folder or that of a run; got {str(self.path)!r}, which "
                "holds other files."
            )
        if not facts_file.exists():
            self._check_config(config)
            return
        try:
            former = read_json(facts_file)["split_sha256"]
            earlier = RunConfig.from_json(config_file.read_text(encoding="utf-8"))
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(
                "`--out` must hold config.json and run.json as training wrote them; got "
                f"{str(self.path)!r}: {error}"
            ) from error
        if earlier != config or former != facts["split_sha256"]:
            what = "other settings" if earlier != config else "another split"
            raise ValueError(
                f"`--out` must be a new folder, or that of the same run to resume it; got "
                f"{str(self.path)!r}, whose run has {what}."
            )

    def _check_config(self, config: RunConfig) -> None:
        """Check that the settings of a start that was stopped at once, if there are any, are ours.

        Raises
        ------
        ValueError
            If config.json is that of another run or another program.
        """
        config_file = self.path / "config.json"
        if not config_file.exists():
            return
        try:
            same = RunConfig.from_json(config_file.read_text(encoding="utf-8")) == config
        except (TypeError, ValueError):
            same = False
        if not same:
            raise ValueError(
                f"`--out` must be a new folder, or that of the same run to resume it; got "
                f"{str(self.path)!r}, whose config.json holds something else."
            )

    def begin(self, config: RunConfig, facts: dict[str, Any]) -> None:
        """Make the folder, unless an earlier start of the run made it; see `check`."""
        self.check(config, facts)
        if (self.path / "run.json").exists():
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "config.json", config.to_json())  # first: it makes this a run
        (self.path / "phases").mkdir(exist_ok=True)
        (self.path / "backup").mkdir(exist_ok=True)
        write_whole(self.path / "run.json", json.dumps(facts, indent=2) + "\n")

    def read_kept(self) -> dict[str, Any] | None:
        """Return the phase, epoch and validation accuracy of the weights kept; None if not known.

        Runs that an earlier version ended do not tell: they kept the best of the last phase.
        """
        facts = read_json(self.path / "run.json")
        kept = facts.get(KEPT) if isinstance(facts, dict) else None
        return kept if isinstance(kept, dict) and {*kept} == {*_KEPT} else None

    def write_kept(self, row: Mapping[str, Any]) -> None:
        """Write into run.json which row of the history the weights kept are of."""
        path = self.path / "run.json"
        kept = {name: row[name] for name in _KEPT}
        write_whole(path, json.dumps({**read_json(path), KEPT: kept}, indent=2) + "\n")

    def read_history(self) -> list[dict[str, Any]]:
        """Return the rows of the history; numbers as numbers.

        Raises
        ------
        ValueError
            If the file is not as `write_history` writes it.
        OSError
            If it cannot be read.
        """
        path = self.path / "history.csv"
        if not path.exists():
            return []
        try:
            with path.open(encoding="utf-8", newline="") as file:
                lines = csv.DictReader(file, strict=True, restval="")
                rows = list(lines)
                if not {*HISTORY_COLUMNS} <= {*(lines.fieldnames or ())}:
                    raise ValueError(f"its columns are {reprlib.repr(lines.fieldnames)}")
            return [
                {
                    name: row[name] if name == "phase" else _number(row[name])
                    for name in HISTORY_COLUMNS
                }
                for row in rows
            ]
        except (ValueError, TypeError, csv.Error) as error:
            raise ValueError(
                f"`history.csv` must have the columns {', '.join(HISTORY_COLUMNS)} and numbers in "
                f"them; got {str(path)!r}: {error}."
            ) from error

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write the rows of the history."""
        lines = [",".join(HISTORY_COLUMNS)]
        lines += [",".join(str(row[name]) for name in HISTORY_COLUMNS) for row in rows]
        write_whole(self.path / "history.csv", "\n".join(lines) + "\n")

    def newest_backup(self) -> tuple[Path, int, int] | None:
        """Return the newest backup, the number of its phase, and its epochs done; or None."""
        found = self._backups()
        if not found:
            return None
        phase, epochs, path = max(found)
        return path, phase, epochs

    def epochs_kept(self) -> int:
        """Count the epochs, of all phases, that a new start does not train again.

        The history is written before the backup, so its last epoch may lack one.
        """
        history, backup = self.read_history(), self.newest_backup()
        if not history or backup is None:
            return 0
        phases = [row["phase"] for row in history]
        _, number, epochs = backup
        backed_up = epochs == phases.count(phases[-1]) and number >= len(set(phases)) - 1
        return len(history) - (not backed_up)

    def _backups(self) -> list[tuple[int, int, Path]]:
        """Return phase, epochs and file of each backup; files of other names are not ours."""
        found = []
        for path in (self.path / "backup").glob("*.weights.h5"):
            numbers = re.fullmatch(r"(\d+)-(\d+)\.weights\.h5", path.name)
            if numbers:
                found.append((int(numbers[1]), int(numbers[2]), path))
        return found

    def save_backup(self, model: Any, phase: int, epochs: int) -> None:
        """Keep weights and optimizer after `epochs` epochs of a phase, and drop older backups."""
        path = self.path / "backup" / f"{phase}-{epochs:05d}.weights.h5"
        self.save_weights(model, path)
        for _, _, older in self._backups():
            if older != path:
                older.unlink()

    @staticmethod
    def save_weights(model: Any, path: Path) -> None:
        """Save weights so that `path` holds all of the former or all of the new ones."""
        with replaces_whole(path) as temporary:
            model.save_weights(temporary, overwrite=True)


def _number(text: str) -> int | float:
    """Return an int or a float, ``nan`` and ``inf`` of a training that diverged among them."""
    return int(text) if text.isdecimal() else float(text)
