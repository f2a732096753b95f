"""Sets of splits in one folder, such as folds: files of an earlier set beside a new set."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cxr_models.records.splits import SPLIT, split_settings

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

# By the setting in the first line of each split of a set: the names of its files.
_NAMES = MappingProxyType({"fold": "fold-*.csv", "left_out": "without-*.csv"})


def leftovers(
    folder: Path, new: Container[Path], setting: str, *, manifest: Path, overwrite: bool
) -> list[Path]:
    """List the splits of an earlier set, which would look like part of the new set.

    Parameters
    ----------
    folder : Path
        Folder of the new set.
    new : container of Path
        The files of the new set.
    setting : {"fold", "left_out"}
        Setting in the first line of each split of the set.
    manifest : Path
        The manifest that is split; it is never removed.
    overwrite : bool
        Whether an earlier set may be replaced, so that its splits may be removed.

    Returns
    -------
    list of Path
        Splits as they were written, none of them of the new set.

    Raises
    ------
    FileExistsError
        If such splits exist and `overwrite` is false.
    ValueError
        If a file has the name of such a split and is no split, or was changed.
    """
    earlier = [path for path in sorted(folder.glob(_NAMES[setting])) if path not in new]
    if earlier and not overwrite:
        raise FileExistsError(
            f"`--out` must hold no {_NAMES[setting]} of another set; got {str(earlier[0])!r}. "
            "Replace that set with --overwrite, or name a new folder"
        )
    for path in earlier:
        if path.samefile(manifest) or not _is_of_a_set(path, setting):
            raise ValueError(
                f"`--out` must hold no {_NAMES[setting]} but those of an earlier set, unchanged "
                f"and not read by this command; got {str(path)!r}. Move it away, or name "
                "a new folder."
            )
    return earlier


def _is_of_a_set(path: Path, setting: str) -> bool:
    try:
        return path.is_file() and SPLIT.recognises(path) and setting in split_settings(path)
    except (OSError, ValueError):
        return False
