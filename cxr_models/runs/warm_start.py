"""The runs whose weights a run started from, and what they have seen; imports no framework."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_models._json import read_json
from cxr_models.records.manifest import read_manifest
from cxr_models.records.overlap import Part, SeenImages, decoded_once
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.records.manifest import Manifest
    from cxr_models.records.overlap import Overlap
    from cxr_models.records.splits import Split

_NO_FILE = ("imagenet", "none")


def starting_splits(
    weights: str, *, say: Callable[[str], object] | None = None
) -> dict[str, Manifest]:
    """Return the splits of the runs that weights come from: the run's, and those before it.

    Parameters
    ----------
    weights : str
        The setting ``model.weights`` of a run.
    say : callable, optional
        Called with a line where weights lie no more where they were.

    Returns
    -------
    dict of str to Manifest
        By the folder of each run; empty where `weights` is no file in the folder of a run.

    Raises
    ------
    ValueError
        If the files of such a run are damaged, or links to elsewhere.
    OSError
        If they cannot be read.
    """
    found: dict[str, Manifest] = {}
    while weights not in _NO_FILE:
        if not Path(weights).is_file():
            if say is not None:
                say(f"what {weights}, the start of a run, has seen is not known: it is gone")
            break
        folder = _run_of(Path(weights))
        if folder is None or os.path.realpath(folder) in found:
            break
        RunFolder(path=folder).check_confined()
        manifest = read_manifest(folder / "split.csv")
        root = _read_json(folder / "run.json").get("split_root")
        if isinstance(root, str):
            manifest = dataclasses.replace(manifest, root=Path(root))
        found[os.path.realpath(folder)] = manifest
        model = _read_json(folder / "config.json").get("model")
        weights = str(model.get("weights", "none")) if isinstance(model, dict) else "none"
    return found


def seen_before(weights: str, *, say: Callable[[str], object] | None = None) -> list[Part]:
    """Return train and val of every run that weights come from; see `starting_splits`."""
    return [
        _part(folder, manifest, name)
        for folder, manifest in starting_splits(weights, say=say).items()
        for name in ("train", "val")
    ]


def check_warm_start(
    split: Split, weights: str, *, say: Callable[[str], object] | None = None
) -> dict[str, Overlap]:
    """Check that the runs which weights come from have not seen what is to judge the new run.

    No image that they trained on may be in val or test, and none they were chosen on in test.

    Parameters
    ----------
    split : Split
        Of the new run.
    weights : str
        Its setting ``model.weights``.
    say : callable, optional
        Called with lines on near copies and patients that both have.

    Returns
    -------
    dict of str to Overlap
        What val and test share with what those runs have seen; empty where there are none.

    Raises
    ------
    ValueError
        If an image of equal pixels is in both, or the files of such a run are damaged.
    OSError
        If they cannot be read.
    """
    starts = {
        folder: {part: decoded_once(theirs.select(part), say=say) for part in ("train", "val")}
        for folder, theirs in starting_splits(weights, say=say).items()
    }
    found: dict[str, Overlap] = {}
    for name, seen_in in (("val", ("train",)), ("test", ("train", "val"))):
        tested = split.select(name)
        if starts and tested.records:
            seen = SeenImages(
                [_part(at, theirs[one], one) for at, theirs in starts.items() for one in seen_in]
            )
            found[name] = seen.check(
                name,
                tested,
                refusal=functools.partial(_refusal, name, weights, len(tested.records)),
                cure="Split so that they are in train, or start from other weights.",
                say=say,
            )
    return found


def _refusal(part: str, weights: str, images: int, count: int) -> str:
    return (
        f"`weights` must come from a run that has not seen the images of {part}; got {weights!r}, "
        f"which has seen {count} of {images}"
    )


def _part(folder: str, manifest: Manifest, name: str) -> Part:
    return Part(f"{name} of {folder}, where weights come from", manifest.select(name))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        told = read_json(path)
    except ValueError as error:
        raise ValueError(f"`{path.name}` must be JSON; got {str(path)!r}: {error}.") from error
    return told if isinstance(told, dict) else {}


def _run_of(weights: Path) -> Path | None:
    """Return the folder of the run that a file of weights lies in, or in a folder of."""
    for folder in (weights.parent, weights.parent.parent):
        if all((folder / name).is_file() for name in ("config.json", "run.json", "split.csv")):
            return folder
    return None
