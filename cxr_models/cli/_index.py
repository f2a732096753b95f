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
from cxr_models.cli._paths import named_from, shown
from cxr_models.records.choices import ALL, Choices
from cxr_models.records.copies import KINDS
from cxr_models.records.examine import examine, read_headers
from cxr_models.records.hashes import HASHES, KeptHashes
from cxr_models.records.index import (
    DUPLICATE,
    DUPLICATES,
    DUPLICATES_COLUMNS,
    SECOND_COPY,
    SKIPPED,
    SKIPPED_COLUMNS,
    Index,
    index_csv,
    index_folder,
    keep_chosen,
    keep_labels,
)
from cxr_models.records.known_sets import columns_to_read, index_set, recognise
from cxr_models.records.labels import SEVERAL
from cxr_models.records.layouts import LAYOUTS, Layout
from cxr_models.records.layouts.known import SETS
from cxr_models.records.layouts.overlaps import overlap_notes
from cxr_models.records.layouts.tree import Tree
from cxr_models.records.manifest import (
    COLUMNS,
    DIGEST_COLUMNS,
    HEADER_COLUMNS,
    MANIFEST,
    check_names_differ,
    further_columns,
    read_rows,
    write_manifest,
    write_rows,
)
from cxr_models.records.patients import same_id
from cxr_models.records.scan import may_be_dicom

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
    choices: Choices | None = None,
    drop_split: bool = False,
    decode: bool = True,
    pseudonym_key: Path | None = None,
    keep_patient_ids: bool = False,
    drop_duplicates: bool = False,
) -> int:
    """Write the manifest of `source` to `out`; beside it, duplicates and what cannot be used."""
    lists = _Lists(out, csvs, overwrite=overwrite)
    with _console.errors_exit_with(_console.WRONG_USAGE):
        check_output(out, MANIFEST, overwrite=overwrite, inputs=csvs)
        lists.check()
        _check_words(csvs=csvs, columns=columns, layout_name=layout_name, drop_split=drop_split,
                     decode=decode, drop_duplicates=drop_duplicates)  # fmt: skip
        name_patient = _patient_namer(pseudonym_key, keep_patient_ids=keep_patient_ids)
        if patient_pattern is not None:
            _check_pattern(patient_pattern)
        asked = dataclasses.replace(choices or Choices(), patient_pattern=patient_pattern or "")
        if csvs:
            if not drop_split:
                asked = dataclasses.replace(asked, official_split=True)
            found = _index_csvs(source, csvs, layout_name, columns, asked)
        else:
            found = _index_tree(source, layout_name, asked, out=out)
        if patient_pattern and not any(record.patient for record in found.records):
            raise ValueError(
                "`--patient-pattern` must be found in the names of files; got "
                f"{patient_pattern!r}, which is in none, such as {found.records[0].file!r}."
            )
        found = keep_labels(found, _pairs("--labels", labels))
        if csvs:
            check_names_differ(named_from(out, source, found.records, walked=False))
    with _console.errors_exit_with(_console.FAILED):
        with tqdm(total=len(found.records), unit="image", disable=None) as bar:
            if decode:
                with KeptHashes(lists.hashes) as hashes:
                    found = examine(
                        found,
                        source,
                        max_distance=max_distance,
                        name_patient=name_patient,
                        drop_duplicates=drop_duplicates,
                        hashes=hashes,
                        progress=bar.update,
                    )
            else:
                found = read_headers(found, source, name_patient=name_patient, progress=bar.update)
        if any(may_be_dicom(record.file) for record in found.records):
            found = keep_chosen(found, _of_csv(asked) if csvs else asked)
        if not found.records:
            lists.write(found)
            raise ValueError(f"`SOURCE` must hold readable images; got {found.skipped[-1].reason}")
        with replaces_output(out, MANIFEST, overwrite=overwrite, inputs=csvs) as temporary:
            names = named_from(out, source, found.records, walked=not csvs)
            write_manifest(temporary, found.records, always=DIGEST_COLUMNS, files=names)
    _say_what_was_found(out, found, decoded=decode)
    with _console.errors_exit_with(_console.FAILED):
        lists.write(found)
    if found.skipped:
        _console.complain(f"{len(found.skipped)} files not used; why, in {shown(lists.skipped)}")
        _say_why(found)
    return 0 if all(skipped.was_asked_for() for skipped in found.skipped) else _console.FAILED


def list_layouts() -> int:
    """Print every set that is known, its size, licence and citation."""
    for known in SETS.values():
        size = f", {known.images:,} images" if known.images else ""
        doubt = "" if known.verified else "; columns not checked against the set itself"
        _console.say(f"{known.name}: {known.title}{size}{doubt}")
        _console.say(f"    licence: {known.licence}")
        if known.citation:
            _console.say(f"    cite: {known.citation}")
    return 0


