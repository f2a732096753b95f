"""Sets of splits in one folder, such as folds: detection of files of an earlier set."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cxr_models.records.splits import SPLIT, split_settings

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

# Pattern of the file names of a set, by the setting in the first line of each of its splits.
_NAMES = MappingProxyType({"fold": "fold-*.csv", "left_out": "without-*.csv"})


def leftovers(
    folder: Path, new: Container[Path], setting: str, *, manifest: Path, overwrite: bool
) -> list[Path]:
    """List the splits of an earlier set that could be mistaken for splits of the new set.

    Parameters
    ----------
    folder : Path
        Folder of the new set.
    new : container of Path
        Files of the new set.
    setting : {"fold", "left_out"}
        Name of the setting in the first line of each split of the set.
    manifest : Path
        Manifest that is divided. It must not be one of the files to remove.
    overwrite : bool
        Whether an earlier set may be replaced, so that its splits may be removed.

    Returns
    -------
    list of Path
        Unchanged splits of the earlier set that are not files of the new set.

    Raises
    ------
    FileExistsError
        If there are such files and `overwrite` is False.
    ValueError
        If a file with such a name is not a split, was changed, or is `manifest`.
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
