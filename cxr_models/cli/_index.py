"""`cxr-models index`."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import re
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_models._outputs import check_output, replaces_output
from cxr_models.cli import _console
from cxr_models.cli._index_lists import IndexLists
from cxr_models.cli._index_text import (
    say_overlaps,
    say_result,
    say_why,
    warn_of_a_folder_around,
)
from cxr_models.cli._paths import names_from, shown
from cxr_models.cli._patients import patient_namer
from cxr_models.records.choices import ALL, Choices
from cxr_models.records.csv_files import read_rows
from cxr_models.records.examine import examine, read_headers
from cxr_models.records.hashes import KeptHashes
from cxr_models.records.index import (
    Index,
    index_csv,
    index_folder,
    keep_chosen,
    keep_labels,
)
from cxr_models.records.known_sets import index_set, recognise
from cxr_models.records.layouts import LAYOUTS, Layout
from cxr_models.records.layouts.known import SETS
from cxr_models.records.layouts.tree import Tree
from cxr_models.records.manifest import (
    COLUMNS,
    DIGEST_COLUMNS,
    HEADER_COLUMNS,
    MANIFEST,
    check_names_differ,
    further_columns,
    write_manifest,
)
from cxr_models.records.scan import may_be_dicom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


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
    """Write the manifest of `source` to `out`; beside it, duplicates and unused files."""
    lists = IndexLists(out, csvs, overwrite=overwrite)
    with _console.errors_exit_with(_console.WRONG_USAGE):
        check_output(out, MANIFEST, overwrite=overwrite, inputs=csvs)
        lists.check()
        _check_words(csvs=csvs, columns=columns, layout_name=layout_name, drop_split=drop_split,
                     decode=decode, drop_duplicates=drop_duplicates)  # fmt: skip
        name_patient = patient_namer(pseudonym_key, keep_patient_ids=keep_patient_ids)
        if patient_pattern is not None:
            _check_pattern(patient_pattern)
        all_choices = dataclasses.replace(
            choices or Choices(), patient_pattern=patient_pattern or ""
        )
        if csvs:
            if not drop_split:
                all_choices = dataclasses.replace(all_choices, official_split=True)
            indexed = _index_csvs(source, csvs, layout_name, columns, all_choices)
        else:
            with _no_search_for_cycles():
                indexed = _index_tree(source, layout_name, all_choices, out=out)
        if patient_pattern and not any(record.patient for record in indexed.records):
            such = f", such as {indexed.records[0].file!r}" if indexed.records else ""
            raise ValueError(
                "`--patient-pattern` must be found in the names of files; got "
                f"{patient_pattern!r}, which is in none{such}."
            )
        indexed = keep_labels(indexed, _pairs("--labels", labels))
        if csvs:
            check_names_differ(names_from(out, source, indexed.records, walked=False))

    def open_files(progress: Callable[[], object]) -> Index:
        if not decode:
            return read_headers(indexed, source, name_patient=name_patient, progress=progress)
        with KeptHashes(lists.hashes) as hashes:
            return examine(
                indexed,
                source,
                max_distance=max_distance,
                name_patient=name_patient,
                drop_duplicates=drop_duplicates,
                hashes=hashes,
                progress=progress,
            )

    with _console.errors_exit_with(_console.FAILED):
        with tqdm(total=len(indexed.records), unit="image", disable=None) as bar:
            result = open_files(bar.update)
        if any(may_be_dicom(record.file) for record in result.records):
            result = keep_chosen(result, _of_csv(all_choices) if csvs else all_choices)
        if not result.records:
            lists.write(result)
            raise ValueError(f"`SOURCE` must hold readable images; got {result.skipped[-1].reason}")
        with (
            _no_search_for_cycles(),
            replaces_output(out, MANIFEST, overwrite=overwrite, inputs=csvs) as temporary,
        ):
            names = names_from(out, source, result.records, walked=not csvs)
            write_manifest(temporary, result.records, always=DIGEST_COLUMNS, files=names)
    say_result(out, result, decoded=decode)
    if (
        all_choices.official_split
        and not csvs
        and not any(record.split for record in result.records)
    ):
        _console.complain("WARNING: the set has no split of its own that is there")
    with _console.errors_exit_with(_console.FAILED):
        lists.write(result)
    if result.skipped:
        _console.complain(f"{len(result.skipped)} files not used; why, in {shown(lists.skipped)}")
        say_why(result)
    return 0 if all(skipped.is_intended() for skipped in result.skipped) else _console.FAILED


@contextlib.contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Stop Python's search for cycles among millions of rows, which takes a tenth of the time.

    Rows and records refer to texts alone.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def list_layouts() -> int:
    """Print the size, licence and citation of every public set."""
    for known_set in SETS.values():
        size = f", {known_set.images:,} images" if known_set.images else ""
        doubt = "" if known_set.verified else "; columns not checked against the set itself"
        _console.say(f"{known_set.name}: {known_set.title}{size}{doubt}")
        _console.say(f"    licence: {known_set.licence}")
        if known_set.citation:
            _console.say(f"    cite: {known_set.citation}")
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
    source: Path, csvs: Sequence[Path], name: str | None, columns: str | None, choices: Choices
) -> Index:
    layout = Layout() if name is None else LAYOUTS[name]
    if choices.patient_pattern:
        layout = dataclasses.replace(layout, patient_pattern=choices.patient_pattern)
    if columns is not None:
        layout = dataclasses.replace(
            layout, columns={**layout.columns, **_pairs("--columns", columns)}
        )
    if not layout.columns:
        layout = dataclasses.replace(layout, columns=_columns_of_manifest(csvs[0]))
    return index_csv(source, csvs, layout, _of_csv(choices))


def _of_csv(choices: Choices) -> Choices:
    """Return the choices for a table of the user's: by default all views and modalities."""
    everything = frozenset((ALL,))
    return dataclasses.replace(
        choices,
        views=choices.views or everything,
        modalities=choices.modalities or everything,
        patient_pattern="",  # the layout of the table has it
    )


def _index_tree(source: Path, name: str | None, choices: Choices, *, out: Path) -> Index:
    tree = Tree(source, extra=choices.columns())
    known_set = SETS[name] if name is not None else recognise(tree)
    if known_set is None:
        layout = Layout(patient_pattern=choices.patient_pattern)
        indexed = index_folder(source, layout, choices, listing=tree.listing)
        warn_of_a_folder_around(indexed)
        return indexed
    indexed = index_set(tree, known_set, choices, unpack=out.with_suffix(".images"))
    available = indexed.listed - indexed.absent
    expected = f"{known_set.images:,} images expected, " if known_set.images else ""
    _console.say(f"{known_set.title}: {expected}{available:,} found")
    say_overlaps({known_set.name, *(record.source for record in indexed.records)})
    return indexed


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
