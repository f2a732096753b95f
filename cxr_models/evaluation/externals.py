"""Reading of sets from other sources, with checks that a run may be tested on them."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cxr_models.evaluation.predictions import unknown_labels
from cxr_models.inputs.targets import finding_targets
from cxr_models.records.layouts.overlaps import lines_on_sources
from cxr_models.records.manifest import SPLITS, read_manifest
from cxr_models.records.overlap import Overlap, Part, SeenImages, decoded_once
from cxr_models.runs.warm_start import seen_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cxr_models.records.manifest import Manifest
    from cxr_models.runs.finished import FinishedRun


class External(NamedTuple):
    """A set from another source."""

    manifest: Manifest  # the records; the column `split` is empty
    # images shared with train and val of the run, and of the runs whose weights it started from
    overlap: Overlap


def read_externals(
    run: FinishedRun,
    manifests: Sequence[str | os.PathLike[str]],
    *,
    say: Callable[[str], object] | None = None,
) -> dict[str, External]:
    """Read sets from other sources and check that a run may be tested on them.

    A set is named after its file. If the file is ``manifest.csv``, the set is named after the
    folder of the file.

    Parameters
    ----------
    run : FinishedRun
        The run to test on the sets.
    manifests : sequence of str or PathLike
        CSV files; a column ``split`` is ignored.
    say : callable, optional
        Function that is called with each sentence for the user. The sentences report near copies,
        patients and sources that a set shares with train or val. Train and val of the run count,
        and those of runs whose weights the run started from.

    Returns
    -------
    dict of str to External
        The sets by name.

    Raises
    ------
    ValueError
        If a label is not a label of the run, no image has a known label for a finding of the run,
        an image has the path or the pixels of an image that the run was trained or chosen on, or
        two sets, including those predicted before, have names that differ at most in case.
    OSError
        If a file cannot be read.

    Notes
    -----
    Images are compared by the fingerprints in their manifests. Images without fingerprints are
    decoded. The images of train and val are decoded at most once for all sets.
    """
    seen_paths = {
        os.path.realpath(path)
        for part in ("train", "val")
        for path in run.split.select(part).paths()
    }
    seen_images: SeenImages | None = None
    externals: dict[str, External] = {}
    for path in map(Path, manifests):
        stored = read_manifest(path)
        name = path.resolve().parent.name if path.stem == "manifest" else path.stem
        name = re.sub(r"[^\w.-]+", "_", name)
        _check_name(name, [*externals, *SPLITS], path)
        _check_name(name, [one for one in run.folder.external_predictions() if one != name], path)
        if run.config.model.task == "multilabel":
            _check_findings(run, stored, path)
        else:
            _check_labels(run, stored, path)
        shared = [file for file in stored.paths() if os.path.realpath(file) in seen_paths]
        if shared:
            raise ValueError(
                "`--external` must hold no image that the run was trained or chosen on; got "
                f"{len(shared)} in {str(path)!r}, such as {shared[0]!r}."
            )
        seen_images = seen_images or _seen_by(run, say)
        overlap = seen_images.check(
            name,
            stored,
            refusal=functools.partial(_refusal, path),
            cure="Take their rows out of a copy of it.",
            say=say,
        )
        if say is not None:
            parts = [run.split.select(part) for part in ("train", "val")]
            sources = (
                {record.source for part in parts for record in part.records},
                {record.source for record in stored.records},
            )
            for line in lines_on_sources(name, *sources):
                say(line)
        records = tuple(dataclasses.replace(record, split="") for record in stored.records)
        manifest = dataclasses.replace(stored, records=records, root=stored.root.resolve())
        externals[name] = External(manifest, overlap)
    return externals


def _check_name(name: str, others: Iterable[str], path: Path) -> None:
    """Raise ValueError if the name of a set is another name, apart from upper and lower case.

    The names are names of files, and some file systems do not distinguish case.
    """
    same = [other for other in others if other.casefold() == name.casefold()]
    if same:
        raise ValueError(
            f"`--external` must name sets of different names, none of them {', '.join(SPLITS)}, "
            f"without regard to case; got {name} for {str(path)!r} beside {same[0]}. Rename the "
            "file."
        )


def _check_labels(run: FinishedRun, stored: Manifest, path: Path) -> None:
    """Raise ValueError if a record has a label that is not a label of the run."""
    unknown = unknown_labels(stored.records, run.labels)
    if unknown:
        present = {record.label for record in stored.records}
        known = ",".join(label for label in run.labels if label in present)
        new_names = ",".join(f"{label}=LABEL" for label in unknown)
        arguments = " --csv ".join(map(shlex.quote, (str(path.parent), str(path))))
        command = f"\n  cxr-models index {arguments} --out NEW.csv --labels "
        cure = (
            f"Leave these labels out with{command}{shlex.quote(known)}\nor rename them: the "
            f"same command with {new_names} added to its --labels."
            if known
            else f"Rename these labels with{command}{shlex.quote(new_names)}"
        )
        raise ValueError(
            f"`--external` must hold labels that the run knows ({','.join(run.labels)}); got "
            f"{', '.join(unknown)} in {str(path)!r}. {cure}"
        )


def _check_findings(run: FinishedRun, stored: Manifest, path: Path) -> None:
    """Raise ValueError if no image has a known label for any finding of the run."""
    model = run.config.model
    if not (finding_targets(stored, model.findings) >= 0).any():
        raise ValueError(
            "`--external` must hold a finding of the run that is known for an image "
            f"({', '.join(model.findings)}); got none in {str(path)!r}, which has the findings "
            f"{', '.join(stored.finding_names()) or 'none'}. Give both sets one name for a "
            "finding with: cxr-models index --harmonise"
        )


def _refusal(path: Path, count: int) -> str:
    return (
        f"`--external` must hold no image that the run was trained or chosen on; got {count} of "
        f"equal pixels in {str(path)!r}"
    )


def _seen_by(run: FinishedRun, say: Callable[[str], object] | None) -> SeenImages:
    manifest = run.split.manifest
    records = tuple(record for record in manifest.records if record.split in ("train", "val"))
    manifest = decoded_once(dataclasses.replace(manifest, records=records), say=say)
    parts = [Part(name, manifest.select(name)) for name in ("train", "val")]
    earlier_parts = seen_before(run.config.model.weights, say=say)
    parts += [Part(part.name, decoded_once(part.manifest, say=say)) for part in earlier_parts]
    return SeenImages(parts)
