"""The values of findings in groups of images, and the gaps between the groups.

The module `subgroups` does the same for classes. Each finding is compared separately, over the
images whose label for it is known. Means over findings have no gap, because each group has its own
findings with enough patients.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.finding_predictions import PRESENT, UNKNOWN
from cxr_models.evaluation.finding_statistics import FindingStatistics, outcomes_of
from cxr_models.evaluation.findings import group_of
from cxr_models.evaluation.findings_results import FindingSubgroups
from cxr_models.evaluation.results import NOT_STATED
from cxr_models.evaluation.subgroup_gaps import GapName, GroupMeasurements, gaps_between
from cxr_models.evaluation.subgroups import tested

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import FindingPredictions
    from cxr_models.evaluation.finding_statistics import FindingOutcomes
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.group_columns import GroupColumn
    from cxr_models.evaluation.results import GapValue

    Ints = npt.NDArray[np.int64]

GAPS: tuple[GapValue, ...] = ("roc_auc", "sensitivity", "specificity")  # gaps of each finding


def with_finding_subgroups(
    evaluation: FindingsEvaluation,
    sets: Iterable[FindingPredictions],
    columns: Sequence[GroupColumn],
    method: Method,
) -> FindingsEvaluation:
    """Return an evaluation of findings with the values of groups added to each tested set.

    Parameters
    ----------
    evaluation : FindingsEvaluation
        The evaluation of `sets`.
    sets : iterable of FindingPredictions
        The predictions from which `evaluation` was computed.
    columns : sequence of GroupColumn
        The columns whose values divide the images into groups. A column without a value in a set
        makes no groups in this set.
    method : Method
        The settings of the evaluation.

    Raises
    ------
    ValueError
        If a column makes too many groups.
    """
    thresholds = evaluation.operating_points.thresholds
    values = dict(evaluation.sets)
    for predictions in tested(sets):
        records = predictions.stated_records
        outcomes = outcomes_of(
            predictions,
            tuple(evaluation.temperatures[name] for name in predictions.findings),
            tuple(thresholds[name] for name in predictions.findings),
        )
        stated = [column for column in columns if column.is_stated(records)]
        values[predictions.name] = dataclasses.replace(
            values[predictions.name],
            subgroups=tuple(
                _of_column(outcomes, *column.groups(records), column, method) for column in stated
            ),
        )
    return dataclasses.replace(evaluation, sets=values)


def _of_column(
    outcomes: FindingOutcomes,
    names: tuple[str, ...],
    places: Ints,
    column: GroupColumn,
    method: Method,
) -> FindingSubgroups:
    groups, measurements = {}, {}
    for place, name in enumerate(names):
        part = outcomes.select(np.flatnonzero(places == place))
        statistics = FindingStatistics(part)
        measurement = measure(statistics, draws=method.draws, seed=method.seed)
        measurement = dataclasses.replace(measurement, hides_few=True)
        groups[name] = group_of(part, statistics, measurement)
        if name != NOT_STATED:
            measurements[place] = measurement
    return FindingSubgroups(
        column=column.name,
        edges=column.edges,
        groups=groups,
        gaps=tuple(
            gap
            for measured in _by_finding(outcomes, places, names, measurements)
            for gap in gaps_between(measured, method)
        ),
    )


def _by_finding(
    outcomes: FindingOutcomes,
    places: Ints,
    names: tuple[str, ...],
    measurements: dict[int, Measurement],
) -> Iterator[GroupMeasurements]:
    """Yield, for each finding, the images with a known label as input of `gaps_between`."""
    for k, finding in enumerate(outcomes.findings):
        known = np.flatnonzero(outcomes.targets[:, k] != UNKNOWN)
        alone = _alone(outcomes, k, known)
        has_point = outcomes.thresholds[k] is not None
        yield GroupMeasurements(
            targets=(alone.targets[:, 0] == PRESENT).astype(np.int64),
            patients=alone.patients,
            places=places[known],
            statistics=functools.partial(_statistics, alone),
            values=[
                GapName(value, finding, f"{value}/{finding}")
                for value in GAPS
                if has_point or value == "roc_auc"
            ],
            names=names,
            measurements=measurements,
        )


def _alone(outcomes: FindingOutcomes, k: int, known: Ints) -> FindingOutcomes:
    """Return the outcomes of finding number `k` only, for the images in `known`."""
    return dataclasses.replace(
        outcomes.select(known),
        findings=outcomes.findings[k : k + 1],
        targets=outcomes.targets[known, k : k + 1],
        logits=outcomes.logits[known, k : k + 1],
        probabilities=outcomes.probabilities[known, k : k + 1],
        temperatures=outcomes.temperatures[k : k + 1],
        thresholds=outcomes.thresholds[k : k + 1],
    )


def _statistics(outcomes: FindingOutcomes, rows: Ints, patients: Ints) -> FindingStatistics:
    """Return the statistics of the images in `rows`, with `patients` as their patient numbers."""
    return FindingStatistics(dataclasses.replace(outcomes.select(rows), patients=patients))
