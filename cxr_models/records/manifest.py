"""Records of radiographs, and the CSV file (manifest) that lists them.

This module uses neither pixels nor models.
"""

from __future__ import annotations

import dataclasses
import os
import reprlib
from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models._cells import escape_formula
from cxr_models._outputs import Kind, first_row
from cxr_models._settings import check_names
from cxr_models.records.csv_files import cells_of, write_cells
from cxr_models.records.layouts.values import FindingsOf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SPLITS = ("train", "val", "test")
_LONGEST_LABEL = 100  # bytes; file names hold at most 255 bytes and contain more than the label


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One radiograph: its file, its label, its patient and further facts.

    Blanks around a text are removed, except around the name of a file.

    Parameters
    ----------
    file : str
        Path of the image file, absolute or relative to the folder of the CSV that lists it.
    label : str
        Name of the class of the image.
    patient : str, default ""
        Patient id. Empty means unknown; the image is then treated as its own patient.
    group : str, default ""
        Name of a group of images that must stay in one part of a split, even if their patients
        differ. Copies of one image form a group, for example.
    source : str, default ""
        Hospital, archive or data set that the image comes from.
    view : str, default ""
        Projection, in the words of the source.
    split : str, default ""
        Part of the split: ``train``, ``val`` or ``test``. Empty if the image is in no part.
    study, modality, sex, age, manufacturer, date : str, default ""
        Facts from the DICOM header or from a table of the data set. Examples: a study id, "DX",
        "F", "034Y", the name of a manufacturer, "2019-03-01".
    pixels, hash : str, default ""
        Digest and perceptual hashes of the image; see `cxr_models.records.fingerprints`.
    findings : tuple of (str, str), default ()
        Names and values of the findings. A value is "1" (present), "0" (absent), "u" (uncertain)
        or "" (unknown). A manifest stores each finding in a column ``finding:NAME``.
    kept : tuple of (str, str), default ()
        Names and cells of further columns. This package stores them but does not interpret them.

    Raises
    ------
    TypeError
        If a text field is not a str.
    ValueError
        If `file` or `label` is empty.
    """

    file: str
    label: str
    patient: str = ""
    group: str = ""
    source: str = ""
    view: str = ""
    split: str = ""
    study: str = ""
    modality: str = ""
    sex: str = ""
    age: str = ""
    manufacturer: str = ""
    date: str = ""
    pixels: str = ""
    hash: str = ""
    findings: tuple[tuple[str, str], ...] = ()
    kept: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        texts = _texts_of(self)
        try:
            stripped = tuple(map(str.strip, texts))
        except TypeError:
            for name, value in zip(_TEXT_COLUMNS, texts, strict=True):
                if not isinstance(value, str):
                    raise TypeError(f"`{name}` must be a str; got {value!r}.") from None
            raise
        if stripped != texts:
            for name, text in zip(_TEXT_COLUMNS[1:], stripped[1:], strict=True):
                object.__setattr__(self, name, text)
        if not (stripped[0] and self.label):
            name = "label" if stripped[0] else "file"
            raise ValueError(f"`{name}` must not be empty; got {self.file!r}, {self.label!r}.")

    def finding(self, name: str) -> str:
        """Return the value of a finding: "1", "0", "u", or "" if the finding is unknown."""
        return next((value for finding_name, value in self.findings if finding_name == name), "")


COLUMNS = ("file", "label", "patient", "group", "source", "view", "split")
HEADER_COLUMNS = ("study", "modality", "sex", "age", "manufacturer", "date")
DIGEST_COLUMNS = ("pixels", "hash")
FURTHER_COLUMNS = (*HEADER_COLUMNS, *DIGEST_COLUMNS)
FINDING = "finding:"  # prefix of the columns of findings
_TEXT_COLUMNS = (*COLUMNS, *FURTHER_COLUMNS)
_texts_of = attrgetter(*_TEXT_COLUMNS)


def _is_manifest(path: Path) -> bool:
    """Return whether a CSV has the header of a manifest that ``cxr-models index`` wrote.

    The header must have the column ``pixels``: nobody writes pixel digests by hand.
    """
    header = first_row(path)
    further = [name for name in FURTHER_COLUMNS if name in header]
    return "pixels" in further and header[: len(COLUMNS) + len(further)] == [*COLUMNS, *further]


MANIFEST = Kind("a manifest that cxr-models index wrote", _is_manifest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Records, and the folder to which their file names are relative.

    Parameters
    ----------
    records : tuple of Record
        The records, in the order of the CSV.
    root : Path
        Folder to which relative file names are relative.
    """

    records: tuple[Record, ...]
    root: Path

    def paths(self) -> list[str]:
        """Return the path of each record's file."""
        root = os.fspath(self.root)
        return [os.path.join(root, record.file) for record in self.records]

    def class_names(self) -> tuple[str, ...]:
        """Return the distinct labels of the records, sorted."""
        return tuple(sorted({record.label for record in self.records}))

    def finding_names(self) -> tuple[str, ...]:
        """Return the names of all findings of the records, in the column order of a manifest."""
        return tuple(_names_in({id(r.findings): r.findings for r in self.records}.values()))

    def select(self, split: str) -> Manifest:
        """Return a manifest of the records of one part of the split, such as ``train``."""
        chosen = tuple(record for record in self.records if record.split == split)
        return dataclasses.replace(self, records=chosen)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest: a CSV that lists radiographs.

    Parameters
    ----------
    path : str or PathLike
        CSV in UTF-8 with a header. The columns ``file`` and ``label`` are required. The columns
        ``patient``, ``group``, ``source``, ``view``, ``split`` and `FURTHER_COLUMNS` are optional.
        Columns ``finding:NAME`` are read as findings. All other columns are stored in
        `Record.kept`. Lines before the header that begin with ``#`` are comments.

    Returns
    -------
    Manifest
        The records. Their file names are relative to the folder of the CSV.

    Raises
    ------
    ValueError
        If `cxr_models.records.csv_files.cells_of` rejects the CSV, a required column is missing,
        a finding has a value that is not allowed, a file or a label is empty, a file is listed
        twice, or the CSV has no records.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    rows = cells_of(path)
    header = next(rows, [])
    missing = [name for name in ("file", "label") if header and name not in header]
    if missing:
        raise ValueError(
            f"`{path.name}` must have the columns file and label; got {', '.join(header)}. "
            "Make a manifest of it with: cxr-models index --csv."
        )
    records = []
    findings, extra_columns = further_columns(header)
    findings_of = FindingsOf([name.removeprefix(FINDING) for name in findings])
    texts = {name: header.index(name) for name in _TEXT_COLUMNS if name in header}
    places = [header.index(name) for name in findings]
    extra_places = [(name, header.index(name)) for name in extra_columns]
    for number, row in enumerate(rows, start=1):
        cells = {name: row[place] for name, place in texts.items()}
        cells["file"] = file_of_cell(cells["file"], path.parent)
        extra_cells = tuple((name, row[place]) for name, place in extra_places)
        try:
            record_findings = findings_of(tuple(row[place].strip() for place in places))
            records.append(Record(**cells, findings=record_findings, kept=extra_cells))
        except ValueError as error:
            raise ValueError(f"{error} Record {number} of {str(path)!r}.") from error
    if not records:
        raise ValueError(f"`{path.name}` must hold at least one record; got none.")
    check_files_differ(records)
    return Manifest(records=tuple(records), root=path.parent)


