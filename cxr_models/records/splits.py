"""Division of records into train, val and test, stratified by label or by findings.

All images of one patient, and all images of one group, are in the same part.

A split file is a manifest with values in its column ``split``. Its first line is a comment with
the seed and a hash of the records. Reading the file checks the hash, and checks that no patient
and no group is in two parts (a leak).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models._json import parse_json
from cxr_models._outputs import Kind, first_line
from cxr_models.records.manifest import (
    COLUMNS,
    FINDING,
    FURTHER_COLUMNS,
    SPLITS,
    Manifest,
    Record,
    check_label,
    read_manifest,
    write_manifest,
)
from cxr_models.records.patients import patient_key
from cxr_models.records.sharing import assign_parts
from cxr_models.records.ties import components

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import Any

    from cxr_models.config import RunConfig
    from cxr_models.inputs.torch_dataset import Dtype, RadiographDataset

FRACTIONS = (0.7, 0.15, 0.15)
_TAG = "cxr-models split "


def _is_split(path: Path) -> bool:
    """Return whether a file is a split that ``cxr-models split`` wrote and nobody changed.

    The hash in the first line shows this. Reading a changed file raises ValueError, which callers
    of `Kind.recognises` treat as False. A changed file belongs to the user and is not replaced.
    """
    return first_line(path).startswith(f"# {_TAG}".encode()) and bool(read_split(path))


SPLIT = Kind("a split that cxr-models split wrote and nobody changed", _is_split)
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A checked manifest whose records are divided into train, val and test.

    Parameters
    ----------
    manifest : Manifest
        All records, including those in no part.
    hash : str
        Hash of the records, from `records_hash`.
    seed : int or None
        Seed of the split. None if the file contains no seed.
    """

    manifest: Manifest
    hash: str
    seed: int | None = None

    def select(self, split: str) -> Manifest:
        """Return a manifest of the records of one part: ``train``, ``val`` or ``test``."""
        return self.manifest.select(split)

    def class_names(self) -> tuple[str, ...]:
        """Return the distinct labels of all records that are in a part, sorted."""
        return tuple(sorted({r.label for r in self.manifest.records if r.split}))

    def to_tf(
        self,
        part: str,
        *,
        config: RunConfig | Mapping[str, object] | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> Any:
        """Return one part as a `tf.data.Dataset` of batches, prepared as in training.

        Parameters
        ----------
        part : {"train", "val", "test"}
            Name of the part.
        config : RunConfig or mapping of str to object, optional
            Settings of a run. The sections ``data`` (size, enhancement, cache) and ``model``
            (task, findings) and the batch size are used. A mapping changes single defaults, for
            example ``{"data.image_size": (64, 64)}``. None uses the defaults.
        batch_size : int, optional
            Number of images per batch. None uses the batch size of `config`. For single images,
            call ``unbatch()`` on the result.
        seed : int, optional
            Seed of the order of the images. None returns each image once, in the order of the
            split. A number repeats the images without end and shuffles them in each epoch. The
            order is then that in which `train` uses the images with this seed.

        Returns
        -------
        tf.data.Dataset
            Batches of (images, targets). Images are uint8 of shape (B, H, W, C). C is 1 with
            enhancement, and 3 (RGB) without it. Targets are float32. For ``multiclass`` they have
            shape (B,) and are the index of the label in ``class_names()``. For ``binary`` they
            have shape (B,) and are 1 for the positive class, else 0. For ``multilabel`` they have
            shape (B, K): for each of K findings 1 (present), 0 (absent) or -1 (unknown). Images
            are not augmented; the model contains the augmentation.

        Raises
        ------
        TypeError, ValueError
            If the part does not exist or is empty, or a setting is invalid.
        ImportError
            If TensorFlow is not installed.

        Examples
        --------
        >>> import cxr_models as cxm
        >>> split = cxm.read_split("split.csv")
        >>> batches = split.to_tf("val", config={"data.image_size": (64, 48)}, batch_size=4)
        >>> images, labels = next(iter(batches))
        >>> images.shape, labels.shape
        (TensorShape([4, 64, 48, 1]), TensorShape([4]))
        """
        from cxr_models.inputs.datasets import tf_dataset

        return tf_dataset(self, part, config=config, batch_size=batch_size, seed=seed)

    def to_torch(
        self,
        part: str,
        *,
        config: RunConfig | Mapping[str, object] | None = None,
        dtype: Dtype = "float32",
        transform: Callable[[Any], object] | None = None,
    ) -> RadiographDataset:
        """Return one part as a PyTorch dataset of single images, prepared as in training.

        Parameters
        ----------
        part : {"train", "val", "test"}
            Name of the part.
        config : RunConfig or mapping of str to object, optional
            Settings of a run. The sections ``data`` (size, enhancement, cache) and ``model``
            (task, findings) are used. A mapping changes single defaults, for example
            ``{"data.image_size": (64, 64)}``. None uses the defaults.
        dtype : {"float32", "uint8"}, default "float32"
            Data type of the images. ``float32`` images have values 0..1, as the networks of
            torchvision expect. ``uint8`` images have values 0..255.
        transform : callable, optional
            Function that is called with each image tensor, such as an augmentation. The dataset
            returns its result instead of the image. None returns the image.

        Returns
        -------
        torch.utils.data.Dataset
            Pairs (image, target), in the order of the split. Images have shape (C, H, W). C is 1
            with enhancement, and 3 (RGB) without it. Targets are int64 and have the values that
            `to_tf` documents. A `DataLoader` can shuffle the dataset and can spawn its workers.

        Raises
        ------
        TypeError, ValueError
            If the part does not exist or is empty, or a setting is invalid.
        ImportError
            If PyTorch is not installed.

        Examples
        --------
        >>> import cxr_models as cxm
        >>> split = cxm.read_split("split.csv")
        >>> images = split.to_torch("train", config={"data.image_size": (64, 48)})
        >>> image, label = images[0]
        >>> image.shape, image.dtype, split.class_names()[label]
        (torch.Size([1, 64, 48]), torch.float32, 'covid')
        """
        from cxr_models.inputs.datasets import torch_dataset

        return torch_dataset(self, part, config=config, dtype=dtype, transform=transform)


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise ValueError unless these are shares of train, val and test, with something to train on.

    `split_records` and `cxr_models.records.official.kept_split` use them.
    """
    if (
        len(fractions) != 3
        or min(fractions) < 0
        or not fractions[0]
        or not math.isclose(sum(fractions), 1.0)
    ):
        raise ValueError(
            "`--fractions` must be three numbers of at least 0 that sum to 1, the first more than "
            f"0; got {tuple(fractions)!r}."
        )


def split_records(
    records: Sequence[Record],
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    findings: Sequence[str] = (),
) -> list[Record]:
    """Assign records to train, val and test.

    Parameters
    ----------
    records : sequence of Record
        Records to assign. The parts that they have already are ignored.
    fractions : (float, float, float), default (0.7, 0.15, 0.15)
        Shares of train, val and test. They must sum to 1, and that of train must be more than 0.
    seed : int, default 0
        Seed of the random order. The same seed and records give the same split.
    findings : sequence of str, default ()
        Names of findings to stratify by. The default stratifies by label. See
        `cxr_models.records.sharing.assign_parts` for the algorithm.

    Returns
    -------
    list of Record
        The records with their parts, in the order of `records`. Records that are connected by
        patient or group, directly or through other records, are in the same part. Within this
        limit, the shares of each label (or finding) are close to `fractions`.

    Raises
    ------
    ValueError
        If `check_fractions` rejects `fractions`.
    """
    check_fractions(fractions)
    parts = assign_parts(records, fractions, seed, findings)
    return [
        dataclasses.replace(record, split=SPLITS[part])
        for record, part in zip(records, parts, strict=True)
    ]


def fold_records(
    records: Sequence[Record], *, folds: int = 5, seed: int = 0, findings: Sequence[str] = ()
) -> list[list[Record]]:
    """Assign records to train, val and test once for each fold of a cross-validation.

    The records are divided into `folds` sets of equal shares. Fold i tests on set i, validates on
    the next set, and trains on the other sets.

    Parameters
    ----------
    records : sequence of Record
        Records to assign. The parts that they have already are ignored.
    folds : int, default 5
        Number of folds, at least 3.
    seed : int, default 0
        Seed of the random order. The same seed and records give the same folds.
    findings : sequence of str, default ()
        Names of findings to stratify by. The default stratifies by label.

    Returns
    -------
    list of list of Record
        One list of all records for each fold. Each record is in the test part of exactly one fold.

    Raises
    ------
    ValueError
        If `folds` is less than 3, or greater than the number of components. A component is a set
        of records that must stay together.
    """
    count = len(set(components(records)))
    if not 3 <= folds <= count:
        raise ValueError(
            "`folds` must be at least 3, and at most the number of patients and groups that can "
            f"be parted, {count}; got {folds!r}."
        )
    parts = assign_parts(records, (1 / folds,) * folds, seed, findings)
    assignments = []
    for fold in range(folds):
        names = dict.fromkeys(range(folds), "train")
        names[(fold + 1) % folds] = "val"
        names[fold] = "test"
        assignments.append(
            [
                dataclasses.replace(record, split=names[part])
                for record, part in zip(records, parts, strict=True)
            ]
        )
    return assignments


def leave_sources_out(
    records: Sequence[Record],
    *,
    val_fraction: float = 0.15,
    test_fraction: float = 0.0,
    seed: int = 0,
    findings: Sequence[str] = (),
) -> dict[str, list[Record]]:
    """Assign records once for each source, with that source as the test part.

    The records of the other sources are divided into train and val.

    Parameters
    ----------
    records : sequence of Record
        Records of at least two sources. The parts that they have already are ignored.
    val_fraction : float, default 0.15
        Share of the records of the other sources that goes to val, 0..1.
    test_fraction : float, default 0.0
        Share of the records of the other sources that goes to test, 0..1. The test part then has
        images of the sources that the model was trained on, too. This matters if the source left
        out has only some of the labels: only images of the other sources then show how often the
        model mistakes another label for one of them.
    seed : int, default 0
        Seed of the random order. The same seed and records give the same splits.
    findings : sequence of str, default ()
        Names of findings to stratify by. The default stratifies by label.

    Returns
    -------
    dict of str to list of Record
        The source left out, and all records with their parts. A record of another source is in no
        part if it is connected, by patient or group, to a record of the source left out.

    Raises
    ------
    ValueError
        If there are fewer than two sources, a record has no source, a fraction is negative, or
        the fractions leave nothing to train on.

    Warns
    -----
    UserWarning
        If train has no image of a label, because all its images are in the source left out or
        in other parts. The model cannot learn this label.
    """
    if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
        raise ValueError(
            "`val_fraction` and `test_fraction` must be at least 0 and sum to less than 1; got "
            f"{val_fraction!r} and {test_fraction!r}."
        )
    fractions = (1 - val_fraction - test_fraction, val_fraction, test_fraction)
    sources = sorted({record.source for record in records})
    if len(sources) < 2 or "" in sources:
        raise ValueError(
            "`source` must be told for every record and differ; got "
            f"{', '.join(map(repr, sources))}."
        )
    roots = components(records)
    assignments = {}
    for source in sources:
        tested = {
            root for record, root in zip(records, roots, strict=True) if record.source == source
        }
        rest = [record for record, root in zip(records, roots, strict=True) if root not in tested]
        shared = iter(split_records(rest, fractions=fractions, seed=seed, findings=findings))
        assigned = []
        for record, root in zip(records, roots, strict=True):
            if root not in tested:
                assigned.append(next(shared))
            else:
                split = "test" if record.source == source else ""
                assigned.append(dataclasses.replace(record, split=split))
        unseen = {r.label for r in records} - {r.label for r in assigned if r.split == "train"}
        if unseen:
            warnings.warn(
                f"Without source {source!r} nothing is left to train on of: "
                f"{', '.join(sorted(unseen))}.",
                stacklevel=2,
            )
        assignments[source] = assigned
    return assignments


def lacking_labels(records: Sequence[Record], parts: Sequence[str] = SPLITS) -> dict[str, set[str]]:
    """Return the labels that each of `parts` has no record of; parts with all labels are omitted.

    Labels of records that are in no part do not count.
    """
    labels = {record.label for record in records if record.split}
    labels_of_part = {part: {r.label for r in records if r.split == part} for part in parts}
    return {part: labels - has for part, has in labels_of_part.items() if labels - has}


def records_hash(records: Sequence[Record]) -> str:
    """Return the SHA-256 of all fields of the records, except `Record.kept`, as a hex text.

    The order of the records does not matter.
    """
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.file):
        values = [getattr(record, name) for name in COLUMNS]
        # Empty fields are not hashed, so a split without the further columns keeps its hash.
        further = {name: getattr(record, name) for name in FURTHER_COLUMNS if getattr(record, name)}
        further |= {FINDING + name: value for name, value in record.findings if value}
        digest.update(json.dumps([*values, further] if further else values).encode())
    return digest.hexdigest()


def write_split(
    path: str | os.PathLike[str], records: Sequence[Record], settings: Mapping[str, object]
) -> None:
    """Write a split, with its settings and the hash of its records in a comment line.

    Parameters
    ----------
    path : str or PathLike
        CSV to write. An existing file is replaced.
    records : sequence of Record
        Records with their parts.
    settings : mapping of str to object
        Settings of the split, such as its seed. The values must be JSON.

    Raises
    ------
    ValueError
        If a label cannot be part of file and column names; see `check_label`.
    OSError
        If the file cannot be written.
    """
    for label in sorted({record.label for record in records}):
        check_label(label, "the records to split")
    head = json.dumps({**settings, "sha256": records_hash(records)})
    write_manifest(path, records, comment=_TAG + head)


def read_split(path: str | os.PathLike[str]) -> Split:
    """Read a split, and check that it is unchanged and has no leak between its parts.

    Parameters
    ----------
    path : str or PathLike
        A file from `write_split`, or any manifest with a column ``split``.

    Returns
    -------
    Split
        The checked split.

    Raises
    ------
    ValueError
        If `read_manifest` rejects the file, a part has a name other than train, val or test, or
        train is empty. If a patient, a group or a chain of patients and groups is in two parts;
        the error message shows the rows. If the hash in the comment line is not the hash of the
        records.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    manifest = read_manifest(path)
    records = manifest.records
    parts = {record.split for record in records}
    if not parts <= {*SPLITS, ""} or "train" not in parts:
        raise ValueError(
            f"`split` must be train, val, test or empty, and train somewhere; got "
            f"{', '.join(map(repr, sorted(parts)))}. Make a split with: cxr-models split."
        )
    check_no_leak(records)
    digest, settings = records_hash(records), split_settings(path)
    if settings.get("sha256", digest) != digest:
        raise ValueError(
            f"`{path.name}` must be as it was when it was made; its records have changed since. "
            "Make it anew, or delete its first line to vouch for it yourself."
        )
    seed = settings.get("seed")
    return Split(manifest=manifest, hash=digest, seed=seed if isinstance(seed, int) else None)


def split_settings(path: Path) -> dict[str, object]:
    """Return the settings in the first line of a split; an empty dict if it has no settings.

    Raises
    ------
    ValueError
        If the first line is not valid JSON after its prefix.
    OSError
        If the file cannot be read.
    """
    with path.open(encoding="utf-8-sig") as file:
        line = file.readline()
    if not line.startswith(f"# {_TAG}"):
        return {}
    try:
        settings = parse_json(line.removeprefix(f"# {_TAG}"))
    except ValueError as error:
        raise ValueError(
            f"`{path.name}` must begin with the line it was made with; got {line[:80]!r}. Make it "
            "anew, or delete that line to vouch for the split yourself."
        ) from error
    return settings if isinstance(settings, dict) else {}


def check_no_leak(records: Sequence[Record]) -> None:
    """Raise ValueError if a patient or a group is in two parts of a split.

    Images that are connected through other images must be in one part, too, even if a connecting
    image is in no part. The error message shows the rows.
    """
    ties: tuple[tuple[str, tuple[str, ...], Sequence[Hashable | None]], ...] = (
        ("patient", ("patient",), [patient_key(record) for record in records]),
        ("group", ("group",), [record.group or None for record in records]),
        ("chain of patients and groups", ("patient", "group"), components(records)),
    )
    for tie, columns, names in ties:
        members: dict[Hashable, list[Record]] = defaultdict(list)
        for name, record in zip(names, records, strict=True):
            if name is not None:
                members[name].append(record)
        parted = [rows for rows in members.values() if len({r.split for r in rows} - {""}) > 1]
        if not parted:
            continue
        rows = [row for rows in parted for row in rows]
        shown = [
            f"  {row.split or 'none':5} "
            + " ".join(f"{c} {getattr(row, c)}" for c in columns if getattr(row, c))
            + f": {row.file}"
            for row in rows[:_SHOWN]
        ]
        if len(rows) > _SHOWN:
            shown.append(f"  and {len(rows) - _SHOWN} more")
        raise ValueError(
            f"`split` must not part a {tie}; got {len(parted)} parted:\n"
            + "\n".join(shown)
            + "\nMake the split anew with: cxr-models split."
        )
