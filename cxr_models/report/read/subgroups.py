"""Checks that stored values of subgroups equal the values computed from the set's table."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS
from cxr_models.evaluation.evaluate import select
from cxr_models.evaluation.finding_statistics import FindingStatistics
from cxr_models.evaluation.group_columns import GroupColumn
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.stored import with_split_columns
from cxr_models.evaluation.subgroups import records_of
from cxr_models.report.read.values import finding_values_by_name, values_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from cxr_models.evaluation.bootstrap import Statistics
    from cxr_models.evaluation.finding_predictions import AnyPredictions, FindingPredictions
    from cxr_models.evaluation.finding_statistics import FindingOutcomes
    from cxr_models.evaluation.findings_results import FindingsGroup, FindingsSet
    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.evaluation.results import ColumnGaps, Gap, Group, Measured, SetEvaluation
    from cxr_models.records.manifest import Record

    Ints = npt.NDArray[np.int64]

# names of gaps between classes, and the names of the same values in `ImageStatistics`
_NAMES = {"sensitivity": "point_sensitivity", "specificity": "point_specificity"}


def subgroups_agree(
    path: Path,
    predictions: Predictions,
    outcomes: Outcomes,
    stored: SetEvaluation,
    tolerance: float,
) -> bool:
    """Return whether stored values of subgroups equal those of the table, intervals excepted.

    Parameters
    ----------
    path : Path
        Folder of the run. The split of the run has columns that older tables lack.
    predictions : Predictions
        Predictions of the set, from its table.
    outcomes : Outcomes
        Outcomes of the set, with the stored temperature and thresholds.
    stored : SetEvaluation
        Stored values of the set.
    tolerance : float
        Largest difference of two values that count as equal.
    """
    records_and_groups = _records_and_groups(path, predictions, stored.subgroups)
    if records_and_groups is None:
        return False
    records, places = records_and_groups
    for by, of_column in zip(stored.subgroups, places, strict=True):
        if tuple(by.groups) != tuple(of_column):
            return False
        for name, chosen in of_column.items():
            if not _group_agrees(records, outcomes, chosen, by.groups[name], tolerance):
                return False
        values = {name: values_by_name(group, group.classes) for name, group in by.groups.items()}
        if not _gaps_agree(by.gaps, values, _NAMES, tolerance):
            return False
    return True


def finding_subgroups_agree(
    path: Path,
    predictions: FindingPredictions,
    outcomes: FindingOutcomes,
    stored: FindingsSet,
    tolerance: float,
) -> bool:
    """Return whether stored values of subgroups with findings equal those of the table.

    Parameters
    ----------
    path, tolerance
        As for `subgroups_agree`.
    predictions : FindingPredictions
        Predictions of the set, from its table.
    outcomes : FindingOutcomes
        Outcomes of the set, with the stored temperatures and thresholds.
    stored : FindingsSet
        Stored values of the set.
    """
    records_and_groups = _records_and_groups(path, predictions, stored.subgroups)
    if records_and_groups is None:
        return False
    _, places = records_and_groups
    for by, of_column in zip(stored.subgroups, places, strict=True):
        if tuple(by.groups) != tuple(of_column):
            return False
        for name, chosen in of_column.items():
            if not _findings_agree(outcomes.select(chosen), by.groups[name], tolerance):
                return False
        values = {
            name: finding_values_by_name(group, group.findings) for name, group in by.groups.items()
        }
        if not _gaps_agree(by.gaps, values, {}, tolerance):
            return False
    return True


def _records_and_groups(
    path: Path, predictions: AnyPredictions, stored: Sequence[ColumnGaps]
) -> tuple[Sequence[Record], list[dict[str, Ints]]] | None:
    """Return the records, and for each column the names of its groups and the rows of each group.

    The result is None if a stored column is invalid.
    """
    try:
        columns = [GroupColumn(name=by.column, edges=by.edges) for by in stored]
        (whole,) = with_split_columns(path, [predictions], columns) if columns else (predictions,)
        records = records_of(whole)
        groups = [column.groups(records) for column in columns]
    except ValueError:
        return None
    return records, [
        {name: np.flatnonzero(places == place) for place, name in enumerate(names)}
        for names, places in groups
    ]


def _group_agrees(
    records: Sequence[Record], outcomes: Outcomes, chosen: Ints, stored: Group, tolerance: float
) -> bool:
    if stored.labels != dict(Counter(records[row].label for row in chosen.tolist())):
        return False
    part = select(outcomes, chosen)
    statistics = ImageStatistics(part)
    if (stored.images, stored.patients) != (len(part.targets), statistics.num_patients):
        return False
    if tuple(stored.classes) != part.class_names:
        return False
    return _values_agree(statistics, values_by_name(stored, part.class_names), tolerance)


def _findings_agree(outcomes: FindingOutcomes, stored: FindingsGroup, tolerance: float) -> bool:
    statistics = FindingStatistics(outcomes)
    if (stored.images, stored.patients) != (len(outcomes.targets), statistics.num_patients):
        return False
    if tuple(stored.findings) != outcomes.findings or stored.means.over != statistics.in_means:
        return False
    for k, of in enumerate(stored.findings.values()):
        known = outcomes.of(k)
        counts = len(known.present), int(known.present.sum()), len(np.unique(known.patients))
        if (of.images, of.present, of.patients) != counts:
            return False
    values = finding_values_by_name(stored, outcomes.findings)
    return _values_agree(statistics, values, tolerance)


def _values_agree(statistics: Statistics, stored: Mapping[str, Measured], tolerance: float) -> bool:
    """Return whether stored values equal the computed values.

    A value from too few patients must be stored as None.
    """
    computed = statistics(np.ones((1, statistics.num_patients)))
    if not stored.keys() <= computed.keys():
        return False
    for name, measured in stored.items():
        value = float(computed[name][0])
        empty = math.isnan(value) or statistics.patients_behind(name) < FEWEST_PATIENTS
        if empty != (measured.value is None):
            return False
        if measured.value is not None and abs(value - measured.value) >= tolerance:
            return False
    return True


def _gaps_agree(
    gaps: Sequence[Gap],
    values: Mapping[str, Mapping[str, Measured]],
    names: Mapping[str, str],
    tolerance: float,
) -> bool:
    """Return whether each gap is the difference of the values of its two groups.

    Parameters
    ----------
    gaps : sequence of Gap
        Gaps of a column. A gap from too few patients has no value and is not checked.
    values : mapping
        Values of each group, by group and by name of the value.
    names : mapping
        For values that have another name in `values` than in `gaps`: the name in `gaps` to the name
        in `values`.
    tolerance : float
        Largest difference of two values that count as equal.
    """
    for gap in gaps:
        if gap.chance is None:
            continue
        name = names.get(gap.value, gap.value) + (f"/{gap.label}" if gap.label else "")
        ends = [values.get(group, {}).get(name) for group in (gap.best, gap.worst)]
        at = [measured.value for measured in ends if measured is not None]
        difference = gap.difference.value
        if len(at) < 2 or at[0] is None or at[1] is None or difference is None:
            return False
        if abs(at[0] - at[1] - difference) >= tolerance:
            return False
    return True
