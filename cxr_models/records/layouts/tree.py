"""Files of a downloaded set, listed once: look-up of images by path or name, tables by name."""

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

# Number of paths that are searched to recognise a set. Tables are near the top of a set, and image
# paths are similar to each other.
_SAMPLE = 4096


class Tree:
    """Files under a folder, by paths relative to the folder, with ``/`` as separator.

    Parameters
    ----------
    root : str or PathLike
        The folder. Its files are listed once, by the constructor.
    extra : sequence of str, optional
        Columns of tables to read, in addition to the columns that the reader of a set needs.

    Attributes
    ----------
    listing : FolderListing
        Files and folders in `root`.
    columns : set of str
        Columns of all tables that were opened by `opened` or `table`.

    Raises
    ------
    NotADirectoryError
        If `root` is not a folder.
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
        """Sample of the paths: evenly spaced images, and the other files nearest to the top."""
        images = self.listing.images
        other_files = heapq.nsmallest(
            _SAMPLE, self.listing.other_files, key=lambda name: name.count("/")
        )
        return (*images[:: len(images) // _SAMPLE + 1], *other_files)

    @functools.cached_property
    def folders(self) -> frozenset[str]:
        """First-level folders that contain images."""
        return frozenset(name.split("/", 1)[0] for name in self.listing.images if "/" in name)

    def has(self, pattern: str) -> bool:
        """Return whether a pattern matches in a path of `sample`; letter case does not matter."""
        compiled = re.compile(pattern, re.IGNORECASE)
        return any(compiled.search(name) for name in self.sample)

    def by_name(self, name: str) -> str:
        """Return the path of the image with this file name in any folder; empty if none exists.

        Upper and lower case are equal. Of several paths, the one nearest to the top is returned.
        """
        return self._names.get(name.strip().lower(), "")

    def by_stem(self, stem: str) -> str:
        """Return the path of the image with this file name without suffix; see `by_name`."""
        return self._stems.get(stem.strip().lower(), "")

    def by_tail(self, name: str, parts: int) -> str:
        """Return the path of the image whose last `parts` path parts equal those of `name`.

        The result is empty if no image matches. Upper and lower case are equal.
        """

        def tail(path: str) -> str:
            return "/".join(path.rsplit("/", parts)[-parts:])

        if parts not in self._tails:
            self._tails[parts] = _first_of(self.listing.images, tail)
        return self._tails[parts].get(tail(name.strip()).lower(), "")

    def by_path_in_table(self, table: Table, name: str) -> str:
        """Return the path of an image that a table names relative to its folder or a parent of it.

        If no such file exists, leading folders of the name are removed one by one. This finds
        images of a release whose top folder was renamed. The result is empty if no image matches.
        Upper and lower case are equal, unless a path equals the name exactly.
        """
        folder = posixpath.dirname(table.name)
        parts = name.strip().split("/")
        for start in range(len(parts)):
            place = folder
            while True:
                path = posixpath.normpath(posixpath.join(place, *parts[start:]))
                if path in self.images:
                    return path
                if path.lower() in self._lowered:
                    return self._lowered[path.lower()]
                if not place:
                    break
                place = posixpath.dirname(place)
        return ""

    def tables(self, pattern: str) -> list[str]:
        """Return the paths of non-image files whose name matches a pattern, topmost first.

        The pattern must match the whole file name; upper and lower case are equal.
        """
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
        delimiter: str | None = None,
        skip: int = 0,
    ) -> Table:
        """Return the topmost table whose name matches a pattern; see `tables` and `Table`.

        Raises
        ------
        FileNotFoundError
            If no table matches.
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
        delimiter: str | None = None,
        skip: int = 0,
    ) -> Table:
        """Return the table at a path, and add its columns to `columns`."""
        table = Table(
            self.root / name, name, header=header, delimiter=delimiter, skip=skip, extra=self._extra
        )
        self.columns.update(column for column in table.header if column)
        return table

    def header(self, name: str) -> list[str]:
        """Return the names of the columns of a table; an empty list if it cannot be read."""
        try:
            return Table(self.root / name, name).header
        except (OSError, ValueError):
            return []

    def first_line(self, name: str) -> str:
        """Return the first line of a table without its line end; empty if it cannot be read."""
        try:
            return next(iter(Table(self.root / name, name, delimiter=WHOLE_LINE).header), "")
        except (OSError, ValueError):
            return ""

    @functools.cached_property
    def _lowered(self) -> dict[str, str]:
        return _first_of(self.listing.images, str)

    @functools.cached_property
    def _names(self) -> dict[str, str]:
        return _first_of(self.listing.images, posixpath.basename)

    @functools.cached_property
    def _stems(self) -> dict[str, str]:
        return _first_of(self.listing.images, _stem)

    def used_with_same_stem(self, used: Iterable[str], unused: Sequence[str]) -> dict[str, str]:
        """Return the used image of the same name for each unused image that has one.

        Names are compared without suffixes, because some sets contain each image as PNG and as
        DICOM.
        """
        if not unused:
            return {}
        by_stem = _first_of(list(used), _stem)
        pairs = ((path, by_stem.get(_stem(path).lower(), "")) for path in unused)
        return {path: match for path, match in pairs if match}


def _nameable(listing: FolderListing) -> FolderListing:
    """Return the listing with images whose name is not UTF-8 moved to ``unentered``."""
    wrong = {name for name in listing.images if as_text(name) != name}
    if not wrong:
        return listing
    return dataclasses.replace(
        listing,
        images=tuple(name for name in listing.images if name not in wrong),
        unentered=(*listing.unentered, *((as_text(name), NO_TEXT) for name in sorted(wrong))),
    )


def _stem(path: str) -> str:
    """Return a file name without its image suffixes; other dots, as in DICOM ids, are kept."""
    return re.sub(r"(\.(dcm|dicom|png|jpe?g|tiff?))+$", "", posixpath.basename(path), flags=re.I)


def _first_of(paths: Sequence[str], name: Callable[[str], str]) -> dict[str, str]:
    first_paths: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):
        first_paths.setdefault(name(path).lower(), path)
    return first_paths
