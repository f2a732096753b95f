"""The values of groups of images, such as women and men, and the gaps between the groups.

The temperature and the operating points are those of the evaluation. A gap is the value of the best
group minus the value of the worst group; `subgroup_gaps` computes it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cxr_models.evaluation.bootstrap import measure
from cxr_models.evaluation.evaluate import group_of, select
from cxr_models.evaluation.finding_predictions import FindingPredictions
from cxr_models.evaluation.group_columns import check_columns
from cxr_models.evaluation.metrics import ImageStatistics
from cxr_models.evaluation.results import NOT_STATED, Subgroups
from cxr_models.evaluation.subgroup_gaps import GapName, GroupMeasurements, gaps_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.bootstrap import Measurement
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.group_columns import GroupColumn
    from cxr_models.evaluation.metrics import Outcomes
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.evaluation.results import Evaluation, GapValue
    from cxr_models.records.manifest import Record

    Ints = npt.NDArray[np.int64]

P = TypeVar("P", bound="AnyPredictions")
_TESTED = ("test", "external")  # kinds of sets on which the model was neither trained nor chosen
# pairs of the name of a value in gaps and its name in `ImageStatistics`
_OVERALL: tuple[tuple[GapValue, str], ...] = (
    ("accuracy", "accuracy"),
    ("macro_roc_auc", "macro_roc_auc"),
)
_OF_CLASS: tuple[tuple[GapValue, str], ...] = (
    ("roc_auc", "roc_auc"),
    ("sensitivity", "point_sensitivity"),
    ("specificity", "point_specificity"),
)


def with_subgroups(
    evaluation: Evaluation,
    sets: Iterable[Predictions],
    columns: Sequence[GroupColumn],
    method: Method,
) -> Evaluation:
    """Return an evaluation with the values of groups added to each tested set.

    Parameters
    ----------
    evaluation : Evaluation
        The evaluation of `sets`.
    sets : iterable of Predictions
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
        outcomes = predictions.outcomes(
            temperature=evaluation.calibration.temperature,
            thresholds=tuple(thresholds[name] for name in evaluation.class_names),
        )
        values[predictions.name] = dataclasses.replace(
            values[predictions.name],
            subgroups=subgroups_of(predictions, outcomes, columns, method),
        )
    return dataclasses.replace(evaluation, sets=values)


def check_columns_of_sets(
    columns: Sequence[GroupColumn], sets: Iterable[AnyPredictions], *, cure: str = ""
) -> None:
    """Check that columns have values and can divide the images of the tested sets into groups.

    Parameters
    ----------
    columns : sequence of GroupColumn
        The columns.
    sets : iterable of Predictions or FindingPredictions
        All sets; only the tested ones are used.
    cure : str, default ""
        A sentence that is added to the error message if a column has no values.

    Raises
    ------
    ValueError
        If `check_columns` rejects a column.
    """
    check_columns(columns, [records_of(predictions) for predictions in tested(sets)], cure=cure)


def lines_on_unstated(
    sets: Iterable[AnyPredictions], columns: Sequence[GroupColumn]
) -> Iterator[str]:
    """Yield a sentence for each tested set and each column that has no value in this set."""
    for predictions in tested(sets):
        records = records_of(predictions)
        for column in columns:
            if not column.is_stated(records):
                yield (
                    f"{predictions.name}: no image states {column.name}, so the set has no groups "
                    "by it"
                )


def records_of(predictions: AnyPredictions) -> tuple[Record, ...]:
    """Return the records of a set, from which groups are made.

    The findings in the records of `FindingPredictions` are the evaluated labels, in which uncertain
    findings are unknown.
    """
    if isinstance(predictions, FindingPredictions):
        return predictions.stated_records
    return predictions.manifest.records


def subgroups_of(
    predictions: Predictions,
    outcomes: Outcomes,
    columns: Sequence[GroupColumn],
    method: Method,
) -> tuple[Subgroups, ...]:
    """Return the values of the groups that columns make in one set.

    Parameters
    ----------
    predictions : Predictions
        The set. Only its records are used.
    outcomes : Outcomes
        The outcomes of all images of the set.
    columns : sequence of GroupColumn
        The columns. A column without a value in the set is left out.
    method : Method
        The settings of the evaluation.
    """
    stated = [column for column in columns if column.is_stated(predictions.manifest.records)]
    return tuple(_of_column(predictions, outcomes, column, method) for column in stated)


def _of_column(
    predictions: Predictions, outcomes: Outcomes, column: GroupColumn, method: Method
) -> Subgroups:
    names, places = column.groups(predictions.manifest.records)
    groups, measurements = {}, {}
    for place, name in enumerate(names):
        chosen = np.flatnonzero(places == place)
        part = select(outcomes, chosen)
        measurement = measure(ImageStatistics(part), draws=method.draws, seed=method.seed)
        measurement = dataclasses.replace(measurement, hides_few=True)
        groups[name] = group_of(predictions, part, measurement, chosen)
        if name != NOT_STATED:
            measurements[place] = measurement
    measured = class_measurements(outcomes, places, names, measurements)
    return Subgroups(
        column=column.name,
        edges=column.edges,
        groups=groups,
        gaps=tuple(gaps_between(measured, method)),
    )


def class_measurements(
    outcomes: Outcomes, places: Ints, names: tuple[str, ...], measurements: dict[int, Measurement]
) -> GroupMeasurements:
    """Return the input of `gaps_between` for predictions of classes.

    Parameters
    ----------
    outcomes : Outcomes
        The outcomes of all N images of the set.
    places : ndarray of shape (N,), dtype int64
        Number of each image's group.
    names : tuple of str
        The names of all groups.
    measurements : dict of int to Measurement
        For the number of each compared group, the measurement of its `ImageStatistics`.
    """

    def statistics(rows: Ints, patients: Ints) -> ImageStatistics:
        return ImageStatistics(dataclasses.replace(select(outcomes, rows), patients=patients))

    values = [GapName(value, "", name) for value, name in _OVERALL]
    for k, label in enumerate(outcomes.class_names):
        has_point = bool(outcomes.thresholds) and outcomes.thresholds[k] is not None
        values += [
            GapName(value, label, f"{name}/{label}")
            for value, name in _OF_CLASS
            if has_point or value == "roc_auc"
        ]
    return GroupMeasurements(
        targets=outcomes.targets,
        patients=outcomes.patients,
        places=places,
        statistics=statistics,
        values=values,
        names=names,
        measurements=measurements,
    )


def tested(sets: Iterable[P]) -> Iterator[P]:
    """Yield the sets on which the model was neither trained nor chosen."""
    return (predictions for predictions in sets if predictions.kind in _TESTED)
