"""`cxr-models index`: write a manifest of images."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_models._counts import counted
from cxr_models._outputs import check_output, replaces_output
from cxr_models.cli import _console
from cxr_models.cli._index_lists import IndexLists
from cxr_models.cli._index_text import (
    say_overlaps,
    say_result,
    say_why,
    warn_of_a_folder_around,
)
from cxr_models.cli._paths import shown
from cxr_models.cli._patients import patient_namer
from cxr_models.records.choices import Choices
from cxr_models.records.hashes import KeptHashes
from cxr_models.records.index import keep_labels
from cxr_models.records.indexing import ListedImages, check_options, list_images, open_images
from cxr_models.records.labels import remark_on_blanks
from cxr_models.records.layouts.known import SETS
from cxr_models.records.manifest import DIGEST_COLUMNS, MANIFEST, write_manifest
from cxr_models.records.relative_names import names_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cxr_models.records.index import Index


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
    """Write the manifest of `source` to `out`, and lists of duplicates and unused files next to it.

    Returns
    -------
    int
        Exit status: 0 if all files were used or left out on purpose, 1 otherwise.
    """
    lists = IndexLists(out, csvs, overwrite=overwrite)
    with _console.errors_exit_with(_console.WRONG_USAGE):
        check_output(out, MANIFEST, overwrite=overwrite, inputs=csvs)
        lists.check()
        check_options(csvs=csvs, has_columns=columns is not None, layout_name=layout_name,
                      drop_split=drop_split, decode=decode,
                      drop_duplicates=drop_duplicates, max_distance=max_distance)  # fmt: skip
        name_patient = patient_namer(pseudonym_key, keep_patient_ids=keep_patient_ids)
        all_choices = dataclasses.replace(
            choices or Choices(), patient_pattern=patient_pattern or ""
        )
        with _no_search_for_cycles():
            listed = list_images(
                source,
                csvs=csvs,
                layout_name=layout_name,
                columns=None if columns is None else _pairs("--columns", columns),
                choices=all_choices,
                drop_split=drop_split,
                unpack=out.with_suffix(".images"),
            )
        _say_recognised_set(listed, from_folder=not csvs)
        listed = listed._replace(
            image_index=keep_labels(listed.image_index, _pairs("--labels", labels))
        )

    def open_files(progress: Callable[[], object]) -> Index:
        with KeptHashes(lists.hashes) if decode else contextlib.nullcontext() as hashes:
            return open_images(
                listed,
                source,
                decode=decode,
                max_distance=max_distance,
                name_patient=name_patient,
                drop_duplicates=drop_duplicates,
                hashes=hashes,
                progress=progress,
            )

    with _console.errors_exit_with(_console.FAILED):
        with tqdm(total=len(listed.image_index.records), unit="image", disable=None) as bar:
            result = open_files(bar.update)
        if not result.records:
            lists.write(result)
            raise ValueError(f"`SOURCE` must hold readable images; got {result.skipped[-1].reason}")
        with (
            _no_search_for_cycles(),
            replaces_output(out, MANIFEST, overwrite=overwrite, inputs=csvs) as temporary,
        ):
            names = names_from(out, source, result.records, is_inside_source=not csvs)
            write_manifest(temporary, result.records, always=DIGEST_COLUMNS, files=names)
    remark = remark_on_blanks(result.records, all_choices)
    say_result(out, result, decoded=decode, remark=remark)
    if (
        all_choices.official_split
        and not csvs
        and not any(record.split for record in result.records)
    ):
        _console.complain("WARNING: the set has no split of its own that is there")
    with _console.errors_exit_with(_console.FAILED):
        lists.write(result)
    if result.skipped:
        files = counted(len(result.skipped), "file")
        _console.complain(f"{files} not used; why, in {shown(lists.skipped)}")
        say_why(result)
    return 0 if all(skipped.is_intended() for skipped in result.skipped) else _console.FAILED


@contextlib.contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Turn off Python's cyclic garbage collector during the block.

    Its search for cycles among millions of rows takes a tenth of the time. Rows and records refer
    to strings only, so they form no cycles.
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


def _say_recognised_set(listed: ListedImages, *, from_folder: bool) -> None:
    """Print which public set was recognised, or warn if labels seem to be one folder deeper."""
    known_set, indexed = listed.known_set, listed.image_index
    if known_set is not None:
        expected = f"{known_set.images:,} images expected, " if known_set.images else ""
        _console.say(f"{known_set.title}: {expected}{indexed.listed - indexed.absent:,} found")
        say_overlaps({known_set.name, *(record.source for record in indexed.records)})
    elif from_folder:
        warn_of_a_folder_around(indexed)


def _pairs(option: str, text: str | None) -> dict[str, str]:
    pairs = {}
    for part in (text or "").split(","):
        name, _, value = part.partition("=")
        if name.strip():
            pairs[name.strip()] = value.strip() or name.strip()
        elif part.strip():
            raise ValueError(f"`{option}` must be NAME=VALUE,...; got {text!r}.")
    return pairs
