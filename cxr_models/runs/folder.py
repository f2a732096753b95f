"""The folder of a run: settings, origin, history, best weights, and what is needed to resume.

Files appear whole or not at all, so that a run killed at any moment can go on.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_enhance.io.atomic import replaces_whole, write_whole
from cxr_models._typed_json import converted, from_json, read_object, to_json
from cxr_models.config import RunConfig
from cxr_models.runs.facts import EpochRow, KeptEpoch, RunFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

_PHASES, _BACKUP = "phases", "backup"  # folders of weights
HISTORY_COLUMNS = tuple(field.name for field in dataclasses.fields(EpochRow))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Names and contents of a run's files."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The settings; this file makes the folder that of a run."""
        return self.path / "config.json"

    @property
    def facts_file(self) -> Path:
        """What the run was made of: `cxr_models.runs.facts.RunFacts`."""
        return self.path / "run.json"

    @property
    def split_file(self) -> Path:
        """The records of the split."""
        return self.path / "split.csv"

    @property
    def history_file(self) -> Path:
        """A row for each epoch."""
        return self.path / "history.csv"

    @property
    def curves_file(self) -> Path:
        """A picture of the history."""
        return self.path / "curves.png"

    def tensorboard_folder(self, phase: str) -> Path:
        """Return the folder of TensorBoard's records of a phase."""
        return self.path / "tensorboard" / phase

    @property
    def best_weights(self) -> Path:
        """Weights of the best epoch of all phases, once the run has ended."""
        return self.path / "best.weights.h5"

    @property
    def evaluation_folder(self) -> Path:
        """Folder of predictions and of what is made of them."""
        return self.path / "evaluation"

    @property
    def evaluation_file(self) -> Path:
        """The evaluation: `cxr_models.evaluation.results.Evaluation`."""
        return self.evaluation_folder / "evaluation.json"

    @property
    def audit_file(self) -> Path:
        """The audit: `cxr_models.audit.results.Audit`."""
        return self.evaluation_folder / "audit.json"

    @property
    def robustness_file(self) -> Path:
        """What the run makes of changed images: `cxr_models.audit.results.Robustness`."""
        return self.evaluation_folder / "robustness.json"

    @property
    def overlays_folder(self) -> Path:
        """Folder of the overlays that a report shows."""
        return self.evaluation_folder / "gradcam"

    def predictions_file(self, name: str, *, external: bool = False) -> Path:
        """Return where the predictions of a set lie."""
        return self.evaluation_folder / f"{'external-' if external else ''}{name}.csv"

    def external_predictions(self) -> dict[str, Path]:
        """Return the predictions of sets from other sources, by the name of the set."""
        files = sorted(self.evaluation_folder.glob("external-*.csv"))
        return {file.stem.removeprefix("external-"): file for file in files}

    def best_of(self, phase: str) -> Path:
        """Weights of the best epoch of a phase so far."""
        return self.path / _PHASES / f"{phase}.weights.h5"

    def check_confined(self) -> None:
        """Check that the files of a run, and those of its evaluation, lie in its folder.

        Raises
        ------
        ValueError
            If one of its files is a link to elsewhere.
        """
        inside = self.path.resolve()
        for path in (
            self.config_file,
            self.facts_file,
            self.split_file,
            self.history_file,
            self.best_weights,
            self.evaluation_folder,
            *sorted(self.evaluation_folder.glob("*")),
        ):
            if not path.resolve().is_relative_to(inside):
                raise ValueError(
                    f"`RUN` must hold its own files; got {str(self.path)!r}, whose "
                    f"{path.relative_to(self.path)} is a link to elsewhere. Copy what it links to "
                    "into the folder."
                )

    def read_config(self) -> RunConfig:
        """Return the settings.

        Raises
        ------
        ValueError
            If the file holds something else.
        OSError
            If it cannot be read.
        """
        try:
            return RunConfig.from_json(self.config_file.read_text(encoding="utf-8"))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`config.json` must hold a run's settings; got {str(self.config_file)!r}: {error}"
            ) from error

    def read_facts(self) -> RunFacts:
        """Return what the run was made of; raise as `read_config` does."""
        stored = read_object(self.facts_file)
        try:
            return from_json(RunFacts, stored)
        except ValueError as error:
            raise ValueError(
                f"`run.json` must be as cxr-models train wrote it; got {str(self.facts_file)!r}, "
                f"where {error}."
            ) from error

    def check(self, config: RunConfig, split_sha256: str) -> None:
        """Check that the folder is new or an earlier start of the same run; write nothing.

        Raises
        ------
        ValueError
            If the folder holds another run, or files that are none.
        """
        settled = self.config_file.exists()
        if not settled and self.path.exists() and any(self.path.iterdir()):
            raise ValueError(
                f"`--out` must be a new folder or that of a run; got {str(self.path)!r}, which "
                "holds other files."
            )
        if not self.facts_file.exists():
            if settled and not self._has_settings(config):  # of a start that was stopped at once
                raise ValueError(
                    f"`--out` must be a new folder, or that of the same run to resume it; got "
                    f"{str(self.path)!r}, whose config.json holds something else."
                )
            return
        try:
            facts, earlier = self.read_facts(), self.read_config()
        except ValueError as error:
            raise ValueError(
                "`--out` must hold config.json and run.json as training wrote them; got "
                f"{str(self.path)!r}: {error}"
            ) from error
        if earlier != config or facts.split_sha256 != split_sha256:
            what = "other settings" if earlier != config else "another split"
            raise ValueError(
                f"`--out` must be a new folder, or that of the same run to resume it; got "
                f"{str(self.path)!r}, whose run has {what}."
            )

    def _has_settings(self, config: RunConfig) -> bool:
        try:
            return self.read_config() == config
        except ValueError:
            return False

    def begin(self, config: RunConfig, facts: RunFacts) -> None:
        """Make the folder, unless an earlier start of the run made it; see `check`."""
        self.check(config, facts.split_sha256)
        if self.facts_file.exists():
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.config_file, config.to_json())  # first: it makes this a run
        (self.path / _PHASES).mkdir(exist_ok=True)
        (self.path / _BACKUP).mkdir(exist_ok=True)
        write_whole(self.facts_file, json.dumps(to_json(facts), indent=2) + "\n")

    def write_kept(self, row: EpochRow) -> None:
        """Write into run.json the epoch of the best weights."""
        self._add_fact("kept", to_json(converted(KeptEpoch, row)))

    def write_features(self, features: Sequence[float]) -> None:
        """Write into run.json what the caller's own network made of one image."""
        self._add_fact("features", list(features))

    def _add_fact(self, name: str, value: object) -> None:
        stored = {**read_object(self.facts_file), name: value}
        write_whole(self.facts_file, json.dumps(stored, indent=2) + "\n")

    def read_history(self) -> list[EpochRow]:
        """Return the rows of the history.

        Raises
        ------
        ValueError
            If the file is not as `write_history` writes it.
        OSError
            If it cannot be read.
        """
        if not self.history_file.exists():
            return []
        try:
            with self.history_file.open(encoding="utf-8", newline="") as file:
                lines = csv.DictReader(file, strict=True, restval="")
                if not {*HISTORY_COLUMNS} <= {*(lines.fieldnames or ())}:
                    raise ValueError(f"its columns are {reprlib.repr(lines.fieldnames)}")
                return [
                    EpochRow(
                        phase=row["phase"],
                        epoch=int(row["epoch"]),
                        **{name: float(row[name]) for name in HISTORY_COLUMNS[2:]},
                    )
                    for row in lines
                ]
        except (ValueError, TypeError, csv.Error) as error:
            raise ValueError(
                f"`history.csv` must have the columns {', '.join(HISTORY_COLUMNS)} and numbers in "
                f"them; got {str(self.history_file)!r}: {error}."
            ) from error

    def write_history(self, rows: Sequence[EpochRow]) -> None:
        """Write the rows of the history."""
        lines = [",".join(HISTORY_COLUMNS)]
        lines += [",".join(str(getattr(row, name)) for name in HISTORY_COLUMNS) for row in rows]
        write_whole(self.history_file, "\n".join(lines) + "\n")

    def newest_backup(self) -> tuple[Path, int, int] | None:
        """Return the newest backup, the number of its phase, and its epochs done; or None."""
        backups = self._backups()
        if not backups:
            return None
        phase, epochs, path = max(backups)
        return path, phase, epochs

    def epochs_kept(self) -> int:
        """Count the epochs, of all phases, that a new start does not train again.

        The history is written before the backup, so its last epoch may lack one.
        """
        history, backup = self.read_history(), self.newest_backup()
        if not history or backup is None:
            return 0
        phases = [row.phase for row in history]
        _, number, epochs = backup
        backed_up = epochs == phases.count(phases[-1]) and number >= len(set(phases)) - 1
        return len(history) - (not backed_up)

    def _backups(self) -> list[tuple[int, int, Path]]:
        """Return phase, epochs and file of each backup; files of other names are not ours."""
        backups = []
        for path in (self.path / _BACKUP).glob("*.weights.h5"):
            numbers = re.fullmatch(r"(\d+)-(\d+)\.weights\.h5", path.name)
            if numbers:
                backups.append((int(numbers[1]), int(numbers[2]), path))
        return backups

    def save_backup(self, model: Any, phase: int, epochs: int) -> None:
        """Keep weights and optimizer after `epochs` epochs of a phase, and drop older backups."""
        path = self.path / _BACKUP / f"{phase}-{epochs:05d}.weights.h5"
        self.save_weights(model, path)
        for _, _, older in self._backups():
            if older != path:
                older.unlink()

    @staticmethod
    def save_weights(model: Any, path: Path) -> None:
        """Save weights; `path` holds either all former or all new weights, at any moment."""
        with replaces_whole(path) as temporary:
            model.save_weights(temporary, overwrite=True)
