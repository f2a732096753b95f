"""List the images of a folder and divide them: `index` and `split`."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models._outputs import check_output, replaces_output
from cxr_models._settings import check_text_by_name
from cxr_models.library.arguments import items_of
from cxr_models.library.wording import says_arguments
from cxr_models.records import official, splits
from cxr_models.records.finding_counts import checked_findings
from cxr_models.records.manifest import (
    DIGEST_COLUMNS,
    MANIFEST,
    SPLITS,
    Manifest,
    check_label,
    read_manifest,
    write_manifest,
)
from cxr_models.records.patients import normalised_id
from cxr_models.records.splits import SPLIT, Split, read_split, records_hash, write_split
from cxr_models.records.ties import with_shared_ids

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from cxr_models.records.choices import Choices
    from cxr_models.records.index import Index

_STACK = 3  # frames from a warning here to the caller: of this function and of `says_arguments`


@says_arguments(SOURCE="folder")
def index(
    folder: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    csv: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    patient_pattern: str = "",
    choices: Choices | None = None,
    drop_split: bool = False,
    decode: bool = True,
    drop_duplicates: bool = False,
    max_distance: int = 32,
    pseudonym_key: str | os.PathLike[str] | None = None,
    progress: Callable[[], object] | None = None,
    overwrite: bool = False,
) -> Manifest:
    r"""List the radiographs of a folder with their labels and patients, and find copies.

    The function does the same as ``cxr-models index``; docs/datasets.md lists the public sets that
    it recognises.

    Parameters
    ----------
    folder : str or PathLike
        A public set as downloaded, or a folder whose subfolders are named after the labels.
    out : str or PathLike, optional
        CSV file for the manifest. None writes no file.
    layout : str, optional
        Name of the public set. None recognises the set by its files.
        ``cxr-models index --list-layouts`` prints the names.
    csv : str, PathLike or sequence of these, optional
        Your own table, or several. The first table lists the files; the others add columns to its
        rows.
    columns : mapping of str to str, optional
        Columns of the manifest, each with the name of the column of `csv` that holds it, such as
        ``{"file": "path", "label": "finding"}``.
    labels : mapping of str to str, optional
        Labels to keep, each with its new name. Images with other labels are left out. None keeps
        all labels.
    patient_pattern : str, default ""
        Regular expression that finds the patient in a file's path.
    choices : Choices, optional
        Which images are kept, and how their findings are turned into labels. None takes the
        defaults of `Choices`.
    drop_split : bool, default False
        Whether the column ``split`` of `csv` is ignored.
    decode : bool, default True
        Whether images are opened, to find copies and unreadable files.
    drop_duplicates : bool, default False
        Whether only the first of several copies of an image is kept.
    max_distance : int, default 32
        Largest number of bits, of 256, in which the hashes of two copies may differ.
    pseudonym_key : str or PathLike, optional
        File with a secret key. Patient ids in DICOM headers are replaced by pseudonyms that are
        computed with this key. None writes no id of a DICOM header, and still keeps images of the
        same patient id together.
    progress : callable, optional
        Function that is called after each opened image.
    overwrite : bool, default False
        Whether `out` may replace an earlier manifest.

    Returns
    -------
    Manifest
        A record for each image.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed, or no image of the folder has a label and can be read.
    FileExistsError
        If `out` exists and `overwrite` is false.
    OSError
        If a file cannot be read or written.

    Warns
    -----
    UserWarning
        If files could not be used, copies of one image have different labels, findings of
        ``choices.label_from`` are blank, rows of one CSV have no row in another, a spreadsheet has
        rounded patient ids, labels differ in letter case alone, patients are unknown, or patient
        ids of DICOM headers are not written.

    See Also
    --------
    split : Divide the manifest into train, val and test.
    read_manifest : Read a manifest from its file.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> manifest = cxm.index("scans", patient_pattern=r"p\d+")
    >>> manifest.class_names(), len(manifest.records)
    (('covid', 'normal'), 48)
    >>> manifest.records[0].file, manifest.records[0].patient
    ('covid/p000-0.png', 'p000')
    """
    from cxr_enhance.io import pseudonym, read_pseudonym_key
    from cxr_models.records.choices import Choices
    from cxr_models.records.index import keep_labels
    from cxr_models.records.indexing import check_options, list_images, open_images
    from cxr_models.records.relative_names import names_from

    for name, texts in (("columns", columns), ("labels", labels)):
        if texts is not None:
            check_text_by_name(name, texts)
    source, tables = Path(folder), [Path(table) for table in items_of(csv)]
    target = None if out is None else Path(out)
    if target is not None:
        check_output(target, MANIFEST, overwrite=overwrite, inputs=tables)
    check_options(
        csvs=tables,
        has_columns=columns is not None,
        layout_name=layout,
        drop_split=drop_split,
        decode=decode,
        drop_duplicates=drop_duplicates,
        max_distance=max_distance,
    )
    name_patient = None
    if pseudonym_key is not None:
        name_patient = functools.partial(pseudonym, key=read_pseudonym_key(pseudonym_key))
    chosen = choices or Choices()
    if patient_pattern:
        chosen = dataclasses.replace(chosen, patient_pattern=patient_pattern)
    listed = list_images(
        source,
        csvs=tables,
        layout_name=layout,
        columns=columns,
        choices=chosen,
        drop_split=drop_split,
        unpack=None if target is None else target.with_suffix(".images"),
    )
    listed = listed._replace(image_index=keep_labels(listed.image_index, labels or {}))
    result = open_images(
        listed,
        source,
        decode=decode,
        max_distance=max_distance,
        name_patient=name_patient,
        drop_duplicates=drop_duplicates,
        progress=progress,
    )
    if not result.records:
        raise ValueError(f"`folder` must hold readable images; got {result.skipped[-1].reason}")
    for sentence in _doubts(result, chosen):
        warnings.warn(sentence, stacklevel=_STACK)
    if target is None:
        return Manifest(records=result.records, root=source)
    names = names_from(target, source, result.records, is_inside_source=not tables)
    with replaces_output(target, MANIFEST, overwrite=overwrite, inputs=tables) as temporary:
        write_manifest(temporary, result.records, always=DIGEST_COLUMNS, files=names)
    return read_manifest(target)


@says_arguments()
def split(
    manifest: Manifest | str | os.PathLike[str],
    *,
    fractions: tuple[float, float, float] = splits.FRACTIONS,
    seed: int = 0,
    stratify_findings: str | Sequence[str] | None = None,
    shared_ids: bool = False,
    drop_split: bool = False,
    without_leaks: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Split:
    r"""Divide a manifest into train, val and test sets.

    All images of a patient, and all copies of an image, are put into the same set. The function
    does the same as ``cxr-models split`` for a single split. If the manifest has a split of its
    own, that split is kept.

    Parameters
    ----------
    manifest : Manifest, str or PathLike
        Manifest as `index` returns it, or its file.
    fractions : (float, float, float), default (0.7, 0.15, 0.15)
        Fractions of train, val and test. Their sum must be 1, and that of train more than 0. If the
        manifest's own split is kept, they only say how much of train becomes val, if it has no val.
    seed : int, default 0
        Seed of the random numbers. Equal seeds and records give equal splits.
    stratify_findings : str or sequence of str, optional
        Findings whose shares of patients are kept as equal as possible in all sets; ``"all"``
        takes all findings of the manifest. None does this for the labels.
    shared_ids : bool, default False
        Whether the same patient id in different sources means the same patient.
    drop_split : bool, default False
        Whether the manifest's own split is ignored.
    without_leaks : bool, default False
        Whether leaks of the manifest's own split are removed. If images of a patient, or copies of
        an image, are in several sets, those in test stay; if none is in test, those in val stay.
        The others are left out. If false, such a split is refused.
    out : str or PathLike, optional
        CSV file for the split, other than the file of `manifest`. None writes no file.
    overwrite : bool, default False
        Whether `out` may replace an earlier split.

    Returns
    -------
    Split
        The split of all records.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed, a label cannot be part of a file name, or the manifest's own
        split leaks: it puts a patient, or copies of an image, into two sets. If a set of this
        split has a name that is not known.
    FileExistsError
        If `out` exists and `overwrite` is false.
    OSError
        If a file cannot be read or written.

    Warns
    -----
    UserWarning
        If a set has no image of a label, or a set of the manifest's own split has another name,
        such as ``valid`` for val.

    See Also
    --------
    read_split : Read a split from its file.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> split = cxm.split(cxm.index("scans", patient_pattern=r"p\d+"), seed=1)
    >>> len(split.select("train").records), len(split.select("test").records)
    (32, 8)
    >>> trained = {record.patient for record in split.select("train").records}
    >>> trained & {record.patient for record in split.select("test").records}
    set()
    """
    inputs = []
    if not isinstance(manifest, Manifest):
        inputs = [manifest]
        manifest = read_manifest(manifest)
    target = None if out is None else Path(out)
    if target is not None:
        check_output(target, SPLIT, overwrite=overwrite, inputs=inputs)
    records = with_shared_ids(manifest.records) if shared_ids else list(manifest.records)
    given = official.has_split(records) and not drop_split
    if without_leaks and not given:
        raise ValueError(
            "`without_leaks` is only allowed with a manifest that has a split, which is kept."
        )
    findings = checked_findings(
        manifest, None if stratify_findings is None else tuple(items_of(stratify_findings))
    )
    if given:
        official.check_options_have_effect(records, fractions, findings, drop_leaks=without_leaks)
    for label in sorted({record.label for record in records}):
        check_label(label, "the records to split")
    settings: dict[str, object] = {"seed": seed}
    if findings:
        settings["stratified_by"] = list(findings)
    if given:
        kept = official.kept_split(
            records, fractions, seed=seed, drop_leaks=without_leaks, findings=findings
        )
        if kept.faults and not without_leaks:
            faults = "\n".join(kept.faults)
            raise ValueError(
                f"`manifest` must have a split that leaks nothing, or none; got:\n{faults}\nLeave "
                "such images out of train and val with without_leaks=True, or make a new split "
                "with drop_split=True."
            )
        assigned, settings = kept.records, {**settings, "given": True}
        if kept.renamed:
            warnings.warn(_sentence(official.line_on_renamed(kept.renamed)), stacklevel=_STACK)
    else:
        assigned = splits.split_records(records, fractions=fractions, seed=seed, findings=findings)
        settings["fractions"] = list(fractions)
    needed = [part for part, share in zip(SPLITS, fractions, strict=True) if share]
    for line in official.lines_on_lacking(assigned, needed, is_given=given, findings=findings):
        warnings.warn(_sentence(line), stacklevel=_STACK)
    if target is None:
        divided = dataclasses.replace(manifest, records=tuple(assigned))
        return Split(manifest=divided, hash=records_hash(assigned), seed=seed)
    from cxr_models.records.relative_names import records_from

    named = records_from(target.parent, assigned, manifest.paths())
    with replaces_output(target, SPLIT, overwrite=overwrite, inputs=inputs) as temporary:
        write_split(temporary, named, settings)
    return read_split(target)


def _sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}."


def _doubts(indexed: Index, choices: Choices) -> list[str]:
    """List the warnings about an index: unused files, doubtful labels, unknown patients."""
    from cxr_models.records.labels import remark_on_blanks

    blanks = remark_on_blanks(indexed.records, choices)
    sentences = [_sentence(line) for line in (blanks, *indexed.doubts()) if line]
    unused = [entry for entry in indexed.skipped if not entry.is_intended()]
    if unused:
        sentences.append(
            f"{counted(len(unused), 'file is', 'files are')} not used, such as {unused[0].file!r}: "
            f"{unused[0].reason}"
        )
    differ = [pair for pair in indexed.duplicates if pair.label != pair.other_label]
    if differ:
        first = differ[0]
        pairs = counted(
            len(differ), "pair of equal or near images has", "pairs of equal or near images have"
        )
        sentences.append(
            f"{pairs} two labels, of which one is wrong, such as {first.file!r} ({first.label}) "
            f"and {first.other!r} ({first.other_label})."
        )
    nameless = [record for record in indexed.records if not normalised_id(record.patient)]
    grouped = sum(record.file in indexed.unnamed for record in nameless)
    if unknown := len(nameless) - grouped:
        sentences.append(
            f"No patient is known of {unknown:,} of {len(indexed.records):,} images, so that a "
            "split can put one patient into train and test. Name patients with `patient_pattern` "
            "or `csv`."
        )
    if grouped:
        sentences.append(
            f"Patient ids in the DICOM headers of {grouped:,} of {len(indexed.records):,} images "
            "are not written. A split keeps images of one patient together, but the images cannot "
            "be compared with other sets by patient. Write pseudonyms with `pseudonym_key`."
        )
    return sentences
