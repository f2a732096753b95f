"""What a public set is: its name, size and terms, by what it is recognised, how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.records.layouts.reduce import RULES
from cxr_models.records.layouts.tree import Tree
from cxr_models.records.layouts.unpack import Unpacker

if TYPE_CHECKING:
    from cxr_models.records.layouts.reduce import Rule
    from cxr_models.records.layouts.tables import Extra
    from cxr_models.records.layouts.values import Findings


class ImageRow(NamedTuple):
    """Facts of one image in a set, under the column names of a manifest.

    Parameters
    ----------
    file : str
        Path from the set's folder; empty where the image does not exist.
    label : str, default ""
        Class of the image; empty where findings make the label.
    patient, source, view, split, study, modality, sex, age, manufacturer, date : str, default ""
        As in `cxr_models.records.manifest.Record`; the split is the set's own.
    findings : tuple of (str, str), default ()
        Names and values: 1, 0, u or empty.
    kept : tuple of (str, str), default ()
        Names and cells of further columns.
    """

    file: str
    label: str = ""
    patient: str = ""
    source: str = ""
    view: str = ""
    split: str = ""
    study: str = ""
    modality: str = ""
    sex: str = ""
    age: str = ""
    manufacturer: str = ""
    date: str = ""
    findings: Findings = ()
    kept: Extra = ()


class Reading(NamedTuple):
    """How a set is read."""

    # name of the rule that reduces several rows of an image to one value; empty: the set's own
    rows: str = ""
    unpack: Unpacker = Unpacker(None)  # writes images that are not stored as image files

    def rule(self, usual: Rule) -> Rule:
        """Return the chosen rule, else the usual rule of the set."""
        return RULES[self.rows] if self.rows else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSet:
    """Facts of a public set; a further set is a further instance.

    Parameters
    ----------
    name : str
        Name in ``--layout`` and in the column ``source``.
    title : str
        Name in sentences.
    images : int
        Number of images; 0 where releases differ.
    licence, citation : str
        Terms of use, and authors.
    marks : tuple of str
        Regular expressions; a folder holds the set if each of them matches one of its paths.
    read : callable
        Returns the rows of the images, from a `Tree` and a `Reading`.
    header : (str, tuple of str), default ("", ())
        Regular expression of a table's name, and columns that the table must have, where names of
        files are not enough.
    first_line : (str, str), default ("", "")
        The same for a table without a header, and a regular expression of its first line.
    passed_over : str, default ""
        Regular expression of images that are no radiographs, such as masks.
    unlabelled : str, default ""
        Regular expression of images that the set gives no label.
    unless : str, default ""
        Regular expression of a path of another set that holds the images of this set: where it
        matches, the folder holds that other set.
    verified : bool, default True
        Whether the columns were checked against files, code or pages of other people.
    """

    name: str
    title: str
    images: int
    licence: str
    citation: str
    marks: tuple[str, ...]
    read: Callable[[Tree, Reading], Iterable[ImageRow]]
    header: tuple[str, tuple[str, ...]] = ("", ())
    first_line: tuple[str, str] = ("", "")
    passed_over: str = ""
    unlabelled: str = ""
    unless: str = ""
    verified: bool = True

    def fits(self, tree: Tree) -> bool:
        """Tell whether a folder holds the set; sets without marks are named by the user alone."""
        if not self.marks or not all(tree.has(mark) for mark in self.marks):
            return False
        if self.unless and tree.has(self.unless):
            return False
        pattern, columns = self.header
        table_pattern, line_pattern = self.first_line
        headers = (set(tree.header(name)) for name in tree.tables(pattern))
        lines = (tree.first_line(name) for name in tree.tables(table_pattern))
        return (not pattern or any(header >= set(columns) for header in headers)) and (
            not table_pattern or any(re.search(line_pattern, text) for text in lines)
        )