def file_of_cell(cell: str, root: Path) -> str:
    """Return the name of the file in a cell, without blanks around it if only that file exists.

    Elsewhere the blanks stay: the split that a run keeps is not beside its images.

    Parameters
    ----------
    cell : str
        The cell of a table.
    root : Path
        The folder to which names of files are relative.
    """
    name = cell.strip()
    if name == cell or os.path.lexists(root / cell) or not os.path.lexists(root / name):
        return cell
    return name


def further_columns(header: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the columns of findings in a header, and the columns that are only stored."""
    findings, extra = [], []
    for name in header:
        if name.startswith(FINDING) and name != FINDING:
            findings.append(name)
        elif name and name not in _TEXT_COLUMNS:
            extra.append(name)
    return findings, extra


def write_manifest(
    path: str | os.PathLike[str],
    records: Iterable[Record],
    *,
    comment: str = "",
    always: Sequence[str] = (),
    files: Sequence[str] | None = None,
) -> None:
    """Write records to a CSV atomically: a failed write leaves no partial file.

    Parameters
    ----------
    path : str or PathLike
        CSV to write. An existing file is replaced.
    records : iterable of Record
        Records to write. Their file names should be relative to the folder of `path`. A column of
        `FURTHER_COLUMNS` is written if at least one record has a value in it.
    comment : str, default ""
        One line of text, written before the header after the character ``#``. Empty writes no
        comment.
    always : sequence of str, default ()
        Columns of `FURTHER_COLUMNS` that are written even if they are empty.
    files : sequence of str, optional
        File name to write for each record, relative to the folder of `path`. None writes the file
        names of the records.

    Raises
    ------
    TypeError
        If `always` or `files` is a str instead of several.
    OSError
        If the file cannot be written.
    """
    check_names("always", always)
    if files is not None:
        check_names("files", files)
    records = list(records)
    further = [
        name
        for name in FURTHER_COLUMNS
        if name in always or any(getattr(record, name) for record in records)
    ]
    findings = _names_in({id(r.findings): r.findings for r in records}.values())
    extra_columns = _names_in({tuple((name, "") for name, _ in record.kept) for record in records})
    texts = attrgetter(*COLUMNS[1:], *further)
    names = [record.file for record in records] if files is None else files

    def cells() -> Iterator[tuple[str, ...]]:
        # Keyed by identity: records share tuples of findings, and keep these tuples alive.
        values: dict[int, tuple[str, ...]] = {}
        for file, record in zip(names, records, strict=True):
            if id(record.findings) not in values:
                value_of = dict(record.findings)
                values[id(record.findings)] = (
                    tuple(value_of.values())
                    if list(value_of) == findings
                    else tuple(value_of.get(name, "") for name in findings)
                )
            text_cells = map(escape_formula, (file, *texts(record)))
            if not extra_columns:
                yield (*text_cells, *values[id(record.findings)])
                continue
            extra_values = dict(record.kept)
            extra_cells = (escape_formula(extra_values.get(column, "")) for column in extra_columns)
            yield (*text_cells, *values[id(record.findings)], *extra_cells)

    header = [*COLUMNS, *further, *(FINDING + name for name in findings), *extra_columns]
    write_cells(path, header, cells(), comment=comment)


def _names_in(tuples: Iterable[tuple[tuple[str, str], ...]]) -> list[str]:
    """Return the distinct names in tuples of (name, value) pairs.

    The names of the longest tuple come first, in the order of that tuple. Tuples of equal length
    are ordered by their names.
    """
    pairs_of_names = {tuple(name for name, _ in pairs): pairs for pairs in tuples}
    ordered = sorted(
        pairs_of_names.values(), key=lambda pairs: (-len(pairs), [name for name, _ in pairs])
    )
    return list(dict.fromkeys(name for pairs in ordered for name, _ in pairs))


def check_label(label: object, where: str) -> None:
    """Raise if a label cannot be part of a file name, a column name or a class name of an export.

    Parameters
    ----------
    label : object
        The label.
    where : str
        Place of the label, as the error message names it.

    Raises
    ------
    ValueError
        If the label is not allowed.
    """
    rule = ""
    if not isinstance(label, str) or not label.strip():
        rule = "a name"
    elif not label.isprintable() or set(label) & set('/\\:*?"<>|;'):
        rule = 'a name without slashes, control characters and any of : * ? " < > | ;'
    elif label != label.strip() or label.strip(".") != label:
        rule = "a name that neither begins nor ends with a space or a full stop"
    elif len(label.encode()) > _LONGEST_LABEL:
        rule = f"a name of at most {_LONGEST_LABEL} bytes"
    if rule:
        raise ValueError(
            f"`label` must be {rule}, for files and columns are named by it; got "
            f"{reprlib.repr(label)} in {where}. Rename it with: cxr-models index --labels OLD=NEW."
        )


def check_files_differ(records: Iterable[Record]) -> None:
    """Raise ValueError if two records have the same file."""
    check_names_differ(record.file for record in records)


def check_names_differ(files: Iterable[str]) -> None:
    """Raise ValueError if a file name occurs twice; ``a.png`` and ``./a.png`` are equal names."""
    counts = Counter(map(os.path.normpath, files))
    twice = [file for file, count in counts.items() if count > 1]
    if twice:
        shown = ", ".join(map(repr, twice[:5]))
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise ValueError(
            f"`file` must differ from record to record; got twice: {shown}{more}. "
            "Keep one row for each file."
        )
