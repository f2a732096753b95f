"""`cxr-models index` and `cxr-models split`."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_models import splits
from cxr_models.cli import _console
from cxr_models.indexing import Index, Skipped, examine, index_csv, index_folder, keep_labels
from cxr_models.layouts import LAYOUTS, Layout
from cxr_models.manifest import (
    COLUMNS,
    SPLITS,
    Record,
    check_files_differ,
    read_manifest,
    read_rows,
    write_manifest,
    write_rows,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def index(
    source: Path,
    out: Path,
    *,
    layout_name: str | None,
    labels: str | None,
    patient_pattern: str | None,
    csvs: Sequence[Path],
    columns: str | None,
    max_distance: int,
) -> int:
    """Write the manifest of `source` to `out`, and what could not be used beside it."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        layout = _layout(layout_name, patient_pattern, columns)
        if csvs and not layout.columns:
            layout = dataclasses.replace(layout, columns=_columns_of_manifest(csvs[0]))
        if layout.columns and not csvs:
            raise ValueError("`--columns` and layouts with columns must be given with --csv.")
        found = index_csv(source, csvs, layout) if csvs else index_folder(source, layout)
        if patient_pattern and not any(record.patient for record in found.records):
            raise ValueError(
                "`--patient-pattern` must be found in the names of files; got "
                f"{patient_pattern!r}, which is in none, such as {found.records[0].file!r}."
            )
        found = keep_labels(found, _pairs("--labels", labels))
        check_files_differ(_named_from(out, source, record) for record in found.records)
    with _console.errors_exit_with(_console.FAILED):
        with tqdm(total=len(found.records), unit="image", disable=None) as bar:
            found = examine(found, source, max_distance=max_distance, progress=bar.update)
        out.parent.mkdir(parents=True, exist_ok=True)
        if not found.records:
            _report_skipped(out, found)
            raise ValueError(f"`SOURCE` must hold readable images; got {found.skipped[-1].reason}")
        write_manifest(out, [_named_from(out, source, record) for record in found.records])
    labels_told = Counter(record.label for record in found.records)
    told = ", ".join(f"{label} {count}" for label, count in sorted(labels_told.items()))
    _console.say(f"wrote {_shown(out)}: {len(found.records)} images ({told})")
    groups = len({record.group for record in found.records})
    _console.say(f"{found.duplicates} duplicates; {groups} groups that a split keeps together")
    unknown = sum(not record.patient for record in found.records)
    if unknown:
        _console.say(f"no patient is told for {unknown}: each stands for itself")
    if found.others:
        kinds = Counter(os.path.splitext(name)[1] or "no suffix" for name in found.others)
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        _console.complain(
            f"{len(found.others)} files passed over, no images by their names: "
            f"{_console.printable(counts)}"
        )
    return _report_skipped(out, found)


