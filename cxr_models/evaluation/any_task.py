"""Evaluation of the sets of one run, for both tasks: classes and findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.evaluation.aggregate import aggregated_sets, outweighed_units
from cxr_models.evaluation.aggregate_findings import differing_units
from cxr_models.evaluation.evaluate import evaluate_sets
from cxr_models.evaluation.finding_predictions import FindingPredictions
from cxr_models.evaluation.finding_subgroups import with_finding_subgroups
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.predictions import Predictions
from cxr_models.evaluation.results import UNITS, Evaluation
from cxr_models.evaluation.subgroups import with_subgroups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.group_columns import GroupColumn
    from cxr_models.evaluation.results import Aggregation


def evaluate_any(
    name: str, sets: Iterable[AnyPredictions], method: Method
) -> Evaluation | FindingsEvaluation:
    """Evaluate the sets of a run.

    Parameters
    ----------
    name : str
        Name of the run.
    sets : iterable of Predictions or FindingPredictions
        The sets of the run, all with classes or all with findings.
    method : Method
        The settings of the evaluation.

    Raises
    ------
    ValueError
        If a run of this package has no set ``val``, or the images cannot be joined as
        ``method.aggregate`` requires.
    """
    of_findings, of_classes = by_kind(sets)
    if of_findings:
        return evaluate_findings(name, of_findings, method)
    return evaluate_sets(name, of_classes, method)


def with_any_subgroups(
    evaluation: Evaluation | FindingsEvaluation,
    sets: Iterable[AnyPredictions],
    columns: Sequence[GroupColumn],
    method: Method,
) -> Evaluation | FindingsEvaluation:
    """Return an evaluation with the values of groups of images added to its sets.

    Parameters
    ----------
    evaluation : Evaluation or FindingsEvaluation
        The evaluation of `sets`. It is returned unchanged if there are no columns.
    sets : iterable of Predictions or FindingPredictions
        The predictions from which `evaluation` was computed.
    columns : sequence of GroupColumn
        The columns whose values divide the images into groups.
    method : Method
        The settings of the evaluation.

    Raises
    ------
    ValueError
        If a column makes too many groups.
    """
    if not columns:
        return evaluation
    of_findings, of_classes = by_kind(sets)
    if isinstance(evaluation, Evaluation):
        return with_subgroups(evaluation, of_classes, columns, method)
    return with_finding_subgroups(evaluation, of_findings, columns, method)


def joined(
    sets: Iterable[AnyPredictions], aggregation: Aggregation | None
) -> Sequence[AnyPredictions]:
    """Return the sets with the images of each patient or study joined to one row.

    Parameters
    ----------
    sets : iterable of Predictions or FindingPredictions
        The sets, all with classes or all with findings.
    aggregation : Aggregation or None
        The unit and the rule that joins its images. None joins no images.

    Raises
    ------
    ValueError
        If the images cannot be joined; see
        `cxr_models.evaluation.aggregate.aggregated_sets`.
    """
    of_findings, of_classes = by_kind(sets)
    if of_findings:
        return aggregated_sets(of_findings, aggregation)
    return aggregated_sets(of_classes, aggregation)


def lines_on_joining(
    sets: Iterable[AnyPredictions], aggregation: Aggregation | None
) -> Iterator[str]:
    """Yield sentences that tell the user how joining changes labels and probabilities.

    Parameters
    ----------
    sets : iterable of Predictions or FindingPredictions
        Sets with a row for each image.
    aggregation : Aggregation or None
        The unit and the rule that joins its images. None yields no sentence.
    """
    if aggregation is None:
        return
    sets = list(sets)
    of_classes = by_kind(sets)[1]
    if of_classes and aggregation.by == "max":
        second = of_classes[0].class_names[1]
        yield (
            f"a {aggregation.of} has the highest probability of {second} among its images, and is "
            f"{second} if one of them is"
        )
    yield from differing_labels(sets, aggregation)
    for predictions in sets:
        count = outweighed_units(predictions, aggregation)
        if count:
            of = (
                f"1 {aggregation.of} has"
                if count == 1
                else f"{count:,} {UNITS[aggregation.of]} have"
            )
            yield (
                f"{predictions.name}: {of} a probability of 0 or 1 for some images, which "
                "outweighs their other images in the mean of logits; write more digits, or columns "
                "logit:NAME"
            )


def differing_labels(
    sets: Iterable[AnyPredictions], aggregation: Aggregation | None
) -> Iterator[str]:
    """Yield a sentence for each set in which the mean joins images with different labels.

    Only sets with findings are checked.

    Parameters
    ----------
    sets : iterable of Predictions or FindingPredictions
        Sets with a row for each image.
    aggregation : Aggregation or None
        The unit and the rule that joins its images. None or the maximum yields no sentence.
    """
    if aggregation is None or aggregation.by != "mean":
        return
    for predictions in by_kind(sets)[0]:
        counts = differing_units(predictions, aggregation)
        if counts:
            of = aggregation.of
            named = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            yield (
                f"{predictions.name}: images with a finding and without it are of one {of} "
                f"({named}); such a {of} counts as with it, and has the mean of all its images"
            )


def by_kind(
    sets: Iterable[AnyPredictions],
) -> tuple[list[FindingPredictions], list[Predictions]]:
    """Return two lists: the sets with findings, and the sets with classes."""
    sets = list(sets)
    return (
        [predictions for predictions in sets if isinstance(predictions, FindingPredictions)],
        [predictions for predictions in sets if isinstance(predictions, Predictions)],
    )
