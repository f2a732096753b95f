"""Sets from other sources, checked before they test a run."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.evaluation.predictions import (
    unknown_labels,
)
from cxr_models.records.layouts.overlaps import lines_on_sources
from cxr_models.records.manifest import SPLITS, read_manifest
from cxr_models.records.overlap import Overlap, Part, SeenImages, decoded_once
from cxr_models.runs.warm_start import seen_before

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.records.manifest import Manifest
    from cxr_models.runs.finished import FinishedRun


class External(NamedTuple):
    """A set from another source."""

    manifest: Manifest  # its records, in no part of a split
    overlap: Overlap  # what it shares with images that the run, or a run before it, has seen


def read_externals(
    run: FinishedRun,
    manifests: Sequence[str | os.PathLike[str]],
    *,
    say: Callable[[str], object] | None = None,
) -> dict[str, External]:
    """Read sets from other sources; each has the name of its file, or of its manifest's folder.

    Parameters
    ----------
    run : FinishedRun
        The run they are to judge.
    manifests : sequence of str or PathLike
        CSV files; a column ``split`` is passed over.
    say : callable, optional
        Called with lines on near copies and patients that a set shares with what the run, or a run
        whose weights it started from, was trained or chosen on.

    Raises
    ------
    ValueError
        If the run does not know a label, an image has the path or the pixels of an image that the
        run was trained or chosen on, or two sets have the same name.
    OSError
        If a file cannot be read.

    Notes
    -----
    Images are compared by what `cxr_models.records.fingerprints` keeps in manifests; those of
    manifests that hold none are decoded, once for all sets.
    """
    seen_paths = {
        os.path.realpath(path)
        for part in ("train", "val")
        for path in run.split.select(part).paths()
    }
    images: SeenImages | None = None
    externals: dict[str, External] = {}
    for path in map(Path, manifests):
        read = read_manifest(path)
        name = path.resolve().parent.name if path.stem == "manifest" else path.stem
        name = re.sub(r"[^\w.-]+", "_", name)
        if name in externals or name in SPLITS:
            raise ValueError(
                f"`--external` must name sets of different names, none of them "
                f"{', '.join(SPLITS)}; got {name} for {str(path)!r}. Rename the file."
            )
        unknown = unknown_labels(read.records, run.labels)
        if unknown:
            present = {record.label for record in read.records}
            known = ",".join(label for label in run.labels if label in present)
            names = ",".join(f"{name}=LABEL" for name in unknown)
            words = " --csv ".join(map(shlex.quote, (str(path.parent), str(path))))
            command = f"\n  cxr-models index {words} --out NEW.csv --labels "
            cure = (
                f"They are left out by{command}{shlex.quote(known)}\nand renamed with {names} "
                "added to its --labels."
                if known
                else f"They are renamed by{command}{shlex.quote(names)}"
            )
            raise ValueError(
                f"`--external` must hold labels that the run knows ({','.join(run.labels)}); got "
                f"{', '.join(unknown)} in {str(path)!r}. {cure}"
            )
        seen = [file for file in read.paths() if os.path.realpath(file) in seen_paths]
        if seen:
            raise ValueError(
                "`--external` must hold no image that the run was trained or chosen on; got "
                f"{len(seen)} in {str(path)!r}, such as {seen[0]!r}."
            )
        images = images or _seen_by(run, say)
        overlap = images.check(
            name,
            read,
            refusal=functools.partial(_refusal, path),
            cure="Take their rows out of a copy of it.",
            say=say,
        )
        if say is not None:
            parts = [run.split.select(part) for part in ("train", "val")]
            sources = (
                {record.source for part in parts for record in part.records},
                {record.source for record in read.records},
            )
            for line in lines_on_sources(name, *sources):
                say(line)
        records = tuple(dataclasses.replace(record, split="") for record in read.records)
        manifest = dataclasses.replace(read, records=records, root=read.root.resolve())
        externals[name] = External(manifest, overlap)
    return externals


def _refusal(path: Path, count: int) -> str:
    return (
        f"`--external` must hold no image that the run was trained or chosen on; got {count} of "
        f"equal pixels in {str(path)!r}"
    )


def _seen_by(run: FinishedRun, say: Callable[[str], object] | None) -> SeenImages:
    own = run.split.manifest
    records = tuple(record for record in own.records if record.split in ("train", "val"))
    own = decoded_once(dataclasses.replace(own, records=records), say=say)
    parts = [Part(name, own.select(name)) for name in ("train", "val")]
    before = seen_before(run.config.model.weights, say=say)
    parts += [Part(part.name, decoded_once(part.manifest, say=say)) for part in before]
    return SeenImages(parts)