def _check_words(
    *,
    csvs: Sequence[Path],
    columns: str | None,
    layout_name: str | None,
    drop_split: bool,
    decode: bool,
    drop_duplicates: bool,
) -> None:
    if layout_name is not None and layout_name not in {*SETS, *LAYOUTS}:
        raise ValueError(f"`--layout` must be one of {', '.join(SETS)}; got {layout_name!r}.")
    if columns is not None and not csvs:
        raise ValueError("`--columns` is only allowed with --csv; got no --csv.")
    if csvs and layout_name is not None and layout_name not in LAYOUTS:
        raise ValueError(
            f"`--layout {layout_name}` is only allowed without --csv: it finds the set's tables "
            "itself."
        )
    if drop_split and not csvs:
        raise ValueError(
            "`--drop-split` is only allowed with --csv; without it a split is taken with "
            "--official-split alone."
        )
    if drop_duplicates and not decode:
        raise ValueError(
            "`--drop-duplicates` is only allowed without --no-decode: copies are found by what "
            "images show."
        )


def _index_csvs(
    source: Path, csvs: Sequence[Path], name: str | None, columns: str | None, asked: Choices
) -> Index:
    layout = Layout() if name is None else LAYOUTS[name]
    if asked.patient_pattern:
        layout = dataclasses.replace(layout, patient_pattern=asked.patient_pattern)
    if columns is not None:
        layout = dataclasses.replace(
            layout, columns={**layout.columns, **_pairs("--columns", columns)}
        )
    if not layout.columns:
        layout = dataclasses.replace(layout, columns=_columns_of_manifest(csvs[0]))
    return index_csv(source, csvs, layout, _of_csv(asked))


def _of_csv(asked: Choices) -> Choices:
    """Return the choices for a table of the user's, of which no view is left out unasked."""
    everything = frozenset((ALL,))
    return dataclasses.replace(
        asked,
        views=asked.views or everything,
        modalities=asked.modalities or everything,
        patient_pattern="",  # the layout of the table has it
    )


def _index_tree(source: Path, name: str | None, asked: Choices, *, out: Path) -> Index:
    tree = Tree(source, extra=columns_to_read(asked))
    known = SETS[name] if name is not None else recognise(tree)
    if known is None:
        layout = Layout(patient_pattern=asked.patient_pattern)
        return index_folder(source, layout, asked, found=tree.found)
    found = index_set(tree, known, asked, unpack=out.with_suffix(".images"))
    there = found.listed - found.absent
    expected = f"{known.images:,} images expected, " if known.images else ""
    _console.say(f"{known.title}: {expected}{there:,} found")
    for name_ in sorted({known.name, *(record.source for record in found.records)}):
        for note in overlap_notes(name_):
            _console.say(f"{name_} {note}: none of them is another source to test on")
    return found


def _say_why(found: Index) -> None:
    """Count what the user, a default or the set leaves out, by reason."""
    reasons = Counter(
        next((kind for kind in (DUPLICATE, SECOND_COPY) if one.reason.startswith(kind)), one.reason)
        for one in found.skipped
        if one.was_asked_for()
    )
    for reason, count in reasons.most_common():
        told = f"{reason}another" if reason in (DUPLICATE, SECOND_COPY) else reason
        _console.complain(f"  {count:,} left out: {_console.printable(told)}")


def _say_what_was_found(out: Path, found: Index, *, decoded: bool) -> None:
    labels = Counter(record.label for record in found.records)
    told = ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
    _console.say(f"wrote {shown(out)}: {len(found.records)} images ({told})")
    if found.absent:
        _console.say(f"{found.absent:,} images that the set lists are not there")
    if found.several:
        _console.say(
            f"{found.several:,} images hold several findings, of which the label tells one or "
            f"{SEVERAL!r}; all are in the columns finding:NAME"
        )
    if decoded:
        groups = len({record.group for record in found.records})
        _console.say(
            f"{len({pair.other for pair in found.duplicates})} duplicates{_kinds_of(found)}; "
            f"{groups} groups that a split keeps together"
        )
    else:
        _console.complain("WARNING: images were not decoded; copies of one image are not found")
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
        self.hashes = out.with_suffix(".hashes.csv")
        self._csvs, self._overwrite = csvs, overwrite

    @staticmethod
    def of_duplicates(out: Path) -> Path:
        return out.with_suffix(".duplicates.csv")

    def check(self) -> None:
        """Raise unless both may be written or removed."""
        self._check(self.skipped, SKIPPED)
        self._check(self.duplicates, DUPLICATES)
        if self.hashes.exists():  # added to, and never replaced
            check_output(
                self.hashes, HASHES, overwrite=True, inputs=self._csvs, option=self.hashes.name
            )

    def write(self, found: Index) -> None:
        """Write those that hold something; an earlier one that would hold nothing is removed."""
        skipped = [{"file": one.file, "reason": one.reason} for one in found.skipped]
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


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"`--patient-pattern` must be a regular expression; got {pattern!r}: {error}."
        ) from error


def _columns_of_manifest(path: Path) -> dict[str, str]:
    """Return the columns of a manifest, each under its own name."""
    rows = read_rows(path)
    findings, _ = further_columns(rows[0] if rows else ())
    names = (*COLUMNS, *HEADER_COLUMNS, *findings)
    columns = {name: name for name in names if rows and name in rows[0]}
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
