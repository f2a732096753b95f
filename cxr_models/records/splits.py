"""Records to train, val and test: stratified by label or findings, patients and groups whole.

A split is a manifest with its column ``split`` filled and one comment line that tells the seed and
a hash of the records; loading it checks both the hash and that nothing leaks.
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
from cxr_models.records.sharing import share_out
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
    """Tell by the first line; a split that was changed since it was written belongs to the user."""
    return first_line(path).startswith(f"# {_TAG}".encode()) and bool(read_split(path))


SPLIT = Kind("a split that cxr-models split wrote and nobody changed", _is_split)
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A manifest whose records are in train, val and test, checked.

    Parameters
    ----------
    manifest : Manifest
        All records, those in no split included.
    hash : str
        `records_hash` of the records.
    seed : int or None
        Seed of the split; None where the file has none.
    """

    manifest: Manifest
    hash: str
    seed: int | None = None

    def select(self, split: str) -> Manifest:
        """Return the records of one split."""
        return self.manifest.select(split)

    def class_names(self) -> tuple[str, ...]:
        """Return the labels of all records that are in a split, sorted."""
        return tuple(sorted({r.label for r in self.manifest.records if r.split}))

    def to_tf(
        self,
        part: str,
        *,
        config: RunConfig | Mapping[str, object] | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> Any:
        """Return a part as batches of `tf.data`, read and enhanced as for training.

        Parameters
        ----------
        part : {"train", "val", "test"}
            Which part.
        config : RunConfig or mapping of str to object, optional
            Size, enhancement, cache and task are taken from it; a mapping changes the defaults, as
            in ``{"data.image_size": (64, 64)}``.
        batch_size : int, optional
            Images a batch; None takes that of `config`. For single images call ``unbatch()`` on
            the result.
        seed : int, optional
            None: each image once, in the order of the split. A number: epoch after epoch without
            end, each in the order in which `train` with that seed sees the images.

        Returns
        -------
        tf.data.Dataset
            Of uint8 (B, H, W, C), C 1 with enhancement and 3 (RGB) without, and float32 (B,): the
            place of the label in ``class_names()``, or for ``binary`` whether it is the positive
            class; for ``multilabel`` (B, K), of each finding 1, 0, or -1 where it is unknown.
            Augmentation is left to the model.

        Raises
        ------
        TypeError, ValueError
            If there is no such part, it is empty, or a setting does not fit.
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
        """Return a part as a dataset of PyTorch, read and enhanced as for training.

        Parameters
        ----------
        part : {"train", "val", "test"}
            Which part.
        config : RunConfig or mapping of str to object, optional
            As for `to_tf`.
        dtype : {"float32", "uint8"}, default "float32"
            Of the images: 0..1, as torchvision's networks take them, or 0..255.
        transform : callable, optional
            From an image to what the dataset gives in its place, such as an augmentation.

        Returns
        -------
        torch.utils.data.Dataset
            Of images (C, H, W), C 1 with enhancement and 3 (RGB) without, and labels as for
            `to_tf`, int64. In the order of the split; a `DataLoader` shuffles it, and its workers
            may be spawned.

        Raises
        ------
        TypeError, ValueError
            If there is no such part, it is empty, or a setting does not fit.
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
        Their former split is passed over.
    fractions : (float, float, float), default (0.7, 0.15, 0.15)
        Shares of train, val and test; they sum to 1.
    seed : int, default 0
        Equal seeds and records give equal splits.
    findings : sequence of str, default ()
        Findings to stratify by in the place of labels; see `cxr_models.records.sharing.share_out`.

    Returns
    -------
    list of Record
        In the order given. Records tied by patient or group, directly or through others, share a
        split; within that, each label, or each finding, is shared out as near to `fractions` as
        can be.

    Raises
    ------
    ValueError
        If `fractions` are not three numbers from 0 to 1 that sum to 1.
    """
    if len(fractions) != 3 or min(fractions) < 0 or not math.isclose(sum(fractions), 1.0):
        raise ValueError(
            f"`fractions` must be three numbers of at least 0 that sum to 1; got {fractions!r}."
        )
    parts = share_out(records, fractions, seed, findings)
    return [
        dataclasses.replace(record, split=SPLITS[part])
        for record, part in zip(records, parts, strict=True)
    ]


def fold_records(
    records: Sequence[Record], *, folds: int = 5, seed: int = 0, findings: Sequence[str] = ()
) -> list[list[Record]]:
    """Assign records `folds` times: fold i tests on part i and validates on the next.

    Parameters
    ----------
    records : sequence of Record
        As for `split_records`.
    folds : int, default 5
        Parts of equal size, at least 3.
    seed : int, default 0
        Equal seeds and records give equal folds.
    findings : sequence of str, default ()
        As for `split_records`.

    Returns
    -------
    list of list of Record
        One assignment a fold; over all of them each record is tested once.

    Raises
    ------
    ValueError
        If `folds` is below 3, or there are fewer components, records that must stay together.
    """
    count = len(set(components(records)))
    if not 3 <= folds <= count:
        raise ValueError(
            "`folds` must be at least 3, and at most the number of patients and groups that can "
            f"be parted, {count}; got {folds!r}."
        )
    parts = share_out(records, (1 / folds,) * folds, seed, findings)
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
    """Assign records once for each source, which is the test set, the others train and val.

    Parameters
    ----------
    records : sequence of Record
        As for `split_records`; at least two sources.
    val_fraction : float, default 0.15
        Share of the other sources' records that validates.
    test_fraction : float, default 0.0
        Share of the other sources' records that tests too: known sources beside the unknown one.
        Where a source holds only some labels, only these show how often other labels are mistaken
        for them.
    seed : int, default 0
        Equal seeds and records give equal splits.
    findings : sequence of str, default ()
        As for `split_records`.

    Returns
    -------
    dict of str to list of Record
        One assignment a source. Records of other sources that are tied to one of the test set are
        in no split.

    Raises
    ------
    ValueError
        If there are fewer than two sources, a record has none, or the fractions are negative or
        leave nothing to train on.

    Warns
    -----
    UserWarning
        If a source holds all images of a label, so that no model can learn it from the others.
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
    """Return for each of `parts` the labels of which it has no record, where there are any."""
    labels = {record.label for record in records if record.split}
    labels_of_part = {part: {r.label for r in records if r.split == part} for part in parts}
    return {part: labels - has for part, has in labels_of_part.items() if labels - has}


def records_hash(records: Sequence[Record]) -> str:
    """Return the SHA-256 of a split: which file, with which label, is in which part.

    `Record.kept` is not hashed.
    """
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.file):
        values = [getattr(record, name) for name in COLUMNS]
        # Empty fields do not count: splits without the further columns keep their hash.
        further = {name: getattr(record, name) for name in FURTHER_COLUMNS if getattr(record, name)}
        further |= {FINDING + name: value for name, value in record.findings if value}
        digest.update(json.dumps([*values, further] if further else values).encode())
    return digest.hexdigest()


