"""From a folder to a split: `index` and `split`."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models._outputs import check_output, replaces_output
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
from cxr_models.records.patients import same_id
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
    csv: Sequence[str | os.PathLike[str]] = (),
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
    r"""List the radiographs of a folder: files, labels, patients, copies.

    Does what ``cxr-models index`` does; docs/datasets.md tells which public sets it knows.

    Parameters
    ----------
    folder : str or PathLike
        A public set as it is downloaded, or a folder whose subfolders are the labels.
    out : str or PathLike, optional
        CSV to write the manifest to; None writes none.
    layout : str, optional
        Which public set it is; None finds out. ``cxr-models index --list-layouts`` names them.
    csv : sequence of str or PathLike, optional
        Your own tables: the first lists the files, others add columns to its rows.
    columns : mapping of str to str, optional
        Which column of `csv` holds what, such as ``{"file": "path", "label": "finding"}``.
    labels : mapping of str to str, optional
        The labels to keep, each with its new name; others are left out. None keeps all.
    patient_pattern : str, default ""
        Regular expression that finds the patient in a file's path.
    choices : Choices, optional
        Which images to keep, and how findings become labels.
    drop_split : bool, default False
        Whether a column ``split`` of `csv` is passed over.
    decode : bool, default True
        Whether images are opened to find copies and files that cannot be read.
    drop_duplicates : bool, default False
        Whether only the first of several copies of an image is kept.
    max_distance : int, default 32
        In how many of 256 bits two images may differ that count as copies.
    pseudonym_key : str or PathLike, optional
        File of a key; the ids of patients in DICOM headers are written as pseudonyms made with it.
        None writes none of these ids, and still keeps the images of one id together.
    progress : callable, optional
        Called after each image that is opened.
    overwrite : bool, default False
        Whether `out` may replace an earlier manifest.

    Returns
    -------
    Manifest
        A record an image.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or nothing under the folder has a label or can be read.
    FileExistsError
        If `out` exists and `overwrite` is false.
    OSError
        If a file cannot be read or written.

    Warns
    -----
    UserWarning
        If files could not be used, copies of one image have two labels, or patients are unknown.

    See Also
    --------
    split : The next step.
    read_manifest : Reads what was written.

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

    source, tables = Path(folder), [Path(table) for table in csv]
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
    listed = listed._replace(found=keep_labels(listed.found, labels or {}))
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
    for sentence in _doubts(result):
        warnings.warn(sentence, stacklevel=_STACK)
    if target is None:
        return Manifest(records=result.records, root=source)
    names = names_from(target, source, result.records, walked=not tables)
    with replaces_output(target, MANIFEST, overwrite=overwrite, inputs=tables) as temporary:
        write_manifest(temporary, result.records, always=DIGEST_COLUMNS, files=names)
    return read_manifest(target)


@says_arguments()
def split(
    manifest: Manifest | str | os.PathLike[str],
    *,
    fractions: tuple[float, float, float] = splits.FRACTIONS,
    seed: int = 0,
    stratify_findings: Sequence[str] | None = None,
    shared_ids: bool = False,
    drop_split: bool = False,
    without_leaks: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Split:
    r"""Divide records into train, val and test, patients and copies of one image together.

    Does what ``cxr-models split`` does for one split. A manifest that has a split keeps it.

    Parameters
    ----------
    manifest : Manifest, str or PathLike
        What `index` returned, or a file of it.
    fractions : (float, float, float), default (0.7, 0.15, 0.15)
        Shares of train, val and test; they sum to 1.
    seed : int, default 0
        Equal seeds and records give equal splits.
    stratify_findings : sequence of str, optional
        Findings that are shared out evenly in the place of labels, by patients; ``["all"]`` is all
        of the manifest's.
    shared_ids : bool, default False
        Whether equal patient ids in different sources are one patient.
    drop_split : bool, default False
        Whether a split that the manifest has is passed over.
    without_leaks : bool, default False
        Whether images of train and val that the manifest's own split ties to another part are left
        out; if not, such a split is refused.
    out : str or PathLike, optional
        CSV to write the split to; None writes none.
    overwrite : bool, default False
        Whether `out` may replace an earlier split.

    Returns
    -------
    Split
        With all records.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, a label cannot name files, or the manifest's own split leaks.
    FileExistsError
        If `out` exists and `overwrite` is false.
    OSError
        If a file cannot be read or written.

    Warns
    -----
    UserWarning
        If a part has no image of a label.

    See Also
    --------
    read_split : Reads what was written.

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
    if not isinstance(manifest, Manifest):
        manifest = read_manifest(manifest)
    target = None if out is None else Path(out)
    if target is not None:
        check_output(target, SPLIT, overwrite=overwrite)
    records = with_shared_ids(manifest.records) if shared_ids else list(manifest.records)
    given = official.has_split(records) and not drop_split
    if without_leaks and not given:
        raise ValueError(
            "`without_leaks` is only allowed with a manifest that has a split, which is kept."
        )
    findings = checked_findings(
        manifest, None if stratify_findings is None else tuple(stratify_findings)
    )
    if findings and given and not official.needs_val(records, fractions):
        raise ValueError(
            "`stratify_findings` is only allowed with a manifest whose split has no val, with a "
            "manifest without a split, or with drop_split=True; got a manifest whose split is kept "
            "as it is."
        )
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
    else:
        assigned = splits.split_records(records, fractions=fractions, seed=seed, findings=findings)
        settings["fractions"] = list(fractions)
    needed = [part for part, share in zip(SPLITS, fractions, strict=True) if share]
    for line in official.lines_on_lacking(assigned, needed, is_given=given, findings=findings):
        warnings.warn(f"{line[:1].upper()}{line[1:]}.", stacklevel=_STACK)
    if target is None:
        divided = dataclasses.replace(manifest, records=tuple(assigned))
        return Split(manifest=divided, hash=records_hash(assigned), seed=seed)
    from cxr_models.records.relative_names import relative

    named = [
        dataclasses.replace(record, file=relative(target.parent, path))
        for record, path in zip(assigned, manifest.paths(), strict=True)
    ]
    with replaces_output(target, SPLIT, overwrite=overwrite) as temporary:
        write_split(temporary, named, settings)
    return read_split(target)


def _doubts(indexed: Index) -> list[str]:
    """Say what of an index its user must know."""
    sentences = []
    unused = [entry for entry in indexed.skipped if not entry.is_intended()]
    if unused:
        sentences.append(
            f"{len(unused):,} files are not used, such as {unused[0].file!r}: {unused[0].reason}"
        )
    differ = [pair for pair in indexed.duplicates if pair.label != pair.other_label]
    if differ:
        first = differ[0]
        sentences.append(
            f"{len(differ):,} pairs of equal or near images have two labels, of which one is "
            f"wrong, such as {first.file!r} ({first.label}) and {first.other!r} "
            f"({first.other_label})."
        )
    unknown = sum(not same_id(record.patient) for record in indexed.records)
    if unknown:
        sentences.append(
            f"No patient is known of {unknown:,} of {len(indexed.records):,} images, so that a "
            "split can put one patient into train and test. Name patients with `patient_pattern` "
            "or `csv`."
        )
    return sentences
