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
    """What a set says of one image, in the words of a manifest.

    Parameters
    ----------
    file : str
        Path from the set's folder; empty where the image is not there.
    label : str, default ""
        Class of a set that has one for each image; empty where findings make it.
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

    # name of the rule that makes one value of several rows of an image; empty: the set's own
    rows: str = ""
    unpack: Unpacker = Unpacker(None)  # takes the images that are no image files

    def rule(self, usual: Rule) -> Rule:
        """Return the rule that was asked for, else the one that is usual for the set."""
        return RULES[self.rows] if self.rows else usual


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSet:
    """Facts of a public set; a further set is one of these.

    Parameters
    ----------
    name : str
        What ``--layout`` and the column ``source`` call it.
    title : str
        What sentences call it.
    images : int
        How many images it has; 0 where that differs from release to release.
    licence, citation : str
        Under what terms it is given, and who made it.
    marks : tuple of str
        Regular expressions; a folder in whose paths each of them is found holds the set.
    read : callable
        Makes the rows of its images of a `Tree` and a `Reading`.
    header : (str, tuple of str), default ("", ())
        Regular expression of a table's name, and columns that it must have, where the names of
        files alone are not enough.
    first_line : (str, str), default ("", "")
        The same for a table without a header, and a regular expression of its first line.
    passed_over : str, default ""
        Regular expression of images that are none of its radiographs, such as masks.
    unlabelled : str, default ""
        Regular expression of images that its owners give no label.
    unless : str, default ""
        Regular expression of a path of another set that holds this one's images: where it is found
        the folder holds that set.
    verified : bool, default True
        Whether its columns were checked against files, code or pages of others.
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
