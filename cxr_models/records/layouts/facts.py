"""Description of a public set: name, size, terms of use, marks to recognise it, and reader."""

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
        Path relative to the folder of the set. Empty if the image does not exist.
    label : str, default ""
        Class of the image. Empty if the label is made from findings.
    patient, source, view, split, study, modality, sex, age, manufacturer, date : str, default ""
        See `cxr_models.records.manifest.Record`. ``split`` is the part that the set defines.
    findings : tuple of (str, str), default ()
        Names and values of findings. A value is "1" (present), "0" (absent), "u" (uncertain) or ""
        (unknown).
    kept : tuple of (str, str), default ()
        Names and cells of further columns of the set.
    group : str, default ""
        Group in a CSV of the user; public sets state no groups.
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
    group: str = ""


class ReadOptions(NamedTuple):
    """Options for reading a set."""

    # name of the rule that reduces several rows of an image to one value; empty: rule of the set
    rows: str = ""
    unpack: Unpacker = Unpacker(None)  # writes images that are not stored as image files

    def rule(self, usual: Rule) -> Rule:
        """Return the chosen rule, else the usual rule of the set."""
        return RULES[self.rows] if self.rows else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSet:
    """Facts about one public set.

    Parameters
    ----------
    name : str
        Name of the set in ``--layout``.
    title : str
        Name of the set in messages.
    images : int
        Number of images. 0 if releases differ.
    licence, citation : str
        Terms of use, and publication.
    marks : tuple of str
        Regular expressions of paths. A folder can only be recognised as the set if each of them
        matches a path in it. An empty tuple means that only the user can name the set.
    read : callable
        Function from a `Tree` and a `ReadOptions` to the rows of the images.
    header : (str, tuple of str), default ("", ())
        Regular expression of the name of a table, and columns that this table must have. It is
        used if file names are not enough to recognise the set.
    first_line : (str, str), default ("", "")
        Regular expression of the name of a table without header, and regular expression of its
        first line.
    non_radiographs : str, default ""
        Regular expression of images that are not radiographs, such as masks.
    unlabelled : str, default ""
        Regular expression of images that have no label in the set.
    unless : str, default ""
        Regular expression of a path in another set that contains the images of this set. If it
        matches, the folder is that other set.
    several_rows : bool, default False
        Whether the tables have several rows for one image, whose findings a rule reduces to one
        value; see `ReadOptions.rule`.
    verified : bool, default True
        Whether the columns were checked against files, code or web pages of others.
    """

    name: str
    title: str
    images: int
    licence: str
    citation: str
    marks: tuple[str, ...]
    read: Callable[[Tree, ReadOptions], Iterable[ImageRow]]
    header: tuple[str, tuple[str, ...]] = ("", ())
    first_line: tuple[str, str] = ("", "")
    non_radiographs: str = ""
    unlabelled: str = ""
    unless: str = ""
    several_rows: bool = False
    verified: bool = True

    def fits(self, tree: Tree) -> bool:
        """Return whether a folder contains the set; False for a set without marks."""
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
