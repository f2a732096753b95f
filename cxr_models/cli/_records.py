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

from cxr_models._outputs import check_output, replaces_output
from cxr_models.cli import _console
from cxr_models.records import splits
from cxr_models.records.index import (
    SKIPPED,
    Index,
    Skipped,
    examine,
    index_csv,
    index_folder,
    keep_labels,
)
from cxr_models.records.layouts import LAYOUTS, Layout
from cxr_models.records.manifest import (
    COLUMNS,
    MANIFEST,
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
    overwrite: bool,
) -> int:
    """Write the manifest of `source` to `out`, and what could not be used beside it."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        check_output(out, MANIFEST, overwrite=overwrite, inputs=csvs)
        unused = _list_of_skipped(out)
        check_output(unused, SKIPPED, overwrite=overwrite, inputs=csvs, option=unused.name)
        layout = _layout(layout_name, patient_pattern, columns)
        if csvs and not layout.columns:
            layout = dataclasses.replace(layout, columns=_columns_of_manifest(csvs[0]))
        if layout.columns and not csvs:
            option = "--columns" if columns is not None else f"--layout {layout_name}"
            raise ValueError(f"`{option}` is only allowed with --csv; got no --csv.")
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
        if not found.records:
            _report_skipped(out, found, csvs, overwrite=overwrite)
            raise ValueError(f"`SOURCE` must hold readable images; got {found.skipped[-1].reason}")
        with replaces_output(out, MANIFEST, overwrite=overwrite, inputs=csvs) as temporary:
            named = [_named_from(out, source, record) for record in found.records]
            write_manifest(temporary, named)
    labels_told = Counter(record.label for record in found.records)
    told = ", ".join(f"{label} {count}" for label, count in sorted(labels_told.items()))
    _console.say(f"wrote {_shown(out)}: {len(found.records)} images ({told})")
    groups = len({record.group for record in found.records})
    _console.say(f"{found.duplicates} duplicates; {groups} groups that a split keeps together")
    unknown = sum(not record.patient for record in found.records)
    if unknown:
        _console.say(f"{unknown:,} images have no patient id; each is treated as its own patient")
    if found.others:
        kinds = Counter(os.path.splitext(name)[1] or "no suffix" for name in found.others)
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        _console.complain(
            f"{len(found.others)} files passed over, no images by their names: "
            f"{_console.printable(counts)}"
        )
    return _report_skipped(out, found, csvs, overwrite=overwrite)


def split(
    manifest: Path,
    out: Path,
    *,
    fractions: tuple[float, float, float],
    seed: int,
    folds: int | None,
    leave_source_out: bool,
    test_others: bool,
    overwrite: bool,
) -> int:
    """Write a split of `manifest` to `out`, or several into the folder `out`."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        if folds is not None and leave_source_out:
            raise ValueError("`--folds` is only allowed without --leave-source-out; got both.")
        if test_others and not leave_source_out:
            raise ValueError(
                "`--test-others` is only allowed with --leave-source-out; got it alone."
            )
        several = folds is not None or leave_source_out
        if several and out.exists() and not out.is_dir():
            raise ValueError(f"`--out` must be a folder for several splits; got {str(out)!r}.")
        read = read_manifest(manifest)
        records = [
            dataclasses.replace(
                record,
                file=_relative(out if several else out.parent, path),
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
        for path in made:
            check_output(path, splits.SPLIT, overwrite=overwrite, inputs=[manifest])
    with _console.errors_exit_with(_console.FAILED):
        for path, (assigned, told) in made.items():
            with replaces_output(
                path, splits.SPLIT, overwrite=overwrite, inputs=[manifest]
            ) as temporary:
                splits.write_split(temporary, assigned, told)
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
            f"`--csv` must have the columns file and label; got {str(path)!r}, which has "
            f"{', '.join(rows[0]) if rows else 'no rows'}. Name its columns with --columns or "
            "--layout."
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


def _list_of_skipped(out: Path) -> Path:
    return out.with_suffix(".skipped.csv")


def _report_skipped(out: Path, found: Index, csvs: Sequence[Path], *, overwrite: bool) -> int:
    beside = _list_of_skipped(out)
    with _console.errors_exit_with(_console.FAILED):
        if not found.skipped:
            # What an earlier call could not use; a file of others is neither replaced nor removed.
            check_output(beside, SKIPPED, overwrite=overwrite, inputs=csvs, option=beside.name)
            beside.unlink(missing_ok=True)
            return 0
        with replaces_output(
            beside, SKIPPED, overwrite=overwrite, inputs=csvs, option=beside.name
        ) as temporary:
            rows = [dataclasses.asdict(skipped) for skipped in found.skipped]
            write_rows(temporary, [f.name for f in dataclasses.fields(Skipped)], rows)
    _console.complain(f"{len(found.skipped)} files not used; why, in {_shown(beside)}")
    asked = all(skipped.reason.endswith("not asked for") for skipped in found.skipped)
    return 0 if asked else _console.FAILED
