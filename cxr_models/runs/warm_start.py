"""Earlier runs whose weights a run started from, and the images that they have seen.

This module imports no framework.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from cxr_models.config import NO_WEIGHTS_FILE
from cxr_models.records.manifest import read_manifest
from cxr_models.records.overlap import Part, SeenImages, decoded_once
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.records.manifest import Manifest
    from cxr_models.records.overlap import Overlap
    from cxr_models.records.splits import Split


def starting_splits(
    weights: str, *, say: Callable[[str], object] | None = None
) -> dict[str, Manifest]:
    """Return the splits of the run that weights come from, and of the runs that it started from.

    Parameters
    ----------
    weights : str
        Setting ``model.weights`` of a run.
    say : callable, optional
        Function that is called with one line if a weights file does not exist anymore. None
        reports nothing.

    Returns
    -------
    dict of str to Manifest
        Records of the split of each run, by the folder of the run. Empty if `weights` is not a
        file in the folder of a run.

    Raises
    ------
    ValueError
        If files of such a run are damaged, or links to a place outside of its folder.
    OSError
        If files of such a run cannot be read.
    """
    splits: dict[str, Manifest] = {}
    while weights not in NO_WEIGHTS_FILE:
        if not Path(weights).is_file():
            why = "it is gone"
            if not os.path.isabs(weights):  # of a run that an earlier version trained
                why = "the working folder has no such file"
            if say is not None:
                say(f"WARNING: what {weights}, the start of a run, has seen is not known: {why}")
            break
        folder = _run_of(Path(weights))
        if folder is None or os.path.realpath(folder.path) in splits:
            break
        folder.check_confined()
        manifest, root = read_manifest(folder.split_file), folder.read_facts().split_root
        if root is not None:
            manifest = dataclasses.replace(manifest, root=Path(root))
        splits[os.path.realpath(folder.path)] = manifest
        weights = folder.read_config().model.weights
    return splits


def seen_before(weights: str, *, say: Callable[[str], object] | None = None) -> list[Part]:
    """Return train and val of every run behind these weights; see `starting_splits`."""
    return [
        _part(folder, manifest, name)
        for folder, manifest in starting_splits(weights, say=say).items()
        for name in ("train", "val")
    ]


def check_warm_start(
    split: Split, weights: str, *, say: Callable[[str], object] | None = None
) -> dict[str, Overlap]:
    """Check that the runs behind initial weights have not seen val or test of a new run.

    An image in train of such a run must not be in val or test of the new run. An image in val of
    such a run must not be in test of the new run, because val decided which epoch was kept.

    Parameters
    ----------
    split : Split
        Split of the new run.
    weights : str
        Setting ``model.weights`` of the new run.
    say : callable, optional
        Function that is called with lines about near copies and shared patients. None reports
        nothing.

    Returns
    -------
    dict of str to Overlap
        Overlap of val and of test with the images that those runs have seen. Empty if the weights
        come from no run.

    Raises
    ------
    ValueError
        If two images have equal pixels, or files of such a run are damaged.
    OSError
        If files of such a run cannot be read.
    """
    starts = {
        folder: {part: decoded_once(manifest.select(part), say=say) for part in ("train", "val")}
        for folder, manifest in starting_splits(weights, say=say).items()
    }
    overlaps: dict[str, Overlap] = {}
    for name, seen_in in (("val", ("train",)), ("test", ("train", "val"))):
        tested = split.select(name)
        if starts and tested.records:
            seen = SeenImages(
                [_part(run, parts[part], part) for run, parts in starts.items() for part in seen_in]
            )
            overlaps[name] = seen.check(
                name,
                tested,
                refusal=functools.partial(_refusal, name, weights, len(tested.records)),
                cure="Split so that they are in train, or start from other weights.",
                say=say,
            )
    return overlaps


def _refusal(part: str, weights: str, images: int, count: int) -> str:
    return (
        f"`weights` must come from a run that has not seen the images of {part}; got {weights!r}, "
        f"which has seen {count} of {images}"
    )


def _part(folder: str, manifest: Manifest, name: str) -> Part:
    return Part(f"{name} of {folder}, where weights come from", manifest.select(name))


def _run_of(weights: Path) -> RunFolder | None:
    """Return the run whose folder, or a subfolder of it, contains a weights file; else None."""
    for folder in (RunFolder(path=path) for path in (weights.parent, weights.parent.parent)):
        files = (folder.config_file, folder.facts_file, folder.split_file)
        if all(file.is_file() for file in files):
            return folder
    return None
