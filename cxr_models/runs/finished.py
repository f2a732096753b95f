"""A run that has ended, as every step after training reads it: settings, split, weights.

Imports no framework; building the model is for `cxr_models.networks.load`.
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
    """What a run left behind."""

    folder: RunFolder
    config: RunConfig
    labels: tuple[str, ...]  # those it was trained on, sorted
    split: Split
    weights_sha256: str  # of the best weights
    # what val and test share with images seen by the runs that its weights come from
    overlaps: Mapping[str, Overlap] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.path.resolve().name

    @property
    def class_names(self) -> tuple[str, ...]:
        """What its probabilities are of: the labels, ``not X`` and ``X``, or the findings."""
        return class_names_of(self.config, self.labels)


def class_names_of(config: RunConfig, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes that a run tells apart, or its findings, in the order of its targets."""
    if config.model.task == "multilabel":
        return config.model.findings
    positive = config.model.positive_class
    return (f"not {positive}", positive) if config.model.task == "binary" else labels


def keep_split(folder: Path, split: Split) -> None:
    """Write the records of `split` into a run's folder, their names as they are."""
    settings: dict[str, object] = {} if split.seed is None else {"seed": split.seed}
    write_split(RunFolder(path=folder).split_file, split.manifest.records, settings)


def read_run(
    path: str | os.PathLike[str], *, split: str | os.PathLike[str] | None = None
) -> FinishedRun:
    """Read what a run left behind.

    Parameters
    ----------
    path : str or PathLike
        Its folder.
    split : str or PathLike, optional
        Its split, where the images have been moved since; None takes the records kept in the
        folder, and looks for the images where they were.

    Returns
    -------
    FinishedRun
        Checked: the split is the one it was trained on. Its settings name no cache of images.

    Raises
    ------
    ValueError
        If the folder is none of a run that has ended, one of its files is a link to elsewhere, or
        the split is another one.
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
        # The cache lies outside of the folder; who made the run must not choose where we write.
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
    elif kept.is_file() and facts.split_root is not None:
        split = read_split(kept)
        manifest = dataclasses.replace(split.manifest, root=Path(facts.split_root))
        split = dataclasses.replace(split, manifest=manifest)
    else:
        raise ValueError(
            f"`RUN` must hold the {kept.name} it was trained on; got {str(folder.path)!r}, which "
            "does not. Name it with --split."
        )
    if split.hash != facts.split_sha256:
        raise ValueError(
            f"`split` must be the one that the run was trained on; got {str(given or kept)!r}, "
            "whose hash differs from run.json's."
        )
    return split
