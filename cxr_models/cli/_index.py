"""`cxr-models index`."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_enhance.io import pseudonym, read_pseudonym_key, user_pseudonym_key
from cxr_models._outputs import check_output, replaces_output
from cxr_models.cli import _console
from cxr_models.cli._paths import relative, shown
from cxr_models.records.copies import KINDS
from cxr_models.records.examine import examine
from cxr_models.records.index import (
    DUPLICATES,
    DUPLICATES_COLUMNS,
    SKIPPED,
    SKIPPED_COLUMNS,
    Index,
    index_csv,
    index_folder,
    keep_labels,
)
from cxr_models.records.layouts import LAYOUTS, Layout
from cxr_models.records.manifest import (
    COLUMNS,
    HEADER_COLUMNS,
    MANIFEST,
    Record,
    check_files_differ,
    read_rows,
    write_manifest,
    write_rows,
)
from cxr_models.records.patients import same_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cxr_models._outputs import Kind

_SHOWN = 5


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
    pseudonym_key: Path | None = None,
    keep_patient_ids: bool = False,
    drop_duplicates: bool = False,
) -> int:
    """Write the manifest of `source` to `out`; beside it, duplicates and what cannot be used."""
    lists = _Lists(out, csvs, overwrite=overwrite)
    with _console.errors_exit_with(_console.WRONG_USAGE):
        check_output(out, MANIFEST, overwrite=overwrite, inputs=csvs)
        lists.check()
        name_patient = _patient_namer(pseudonym_key, keep_patient_ids=keep_patient_ids)
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
            found = examine(
                found,
                source,
                max_distance=max_distance,
                name_patient=name_patient,
                drop_duplicates=drop_duplicates,
                progress=bar.update,
            )
        if not found.records:
            lists.write(found)
            raise ValueError(f"`SOURCE` must hold readable images; got {found.skipped[-1].reason}")
        with replaces_output(out, MANIFEST, overwrite=overwrite, inputs=csvs) as temporary:
            named = [_named_from(out, source, record) for record in found.records]
            write_manifest(temporary, named)
    _say_what_was_found(out, found)
    with _console.errors_exit_with(_console.FAILED):
        lists.write(found)
    if found.skipped:
        _console.complain(f"{len(found.skipped)} files not used; why, in {shown(lists.skipped)}")
    return 0 if all(skipped.was_asked_for() for skipped in found.skipped) else _console.FAILED


def _say_what_was_found(out: Path, found: Index) -> None:
    labels = Counter(record.label for record in found.records)
    told = ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
    _console.say(f"wrote {shown(out)}: {len(found.records)} images ({told})")
    groups = len({record.group for record in found.records})
    _console.say(
        f"{len({pair.other for pair in found.duplicates})} duplicates{_kinds_of(found)}; {groups} "
        "groups that a split keeps together"
    )
    differ = [pair for pair in found.duplicates if pair.label != pair.other_label]
    if differ:
        _console.complain(
            f"WARNING: {len(differ)} pairs of equal or near images have two labels; one of them is "
            "wrong. All pairs: "
            f"{shown(_Lists.of_duplicates(out))}"
        )
    for pair in differ[:_SHOWN]:
        one, other = (_console.printable(name) for name in (pair.file, pair.other))
        _console.complain(f"  {one} ({pair.label}), {other} ({pair.other_label}): {pair.kind}")
    unknown = sum(not same_id(record.patient) for record in found.records)
    if unknown:
        _console.complain(
            f"WARNING: no patient is known of {unknown:,} of {len(found.records):,} images; a "
            "split can put one patient into train and test. Name patients with --patient-pattern "
            "or a CSV."
        )
    if found.others:
        kinds = Counter(os.path.splitext(name)[1] or "no suffix" for name in found.others)
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        _console.complain(
            f"{len(found.others)} files passed over, no images by their names: "
            f"{_console.printable(counts)}"
        )


def _kinds_of(found: Index) -> str:
    counts = Counter(pair.kind for pair in found.duplicates)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    return f" (pairs: {told})" if told else ""


class _Lists:
    """The CSVs beside a manifest: what was not used, and which images are copies."""

    def __init__(self, out: Path, csvs: Sequence[Path], *, overwrite: bool) -> None:
        self.skipped, self.duplicates = out.with_suffix(".skipped.csv"), self.of_duplicates(out)
        self._csvs, self._overwrite = csvs, overwrite

    @staticmethod
    def of_duplicates(out: Path) -> Path:
        return out.with_suffix(".duplicates.csv")

    def check(self) -> None:
        """Raise unless both may be written or removed."""
        self._check(self.skipped, SKIPPED)
        self._check(self.duplicates, DUPLICATES)

    def write(self, found: Index) -> None:
        """Write those that hold something; an earlier one that would hold nothing is removed."""
        skipped = [dataclasses.asdict(one) for one in found.skipped]
        self._write(self.skipped, SKIPPED, SKIPPED_COLUMNS, skipped)
        pairs = [{**dataclasses.asdict(one), "bits": str(one.bits)} for one in found.duplicates]
        self._write(self.duplicates, DUPLICATES, DUPLICATES_COLUMNS, pairs)

    def _check(self, path: Path, kind: Kind) -> None:
        check_output(path, kind, overwrite=self._overwrite, inputs=self._csvs, option=path.name)

    def _write(
        self, path: Path, kind: Kind, columns: Sequence[str], rows: Sequence[dict[str, str]]
    ) -> None:
        if not rows:
            self._check(path, kind)  # a file of others is neither replaced nor removed
            path.unlink(missing_ok=True)
            return
        with replaces_output(
            path, kind, overwrite=self._overwrite, inputs=self._csvs, option=path.name
        ) as temporary:
            write_rows(temporary, columns, rows)


def _patient_namer(key_file: Path | None, *, keep_patient_ids: bool) -> Callable[[str], str]:
    """Return what makes of a header's patient id the id to write."""
    if keep_patient_ids:
        if key_file is not None:
            raise ValueError(
                "`--pseudonym-key` is only allowed without --keep-patient-ids; got both."
            )
        return _as_text
    if key_file is not None:
        return functools.partial(pseudonym, key=read_pseudonym_key(key_file))
    key_of_user = functools.cache(_key_of_user)  # asked for by the first patient, if there is one
    return lambda patient: pseudonym(patient, key_of_user())


def _key_of_user() -> bytes:
    key, path, made = user_pseudonym_key()
    if made:
        _console.say(
            f"made {shown(path)}, the key of patients' pseudonyms: keep it, it is yours alone"
        )
    return key


def _as_text(patient: str) -> str:
    """Write an id whose bytes are no UTF-8 as Latin-1, which most of them are."""
    raw = patient.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


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
    columns = {name: name for name in (*COLUMNS[:-1], *HEADER_COLUMNS) if rows and name in rows[0]}
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


def _named_from(out: Path, source: Path, record: Record) -> Record:
    return dataclasses.replace(record, file=relative(out.parent, source / record.file))
