"""Folder of a run: settings, origin, history, best weights, and backups to resume training.

Files are written atomically, so that a run that was killed at any moment can be resumed.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import json
import os
import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_enhance.io.atomic import is_temporary, replace_atomically, write_content_atomically
from cxr_enhance.io.locks import try_lock
from cxr_models._settings import by_full_name
from cxr_models._typed_json import converted, from_json, read_object, to_json
from cxr_models.config import RunConfig, with_absolute_weights, with_named_weights
from cxr_models.runs.facts import EpochRow, KeptEpoch, RunFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PHASES, _BACKUP = "phases", "backup"  # folders of weights
HISTORY_COLUMNS = tuple(field.name for field in dataclasses.fields(EpochRow))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Names and contents of the files of a run."""

    path: Path

    @property
    def config_file(self) -> Path:
        """File of the settings. A folder with this file is the folder of a run."""
        return self.path / "config.json"

    @property
    def facts_file(self) -> Path:
        """File of the origin of the run: `cxr_models.runs.facts.RunFacts`."""
        return self.path / "run.json"

    @property
    def split_file(self) -> Path:
        """File of the records of the split."""
        return self.path / "split.csv"

    @property
    def history_file(self) -> Path:
        """File of the history, with one row per epoch."""
        return self.path / "history.csv"

    @property
    def curves_file(self) -> Path:
        """Plot of the history, as PNG."""
        return self.path / "curves.png"

    def tensorboard_folder(self, phase: str) -> Path:
        """Return the folder of the TensorBoard logs of a phase."""
        return self.path / "tensorboard" / phase

    @property
    def best_weights(self) -> Path:
        """File of the weights of the best epoch of all phases. It exists when the run has ended."""
        return self.path / "best.weights.h5"

    @property
    def evaluation_folder(self) -> Path:
        """Folder of the predictions, and of the evaluation, audit and report made from them."""
        return self.path / "evaluation"

    @property
    def evaluation_file(self) -> Path:
        """File of the evaluation: `cxr_models.evaluation.results.Evaluation`."""
        return self.evaluation_folder / "evaluation.json"

    @property
    def audit_file(self) -> Path:
        """File of the audit: `cxr_models.audit.results.Audit`."""
        return self.evaluation_folder / "audit.json"

    @property
    def robustness_file(self) -> Path:
        """File of the results on changed images: `cxr_models.audit.results.Robustness`."""
        return self.evaluation_folder / "robustness.json"

    @property
    def overlays_folder(self) -> Path:
        """Folder of the Grad-CAM overlays that a report shows."""
        return self.evaluation_folder / "gradcam"

    def predictions_file(self, name: str, *, external: bool = False) -> Path:
        """Return the path of the predictions of a set, which may be from another source."""
        return self.evaluation_folder / f"{'external-' if external else ''}{name}.csv"

    def external_predictions(self) -> dict[str, Path]:
        """Return the files of predictions of sets from other sources, by the name of the set."""
        files = sorted(self.evaluation_folder.glob("external-*.csv"))
        return {file.stem.removeprefix("external-"): file for file in files}

    def best_of(self, phase: str) -> Path:
        """Return the file of the weights of the best epoch of a phase so far."""
        return self.path / _PHASES / f"{phase}.weights.h5"

    def check_confined(self) -> None:
        """Check that the files of a run and of its evaluation are inside its folder.

        Raises
        ------
        ValueError
            If one of these files is a link to a place outside of the folder.
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
        """Return the settings of the run.

        Raises
        ------
        ValueError
            If the file does not contain valid settings.
        OSError
            If the file cannot be read.
        """
        try:
            return RunConfig.from_json(self.config_file.read_text(encoding="utf-8"))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`config.json` must hold a run's settings; got {str(self.config_file)!r}: {error}"
            ) from error

    def read_facts(self) -> RunFacts:
        """Return the origin of the run; raise the same errors as `read_config`."""
        stored = read_object(self.facts_file)
        try:
            return from_json(RunFacts, stored)
        except ValueError as error:
            raise ValueError(
                f"`run.json` must be as cxr-models train wrote it; got {str(self.facts_file)!r}, "
                f"where {error}."
            ) from error

    def check(self, config: RunConfig, split_sha256: str) -> None:
        """Check that the folder is new or belongs to an earlier start of the same run.

        Nothing is written.

        Raises
        ------
        ValueError
            If the folder contains another run, or files that are not those of a run.
        """
        settled = self.config_file.exists()
        if not settled and self.path.exists() and any(self.path.iterdir()):
            raise ValueError(
                f"`--out` must be a new folder or that of a run; got {str(self.path)!r}, which "
                "holds other files."
            )
        if not self.facts_file.exists():
            # A start that was stopped at once has written its settings only.
            if settled and not self._has_settings(config):
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
        has_settings = _are_equal(earlier, config) or _are_equal_by_content(earlier, config, facts)
        if not has_settings or facts.split_sha256 != split_sha256:
            what = "another split"
            if not has_settings:
                what = f"other settings: {_differences(earlier, config)}"
            raise ValueError(
                f"`--out` must be a new folder, or that of the same run to resume it; got "
                f"{str(self.path)!r}, whose run has {what}."
            )

    def _has_settings(self, config: RunConfig) -> bool:
        try:
            return _are_equal(self.read_config(), config)
        except ValueError:
            return False

    def begin(self, config: RunConfig, facts: RunFacts) -> None:
        """Create the folder and its first files, unless an earlier start of the run did so.

        The errors are those of `check`.
        """
        self.check(config, facts.split_sha256)
        is_new = not self.facts_file.exists()
        if is_new:
            self.path.mkdir(parents=True, exist_ok=True)
            # This file is written first, because it makes the folder the folder of a run. It is
            # never replaced, because another process may have locked it.
            with contextlib.suppress(FileExistsError):
                write_content_atomically(self.config_file, config.to_json(), overwrite=False)
        for name in (_PHASES, _BACKUP):  # programs that copy a run may leave out empty folders
            (self.path / name).mkdir(exist_ok=True)
        if is_new:
            write_content_atomically(self.facts_file, json.dumps(to_json(facts), indent=2) + "\n")

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Let only one process train the run during the block.

        Files that a killed process was writing are removed first. The system releases the lock when
        a process ends, even if it is killed. Windows, and file systems without locks, allow several
        processes.

        Raises
        ------
        ValueError
            If another process trains the run.
        """
        with self.config_file.open("r+b") as file:
            if try_lock(file.fileno()) is False:
                raise ValueError(
                    f"`--out` must be a folder in which nothing else trains; got "
                    f"{str(self.path)!r}, whose run another process trains now. Wait until it has "
                    "ended, or name a new folder."
                )
            for folder in (self.path / _PHASES, self.path / _BACKUP):
                for path in folder.iterdir():
                    if is_temporary(path.name):
                        path.unlink()
            yield

    def write_kept(self, row: EpochRow) -> None:
        """Write the epoch of the best weights into run.json."""
        self._add_fact("kept", to_json(converted(KeptEpoch, row)))

    def write_stop(self, phase: str, epochs: int) -> None:
        """Write into run.json that a callback of the caller ended `phase` after `epochs` epochs."""
        self._add_fact("stopped", {**(self.read_facts().stopped or {}), phase: epochs})

    def write_features(self, features: Sequence[float]) -> None:
        """Write the features of one image, from a registered backbone, into run.json."""
        self._add_fact("features", list(features))

    def _add_fact(self, name: str, value: object) -> None:
        stored = {**read_object(self.facts_file), name: value}
        write_content_atomically(self.facts_file, json.dumps(stored, indent=2) + "\n")

    def read_history(self) -> list[EpochRow]:
        """Return the rows of the history; an empty list if the file does not exist.

        Raises
        ------
        ValueError
            If the file does not have the format of `write_history`.
        OSError
            If the file cannot be read.
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
        """Write all rows of the history."""
        lines = [",".join(HISTORY_COLUMNS)]
        lines += [",".join(str(getattr(row, name)) for name in HISTORY_COLUMNS) for row in rows]
        write_content_atomically(self.history_file, "\n".join(lines) + "\n")

    def newest_backup(self) -> tuple[Path, int, int] | None:
        """Return the newest backup; None if there is no backup.

        The result is its file, the number of its phase, and its number of finished epochs.
        """
        backups = self._backups()
        if not backups:
            return None
        phase, epochs, path = max(backups)
        return path, phase, epochs

    def epochs_kept(self) -> int:
        """Return the number of epochs, over all phases, that a new start does not train again.

        The history is written before the backup, so the last epoch of the history may have no
        backup and must then be trained again.
        """
        history, backup = self.read_history(), self.newest_backup()
        if not history or backup is None:
            return 0
        phases = [row.phase for row in history]
        _, number, epochs = backup
        backed_up = epochs == phases.count(phases[-1]) and number >= len(set(phases)) - 1
        return len(history) - (not backed_up)

    def _backups(self) -> list[tuple[int, int, Path]]:
        """Return phase number, finished epochs and file of each backup; ignore other files."""
        backups = []
        for path in (self.path / _BACKUP).glob("*.weights.h5"):
            numbers = re.fullmatch(r"(\d+)-(\d+)\.weights\.h5", path.name)
            if numbers:
                backups.append((int(numbers[1]), int(numbers[2]), path))
        return backups

    def save_backup(self, model: Any, phase: int, epochs: int) -> None:
        """Save weights and optimizer after `epochs` epochs of a phase, then delete older backups.

        Parameters
        ----------
        model : keras.Model
            The model that is trained.
        phase : int
            Number of the phase, from 0.
        epochs : int
            Number of finished epochs of the phase.
        """
        path = self.path / _BACKUP / f"{phase}-{epochs:05d}.weights.h5"
        self.save_weights(model, path)
        for _, _, older in self._backups():
            if older != path:
                older.unlink()

    @staticmethod
    def save_weights(model: Any, path: Path) -> None:
        """Save weights atomically: `path` contains the old weights or the new weights, complete.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with replace_atomically(path) as temporary:
            try:
                model.save_weights(temporary, overwrite=True)
            except (OSError, RuntimeError) as error:  # of h5py, which tell the number in their text
                number = re.search(r"errno = (\d+)", str(error))
                if number is None:
                    raise
                code = int(number[1])
                raise OSError(code, os.strerror(code), str(path)) from error


def _differences(stored: RunConfig, config: RunConfig) -> str:
    """Return the settings that differ, with both values, as text."""
    there, here = (dict(by_full_name(with_absolute_weights(c).to_dict())) for c in (stored, config))
    names = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    return ", ".join(f"{n} is {there.get(n)!r} there and {here.get(n)!r} here" for n in names)


def _are_equal(stored: RunConfig, config: RunConfig) -> bool:
    """Return whether settings are equal; earlier versions stored the path of weights as typed."""
    return with_absolute_weights(stored) == with_absolute_weights(config)


def _are_equal_by_content(stored: RunConfig, config: RunConfig, facts: RunFacts) -> bool:
    """Return whether settings are equal, and name a weights file of equal name and content.

    The path of the file differs if the folder that contains the run and the file was moved.
    """
    weights = Path(config.model.weights)
    if facts.weights_sha256 is None or not weights.is_file():
        return False
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    named = with_named_weights(config, sha256)
    return sha256 == facts.weights_sha256 and named == with_named_weights(stored, sha256)