def split(
    manifest: Path,
    out: Path,
    *,
    fractions: tuple[float, float, float],
    seed: int,
    folds: int | None,
    leave_source_out: bool,
    test_others: bool,
) -> int:
    """Write a split of `manifest` to `out`, or several into the folder `out`."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        if folds is not None and leave_source_out:
            raise ValueError("`--folds` must not be given with --leave-source-out.")
        if test_others and not leave_source_out:
            raise ValueError("`--test-others` must be given with --leave-source-out.")
        if out.exists() and out.samefile(manifest):
            raise ValueError(f"`--out` must be another file than MANIFEST; got {str(out)!r}.")
        read = read_manifest(manifest)
        records = [
            dataclasses.replace(
                record,
                file=_relative(out.parent if _single(folds, leave_source_out) else out, path),
            )
            for record, path in zip(read.records, read.paths(), strict=True)
        ]
        made: dict[Path, tuple[list[Record], dict[str, object]]] = {}
        settings: dict[str, object] = {"seed": seed}
        if folds is not None:
            for number, fold in enumerate(splits.fold_records(records, folds=folds, seed=seed)):
                made[out / f"fold-{number}.csv"] = fold, {**settings, "fold": [number, folds]}
        elif leave_source_out:
            shares = fractions if test_others else (*fractions[:2], 0.0)
            _, val, test = (share / (sum(shares) or 1.0) for share in shares)
            with warnings.catch_warnings(action="ignore"):  # said below, for every part
                parts = splits.leave_sources_out(
                    records, val_fraction=val, test_fraction=test, seed=seed
                )
            for source, part in parts.items():
                name = re.sub(r"[^\w.-]+", "_", source)
                if out / f"without-{name}.csv" in made:
                    raise ValueError(
                        "`source` must have names that differ as names of files do; got "
                        f"{source!r}, and another that gives without-{name}.csv too."
                    )
                made[out / f"without-{name}.csv"] = part, {**settings, "left_out": source}
        else:
            settings["fractions"] = list(fractions)
            made[out] = splits.split_records(records, fractions=fractions, seed=seed), settings
    with _console.errors_exit_with(_console.FAILED):
        for path, (assigned, told) in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            splits.write_split(path, assigned, told)
            _console.say(f"wrote {_shown(path)}: {_counts(assigned)}")
            wanted = [part for part, share in zip(SPLITS, fractions, strict=True) if share]
            if leave_source_out:
                wanted = list(SPLITS[:2])  # what a source lacks is no fault of the split
            for name, labels in splits.lacking_labels(assigned, wanted).items():
                _console.complain(
                    f"{_shown(path)}: nothing in {name} of {', '.join(sorted(labels))}; too few "
                    "patients, groups or sources have it"
                )
    return 0


def _shown(path: Path) -> str:
    return _console.printable(str(path))


def _single(folds: int | None, leave_source_out: bool) -> bool:
    return folds is None and not leave_source_out


def _counts(records: Sequence[Record]) -> str:
    parts = []
    for name in SPLITS:
        labels = Counter(record.label for record in records if record.split == name)
        told = ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
        parts.append(f"{name} {labels.total()} ({told})" if labels else f"{name} 0")
    return "; ".join(parts)


def _layout(name: str | None, patient_pattern: str | None, columns: str | None) -> Layout:
    if name is not None and name not in LAYOUTS:
        raise ValueError(f"`--layout` must be one of {', '.join(LAYOUTS)}; got {name!r}.")
    layout = Layout() if name is None else LAYOUTS[name]
    if patient_pattern is not None:
        try:
            re.compile(patient_pattern)
        except re.error as error:
            raise ValueError(
                f"`--patient-pattern` must be a regular expression; got {patient_pattern!r}: "
                f"{error}."
            ) from error
        layout = dataclasses.replace(layout, patient_pattern=patient_pattern)
    if columns is not None:
        layout = dataclasses.replace(
            layout, columns={**layout.columns, **_pairs("--columns", columns)}
        )
    return layout


def _columns_of_manifest(path: Path) -> dict[str, str]:
    """Return the columns of a manifest, each under its own name; its split is not kept."""
    rows = read_rows(path)
    columns = {name: name for name in COLUMNS[:-1] if rows and name in rows[0]}
    if not {"file", "label"} <= columns.keys():
        raise ValueError(
            "`--csv` must have the columns file and label, or be given with --columns or a "
            f"--layout that has columns; got {str(path)!r}, which has "
            f"{', '.join(rows[0]) if rows else 'no rows'}."
        )
    return columns


def _pairs(option: str, text: str | None) -> dict[str, str]:
    pairs = {}
    for part in (text or "").split(","):
        name, _, value = part.partition("=")
        if name.strip():
            pairs[name.strip()] = value.strip() or name.strip()
        elif part.strip():
            raise ValueError(f"`{option}` must be NAME=VALUE,...; got {text!r}.")
    return pairs


def _relative(folder: Path, path: str | os.PathLike[str]) -> str:
    """Name `path` from `folder` where they share more than the root of the file system.

    Links to folders are resolved first: ``..`` leads out of where a link leads to.
    """
    place, name = os.path.split(path)
    absolute, start = os.path.join(_resolved(place), name), _resolved(os.fspath(folder))
    try:
        shared = os.path.commonpath((absolute, start))
    except ValueError:  # on different drives
        return absolute
    if shared == os.path.dirname(shared):
        return absolute
    return Path(os.path.relpath(absolute, start)).as_posix()


@functools.cache
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)


def _named_from(out: Path, source: Path, record: Record) -> Record:
    return dataclasses.replace(record, file=_relative(out.parent, source / record.file))


def _report_skipped(out: Path, found: Index) -> int:
    beside = out.with_suffix(".skipped.csv")
    if not found.skipped:
        beside.unlink(missing_ok=True)
        return 0
    with _console.errors_exit_with(_console.FAILED):
        rows = [dataclasses.asdict(skipped) for skipped in found.skipped]
        write_rows(beside, [f.name for f in dataclasses.fields(Skipped)], rows)
    _console.complain(f"{len(found.skipped)} files not used; why, in {_shown(beside)}")
    asked = all(skipped.reason.endswith("not asked for") for skipped in found.skipped)
    return 0 if asked else _console.FAILED
