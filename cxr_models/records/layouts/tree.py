"""A downloaded set as one walk found it: images by path and by name, tables by name."""

from __future__ import annotations

import dataclasses
import functools
import heapq
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models.records.layouts.tables import WHOLE_LINE, Table
from cxr_models.records.scan import NO_TEXT, FolderListing, as_text, find_images

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

_SAMPLE = 4096  # paths looked at to recognise a set; tables lie near its top, images are many alike


class Tree:
    """Files under a folder, named from it with ``/`` between the parts.

    Parameters
    ----------
    root : str or PathLike
        The folder; it is walked through once.
    extra : sequence of str, optional
        Columns of tables to read beside those that a set needs.

    Attributes
    ----------
    listing : FolderListing
        Files that the walk found.
    columns : set of str
        Columns of all tables that were opened.
    """

    def __init__(self, root: str | os.PathLike[str], *, extra: Sequence[str] = ()) -> None:
        self.root = Path(root)
        if not self.root.is_dir():
            raise NotADirectoryError(f"`SOURCE` must be a folder; got {str(root)!r}.")
        self.listing = _nameable(find_images(self.root))
        self.columns: set[str] = set()
        self._extra = tuple(extra)
        self._tails: dict[int, dict[str, str]] = {}

    @functools.cached_property
    def images(self) -> frozenset[str]:
        """Paths of all images."""
        return frozenset(self.listing.images)

    @functools.cached_property
    def sample(self) -> tuple[str, ...]:
        """Some paths of images, evenly spread, and of other files, the topmost ones."""
        images = self.listing.images
        other_files = heapq.nsmallest(
            _SAMPLE, self.listing.other_files, key=lambda name: name.count("/")
        )
        return (*images[:: len(images) // _SAMPLE + 1], *other_files)

    @functools.cached_property
    def folders(self) -> frozenset[str]:
        """First-level folders that hold images."""
        return frozenset(name.split("/", 1)[0] for name in self.listing.images if "/" in name)

    def has(self, pattern: str) -> bool:
        """Tell whether a regular expression is found in one of the sampled paths."""
        compiled = re.compile(pattern)
        return any(compiled.search(name) for name in self.sample)

    def by_name(self, name: str) -> str:
        """Return the path of the image of this name, wherever it lies; empty if there is none.

        Of several paths the one nearest to the top is returned.
        """
        return self._names.get(name.strip().lower(), "")

    def by_stem(self, stem: str) -> str:
        """Return the path of the image of this name without its suffix, as `by_name`."""
        return self._stems.get(stem.strip().lower(), "")

    def by_tail(self, name: str, parts: int) -> str:
        """Return the image whose last parts are those of a name; empty if there is none."""

        def tail(path: str) -> str:
            return "/".join(path.rsplit("/", parts)[-parts:])

        if parts not in self._tails:
            self._tails[parts] = _first_of(self.listing.images, tail)
        return self._tails[parts].get(tail(name.strip()).lower(), "")

    def beside(self, table: Table, name: str) -> str:
        """Return the image that a table names from its own folder or from one above.

        First folders of the name are left out where they are not there, as where a release's own
        folder was renamed.
        """
        folder = posixpath.dirname(table.name)
        parts = name.strip().split("/")
        for start in range(len(parts)):
            place = folder
            while True:
                path = posixpath.normpath(posixpath.join(place, *parts[start:]))
                if path in self.images:
                    return path
                if not place:
                    break
                place = posixpath.dirname(place)
        return ""

    def tables(self, pattern: str) -> list[str]:
        """Return the paths of other files whose name matches a pattern, topmost first."""
        compiled = re.compile(pattern, re.IGNORECASE)
        matching = [
            name
            for name in self.listing.other_files
            if compiled.fullmatch(posixpath.basename(name))
        ]
        return sorted(matching, key=lambda name: (name.count("/"), name))

    def table(
        self,
        pattern: str,
        *,
        header: Sequence[str] | None = None,
        delimiter: str = ",",
        skip: int = 0,
    ) -> Table:
        """Return the topmost table whose name matches a pattern.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        names = self.tables(pattern)
        if not names:
            plain = re.sub(r"\([^()]*\)\?", "", pattern).replace(r"\d", "0")  # optional parts
            plain = re.sub(r"\\(.)", r"\1", plain.replace("|", " or ")).strip("()")
            raise FileNotFoundError(
                f"`SOURCE` must hold {plain} for this layout; got {str(self.root)!r}, which does "
                "not. Put it beside the images, or name another --layout"
            )
        return self.opened(names[0], header=header, delimiter=delimiter, skip=skip)

    def opened(
        self,
        name: str,
        *,
        header: Sequence[str] | None = None,
        delimiter: str = ",",
        skip: int = 0,
    ) -> Table:
        """Return the table at a path; its columns are added to `columns`."""
        table = Table(
            self.root / name, name, header=header, delimiter=delimiter, skip=skip, extra=self._extra
        )
        self.columns.update(column for column in table.header if column)
        return table

    def header(self, name: str) -> list[str]:
        """Return the names of a table's columns; none where it is no table."""
        try:
            return Table(self.root / name, name).header
        except (OSError, ValueError):
            return []

    def first_line(self, name: str) -> str:
        """Return the first line of a table without its end; empty where it is none."""
        try:
            return next(iter(Table(self.root / name, name, delimiter=WHOLE_LINE).header), "")
        except (OSError, ValueError):
            return ""

    @functools.cached_property
    def _names(self) -> dict[str, str]:
        return _first_of(self.listing.images, posixpath.basename)

    @functools.cached_property
    def _stems(self) -> dict[str, str]:
        return _first_of(self.listing.images, _stem)

    def twins(self, used: Iterable[str], unused: Sequence[str]) -> dict[str, str]:
        """Return for each unused image the used image of the same name, where there is one.

        Suffixes do not count: some sets hold each image as PNG and as DICOM.
        """
        if not unused:
            return {}
        by_stem = _first_of(list(used), _stem)
        pairs = ((path, by_stem.get(_stem(path).lower(), "")) for path in unused)
        return {path: twin for path, twin in pairs if twin}


def _nameable(listing: FolderListing) -> FolderListing:
    """Return the listing with images that no table can name moved to `unentered`."""
    wrong = {name for name in listing.images if as_text(name) != name}
    if not wrong:
        return listing
    return dataclasses.replace(
        listing,
        images=tuple(name for name in listing.images if name not in wrong),
        unentered=(*listing.unentered, *((as_text(name), NO_TEXT) for name in sorted(wrong))),
    )


def _stem(path: str) -> str:
    """Return a name without the suffixes of images; dots within identifiers stay."""
    return re.sub(r"(\.(dcm|dicom|png|jpe?g|tiff?))+$", "", posixpath.basename(path), flags=re.I)


def _first_of(paths: Sequence[str], name: Callable[[str], str]) -> dict[str, str]:
    first_paths: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):
        first_paths.setdefault(name(path).lower(), path)
    return first_paths
