"""Choice of the sets of several runs that can be compared.

Sets of one name are comparable if they have the same images with the same labels. Sets of other
images are left out of a comparison, with a sentence for the user.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from cxr_models.evaluation.comparisons import Comparison
from cxr_models.evaluation.finding_predictions import FindingPredictions
from cxr_models.evaluation.findings_results import FindingsComparison
from cxr_models.evaluation.predictions import Predictions
from cxr_models.evaluation.results import UNITS
from cxr_models.evaluation.shared_patients import paths_of, with_shared_patients

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cxr_models.evaluation.finding_predictions import AnyPredictions

    Labels = dict[str, tuple[object, ...]]

P = TypeVar("P", Predictions, FindingPredictions)
S = TypeVar("S", bound=Predictions | FindingPredictions)
C = TypeVar("C", Comparison, FindingsComparison)


@dataclass(frozen=True, slots=True)
class ComparableSets(Generic[P]):
    """The sets of several runs that can be compared.

    Parameters
    ----------
    groups : list of (str, dict of str to P)
        The name of a set, and the set of each run of a group; all have the same images with the
        same labels and patients. A group has at least two runs.
    left_out : tuple of str
        Sentences on sets that are not compared.
    """

    groups: list[tuple[str, dict[str, P]]]
    left_out: tuple[str, ...]


def comparable_sets(runs: Mapping[str, Sequence[P]]) -> ComparableSets[P]:
    """Return the tested sets of several runs in groups whose sets can be compared.

    Parameters
    ----------
    runs : mapping of str to sequence of Predictions or FindingPredictions
        The sets of each run. All runs have the same classes or findings, in the same order.

    Notes
    -----
    The sets ``test`` are one group, whatever they have. A comparison refuses different ones.
    """
    named: dict[str, dict[str, P]] = defaultdict(dict)
    for run, sets in runs.items():
        for predictions in sets:
            if predictions.kind in ("test", "external"):
                named[predictions.name][run] = predictions
    chosen: list[tuple[str, dict[str, P]]] = []
    left_out: list[str] = []
    for name, sets_of_runs in named.items():
        groups = [sets_of_runs] if name == "test" else _groups_of(sets_of_runs)
        chosen += [(name, _with_shared_patients(group)) for group in groups if len(group) > 1]
        left_out += _lines_on_groups(name, groups)
        lacking = [run for run in runs if run not in sets_of_runs]
        if lacking:
            verb = "has no such set and is" if len(lacking) == 1 else "have no such set and are"
            left_out.append(f"{name}: {' and '.join(lacking)} {verb} not compared on it")
    return ComparableSets(chosen, tuple(left_out))


def in_order_of_runs(compared: Iterable[C], runs: Iterable[str]) -> tuple[C, ...]:
    """Return comparisons sorted by pairs of runs, without a change of the order of each pair."""
    order = list(itertools.combinations(runs, 2))
    return tuple(sorted(compared, key=lambda pair: order.index((pair.first, pair.second))))


def rows_in_order_of(base: P, predictions: P, runs: str) -> list[int]:
    """Return the row of each image of `base` in `predictions`.

    Parameters
    ----------
    base, predictions : Predictions or FindingPredictions
        Two sets of the same images in any order, with the same labels.
    runs : str
        The names of the two runs, for the error message.

    Raises
    ------
    ValueError
        If the images or their labels differ.
    """
    labels, other_labels = _labels_by_path(base), _labels_by_path(predictions)
    difference = _difference(base, predictions, labels, other_labels)
    if difference:
        raise ValueError(
            f"`{base.name}` must hold the same images and labels in {runs}, to compare them; got "
            f"{difference}. Make both sets equal, or evaluate the runs one by one."
        )
    rows = {path: row for row, path in enumerate(other_labels)}
    return [rows[path] for path in labels]


def at_root(predictions: S, root: Path) -> S:
    """Return predictions whose manifest has `root` as the folder of relative file names."""
    manifest = dataclasses.replace(predictions.manifest, root=root)
    return dataclasses.replace(predictions, manifest=manifest)


def difference_of(first: AnyPredictions, second: AnyPredictions) -> str:
    """Return how the images or labels of two sets differ, with a count; empty if they do not."""
    return _difference(first, second, _labels_by_path(first), _labels_by_path(second))


def _difference(
    first: AnyPredictions, second: AnyPredictions, labels: Labels, other_labels: Labels
) -> str:
    for predictions, by_path in ((first, labels), (second, other_labels)):
        if len(by_path) < len(predictions.manifest.records):
            return "a set that holds an image twice"
    unit = "image" if first.aggregation is None else first.aggregation.of
    unshared = sorted(labels.keys() ^ other_labels.keys())
    if unshared:
        path = unshared[0]
        of = first if path in labels else second
        count = len(unshared)
        verb = f"{unit} that is" if count == 1 else f"{UNITS[unit]} that are"
        return f"{count:,} {verb} in one of the two alone, such as {_file_of(of, path)!r}"
    differing = sorted(path for path, label in labels.items() if other_labels[path] != label)
    if not differing:
        return ""
    path, count = differing[0], len(differing)
    what = _difference_of_labels(first, labels[path], other_labels[path])
    units = unit if count == 1 else UNITS[unit]
    return f"different labels of {count:,} {units}, such as {_file_of(first, path)!r} ({what})"


def _groups_of(sets: Mapping[str, P]) -> list[dict[str, P]]:
    """Return the sets of one name in groups of equal images and labels."""
    groups: dict[Hashable, dict[str, P]] = defaultdict(dict)
    for run, predictions in sets.items():
        labels = _labels_by_path(predictions)
        is_once = len(labels) == len(predictions.manifest.records)
        groups[frozenset(labels.items()) if is_once else run][run] = predictions
    return list(groups.values())


def _lines_on_groups(name: str, groups: Sequence[Mapping[str, P]]) -> Iterator[str]:
    """Yield a sentence for each two groups of runs, which are not compared with each other."""
    for first, second in itertools.combinations(groups, 2):
        runs = " and ".join(first), " and ".join(second)
        difference = difference_of(next(iter(first.values())), next(iter(second.values())))
        yield f"{name}: {runs[0]} not compared with {runs[1]}: {difference}"


def _with_shared_patients(group: Mapping[str, P]) -> dict[str, P]:
    shared = with_shared_patients({run: [predictions] for run, predictions in group.items()})
    return {run: predictions for run, (predictions,) in shared.items()}


def _labels_by_path(predictions: AnyPredictions) -> Labels:
    """Return the label of each image, or its labels of all findings, by the image's real path.

    The images are in their order. An image that a set holds twice is once in the result.
    """
    labels: Iterable[tuple[object, ...]]
    if isinstance(predictions, FindingPredictions):
        labels = map(tuple, predictions.targets.tolist())
    else:
        labels = ((record.label,) for record in predictions.manifest.records)
    return dict(zip(paths_of(predictions.manifest), labels, strict=True))


def _difference_of_labels(
    predictions: AnyPredictions, first: tuple[object, ...], second: tuple[object, ...]
) -> str:
    """Return the two labels of an image or, for findings, the first finding that differs."""
    if isinstance(predictions, FindingPredictions):
        pairs = zip(predictions.findings, first, second, strict=True)
        return next(finding for finding, one, other in pairs if one != other)
    return f"{first[0]} and {second[0]}"


def _file_of(predictions: AnyPredictions, path: str) -> str:
    place = paths_of(predictions.manifest).index(path)
    return predictions.manifest.records[place].file
