"""Reader of a finished run: its settings, split and weights file.

All steps after training use it. It imports no framework; `cxr_models.networks.load` builds the
model.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models.config import RunConfig
from cxr_models.records.overlap import Overlap
from cxr_models.records.splits import Split, read_split, write_split
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os

    from cxr_models.runs.facts import RunFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A finished run."""

    folder: RunFolder
    config: RunConfig
    labels: tuple[str, ...]  # labels of its split, sorted
    split: Split
    weights_sha256: str  # SHA-256 of the file of the best weights
    # overlap of val and test with the images that the runs behind its initial weights have seen
    overlaps: Mapping[str, Overlap] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the folder of the run."""
        return self.folder.path.resolve().name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the outputs, from `class_names_of`."""
        return class_names_of(self.config, self.labels)


def class_names_of(config: RunConfig, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes or findings of a run, in the order of its targets.

    These are the labels for ``multiclass``, ``not X`` and ``X`` for ``binary`` with the positive
    class X, and the findings for ``multilabel``.
    """
    if config.model.task == "multilabel":
        return config.model.findings
    positive = config.model.positive_class
    return (f"not {positive}", positive) if config.model.task == "binary" else labels


def keep_split(folder: Path, split: Split) -> None:
    """Write the records of `split` into the folder of a run, with unchanged file names."""
    settings: dict[str, object] = {} if split.seed is None else {"seed": split.seed}
    write_split(RunFolder(path=folder).split_file, split.manifest.records, settings)


def read_run(
    path: str | os.PathLike[str], *, split: str | os.PathLike[str] | None = None
) -> FinishedRun:
    """Read a finished run from its folder.

    Parameters
    ----------
    path : str or PathLike
        Folder of the run.
    split : str or PathLike, optional
        Split file to use if the images were moved after training. It must contain the same records
        as the split of the training. None uses the split in the folder of the run and the original
        paths of the images.

    Returns
    -------
    FinishedRun
        The run, whose split has the hash that the training stored. Its settings have no cache
        folder.

    Raises
    ------
    ValueError
        If the folder is not that of a finished run, one of its files is a link to a place outside
        of the folder, or the split is not the split of the training.
    OSError
        If a file cannot be read.
    """
    folder = RunFolder(path=Path(path))
    if not folder.config_file.is_file() or not folder.facts_file.is_file():
        raise ValueError(
            f"`RUN` must be the folder of a run; got {str(path)!r}, which lacks config.json or "
            "run.json. Make one with: cxr-models train."
        )
    folder.check_confined()
    if not folder.best_weights.is_file():
        raise ValueError(
            f"`RUN` must be a run that has ended; got {str(path)!r}, which lacks "
            f"{folder.best_weights.name}. Go on with it by giving its cxr-models train again."
        )
    facts, config = folder.read_facts(), folder.read_config()
    records = _split_of(folder, facts, split)
    if facts.class_names != records.class_names():
        raise ValueError(
            f"`class_names` must be the labels of the run's split, "
            f"{', '.join(records.class_names())}; got {list(facts.class_names)!r} in "
            f"{str(folder.facts_file)!r}."
        )
    return FinishedRun(
        folder=folder,
        # The cache is outside of the folder. The author of a run must not choose where we write.
        config=dataclasses.replace(config, data=dataclasses.replace(config.data, cache_dir=None)),
        labels=records.class_names(),
        split=records,
        weights_sha256=file_sha256(folder.best_weights),
        overlaps=facts.overlaps or {},
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _split_of(folder: RunFolder, facts: RunFacts, given: str | os.PathLike[str] | None) -> Split:
    kept = folder.split_file
    if given is not None:
        split = read_split(given)
    else:
        if not kept.is_file():
            raise ValueError(
                f"`RUN` must hold the {kept.name} it was trained on; got {str(folder.path)!r}, "
                f"which does not. Copy that split to {str(kept)!r}."
            )
        if facts.split_root is None:
            raise ValueError(
                f"`split_root` must be stated; got {str(folder.facts_file)!r}, where it is null or "
                f"missing. Write there the folder that the file names in {kept.name} start from."
            )
        split = read_split(kept)
        manifest = dataclasses.replace(split.manifest, root=Path(facts.split_root))
        split = dataclasses.replace(split, manifest=manifest)
    if split.hash != facts.split_sha256:
        raise ValueError(
            f"`split` must be the one that the run was trained on; got {str(given or kept)!r}, "
            "whose hash differs from run.json's."
        )
    return split