def write_split(
    path: str | os.PathLike[str], records: Sequence[Record], settings: Mapping[str, object]
) -> None:
    """Write a split with its settings (the seed among them) and hash in a comment line.

    Raises
    ------
    ValueError
        If a label cannot name files and columns; see `check_label`.
    OSError
        If the file cannot be written.
    """
    for label in sorted({record.label for record in records}):
        check_label(label, "the records to split")
    head = json.dumps({**settings, "sha256": records_hash(records)})
    write_manifest(path, records, comment=_TAG + head)


def read_split(path: str | os.PathLike[str]) -> Split:
    """Read a split and check that it is whole and leaks nothing.

    Parameters
    ----------
    path : str or PathLike
        A file made by `write_split`, or any manifest with a column ``split``.

    Returns
    -------
    Split
        The records.

    Raises
    ------
    ValueError
        If a part has another name than train, val or test, train is empty, a patient, a group or
        a chain of them lies in two parts (the sentence shows the rows), or the records are not
        those that the comment line's hash was taken of.
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
    """Return the settings in the first line of a split; empty where it holds none.

    Raises
    ------
    ValueError
        If the line is damaged.
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
    """Raise, with the offending rows, if a patient or a group lies in two parts of a split.

    Two images may not lie in two parts either if a third ties them, even if it is in no part.
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
