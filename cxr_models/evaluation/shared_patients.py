"""Matching of images and patients between compared runs, and between pooled runs.

The table of one model may have fewer patient ids than the table of another model. The groups of
pooled runs may come from different manifests.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from typing import TYPE_CHECKING, TypeVar

from cxr_models.evaluation.results import UNITS
from cxr_models.records.ties import components, connect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.evaluation.results import Aggregation
    from cxr_models.records.manifest import Manifest, Record

    P = TypeVar("P", Predictions, FindingPredictions)


def paths_of(manifest: Manifest) -> list[str]:
    """Return the real paths of images, which identify equal images of two runs."""
    return [os.path.realpath(path) for path in manifest.paths()]


def partial_overlap_error(
    tested: Sequence[frozenset[str]], aggregation: Aggregation | None
) -> ValueError:
    """Return the error of runs whose test sets share some images and not all.

    Parameters
    ----------
    tested : sequence of frozenset of str
        Real paths of the test images of each run; of patients or studies, their first images.
    aggregation : Aggregation or None
        How images were joined; None if they were not.
    """
    num_shared, num_all = len(frozenset.intersection(*tested)), len(frozenset.union(*tested))
    units = UNITS["image" if aggregation is None else aggregation.of]
    sentence = (
        f"`RUN` must name runs tested on the same {units}, to be compared, or on different "
        f"{units}, to be pooled; got test sets that share {num_shared:,} of {num_all:,} {units}."
    )
    if aggregation is not None:
        sentence += (
            f" {units.capitalize()} are the same if their first images are; all runs must state "
            "which images belong together."
        )
    return ValueError(sentence)


def with_shared_patients(runs: Mapping[str, Sequence[P]]) -> dict[str, list[P]]:
    """Return the sets of runs with the same grouping of images by patient in all runs.

    Two images belong to the same patient if they do so in at least one run. The bootstrap draws
    patients once for all runs. Without this function, it would draw the patients of the first run,
    and images without a patient id in this run would count as independent.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions or FindingPredictions
        The sets of each run. Sets of the same name with different images are returned unchanged.

    Returns
    -------
    dict of str to list
        The same sets. The field `group` of the records is replaced if the runs group images in
        different ways.
    """
    shared = {run: list(sets) for run, sets in runs.items()}
    for name in {predictions.name for sets in shared.values() for predictions in sets}:
        places = [
            (run, place)
            for run, sets in shared.items()
            for place, predictions in enumerate(sets)
            if predictions.name == name
        ]
        tied = _tied([shared[run][place] for run, place in places])
        for (run, place), predictions in zip(places, tied, strict=True):
            shared[run][place] = predictions
    return shared


def pooled_records(runs: Mapping[str, Sequence[P]], tests: Mapping[str, P]) -> tuple[Record, ...]:
    """Return the records of the test images of all runs, as the records of one set.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions or FindingPredictions
        The sets of each run. The images of train, val and test show which runs use the same
        manifest.
    tests : mapping of str to Predictions or FindingPredictions
        The test set of each run, in the order of the records.

    Returns
    -------
    tuple of Record
        Records with real paths as file names. Groups of different manifests have different names.
        Images with the same patient id and source are of one patient in all runs.

    Notes
    -----
    Every manifest numbers its groups from 0, so that equal names tie images only within one
    manifest. Two runs have the same manifest if they share an image, and every image that they
    share has the same group in both. The folds of a manifest, for example, share the images that
    they train on.
    """
    numbers = dict(zip(runs, _manifest_numbers(list(runs.values())), strict=True))
    return tuple(
        dataclasses.replace(
            record, file=path, group=f"{numbers[run]}/{record.group}" if record.group else ""
        )
        for run, test in tests.items()
        for record, path in zip(test.manifest.records, paths_of(test.manifest), strict=True)
    )


def _manifest_numbers(runs: Sequence[Sequence[P]]) -> list[int]:
    """Return a number for each run; runs with the same manifest have the same number."""
    real_path = functools.cache(os.path.realpath)
    groups = [
        {
            real_path(path): record.group
            for one in sets
            if one.kind != "external"  # the records of external sets are of other manifests
            for record, path in zip(one.manifest.records, one.manifest.paths(), strict=True)
        }
        for sets in runs
    ]
    same = []
    for first, second in itertools.combinations(range(len(groups)), 2):
        shared = groups[first].keys() & groups[second].keys()
        if shared and all(groups[first][path] == groups[second][path] for path in shared):
            same.append((first, second))
    return connect(len(groups), same)


def _tied(sets: Sequence[P]) -> list[P]:
    """Return sets of one name with the ties of all these sets, if they have the same images."""
    paths = [paths_of(one.manifest) for one in sets]
    numbers = {path: number for number, path in enumerate(paths[0])}
    if any(numbers.keys() != set(of_one) for of_one in paths):
        return list(sets)
    ties = [
        [
            (numbers[path], numbers[of_one[root]])
            for path, root in zip(of_one, components(one.manifest.records), strict=True)
        ]
        for one, of_one in zip(sets, paths, strict=True)
    ]
    joint = connect(len(numbers), [pair for of_one in ties for pair in of_one])
    if all(connect(len(numbers), of_one) == joint for of_one in ties):
        return list(sets)
    return [
        _with_groups(one, [f"tied-{joint[numbers[path]]}" for path in of_one])
        for one, of_one in zip(sets, paths, strict=True)
    ]


def _with_groups(predictions: P, groups: Sequence[str]) -> P:
    records = tuple(
        dataclasses.replace(record, group=group)
        for record, group in zip(predictions.manifest.records, groups, strict=True)
    )
    manifest = dataclasses.replace(predictions.manifest, records=records)
    return dataclasses.replace(predictions, manifest=manifest)
