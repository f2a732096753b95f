"""Check that the values of groups of images are those of the set's table."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.bootstrap import FEWEST_PATIENTS
from cxr_models.evaluation.evaluate import select
from cxr_models.evaluation.group_columns import GroupColumn
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.stored import with_split_columns
from cxr_models.report.read.values import values_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.evaluation.results import Gap, Group, SetEvaluation, Subgroups
    from cxr_models.records.manifest import Record

_NAMES = {"sensitivity": "point_sensitivity", "specificity": "point_specificity"}


def subgroups_agree(
    path: Path,
    predictions: Predictions,
    outcomes: Outcomes,
    stored: SetEvaluation,
    tolerance: float,
) -> bool:
    """Return whether stored values of groups equal those of the table; intervals are not checked.

    Parameters
    ----------
    path : Path
        Folder of the run; its split states columns that older tables lack.
    predictions : Predictions
        The set, as its table holds it.
    outcomes : Outcomes
        Its outcomes, with the stored temperature and thresholds.
    stored : SetEvaluation
        The stored values of the set.
    tolerance : float
        Largest difference of two equal values.
    """
    try:
        columns = [GroupColumn(name=by.column, edges=by.edges) for by in stored.subgroups]
        (whole,) = with_split_columns(path, [predictions], columns) if columns else (predictions,)
        return all(
            _column_agrees(whole.manifest.records, outcomes, column, by, tolerance)
            for column, by in zip(columns, stored.subgroups, strict=True)
        )
    except ValueError:  # a column that nobody could have asked for
        return False


def _column_agrees(
    records: Sequence[Record],
    outcomes: Outcomes,
    column: GroupColumn,
    stored: Subgroups,
    tolerance: float,
) -> bool:
    names, places = column.groups(records)
    if tuple(stored.groups) != names:
        return False
    for place, name in enumerate(names):
        chosen = np.flatnonzero(places == place)
        group = stored.groups[name]
        if group.labels != dict(Counter(records[row].label for row in chosen.tolist())):
            return False
        if not _group_agrees(select(outcomes, chosen), group, tolerance):
            return False
    return all(
        gap.chance is None or _gap_agrees(gap, stored.groups, tolerance) for gap in stored.gaps
    )


def _group_agrees(outcomes: Outcomes, stored: Group, tolerance: float) -> bool:
    statistics = ImageStatistics(outcomes)
    if (stored.images, stored.patients) != (len(outcomes.targets), statistics.num_patients):
        return False
    if tuple(stored.classes) != outcomes.class_names:
        return False
    computed = statistics(np.ones((1, statistics.num_patients)))
    stored_values = values_by_name(stored, outcomes.class_names)
    if not stored_values.keys() <= computed.keys():
        return False
    for name, measured in stored_values.items():
        value = float(computed[name][0])
        empty = math.isnan(value) or statistics.patients_behind(name) < FEWEST_PATIENTS
        if empty != (measured.value is None):
            return False
        if measured.value is not None and abs(value - measured.value) >= tolerance:
            return False
    return True


def _gap_agrees(gap: Gap, groups: Mapping[str, Group], tolerance: float) -> bool:
    """Return whether a gap is the difference of the values of its two groups."""
    name = _NAMES.get(gap.value, gap.value) + (f"/{gap.label}" if gap.label else "")
    ends = []
    for group in (gap.best, gap.worst):
        measured = None
        if group in groups:
            measured = values_by_name(groups[group], groups[group].classes).get(name)
        if measured is None or measured.value is None:
            return False
        ends.append(measured.value)
    difference = gap.difference.value
    return difference is not None and abs(ends[0] - ends[1] - difference) < tolerance
