"""Prediction of all sets of a run: its parts, new external sets, and external sets from before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models.evaluation.stored import kept_externals
from cxr_models.inference.predict_sets import predict_sets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cxr_models.evaluation.externals import External
    from cxr_models.evaluation.finding_predictions import AnyPredictions
    from cxr_models.runs.finished import FinishedRun


def predict_all_sets(
    run: FinishedRun,
    externals: Mapping[str, External],
    *,
    columns: Collection[str] = (),
    replace: bool = True,
    say: Callable[[str], object] | None = None,
    before_model: Callable[[], object] | None = None,
) -> list[AnyPredictions]:
    """Predict the parts of a run and new external sets, and add external sets predicted before.

    Parameters
    ----------
    run, externals, columns, replace, say, before_model
        See `cxr_models.inference.predict_sets.predict_sets`.

    Returns
    -------
    list of Predictions, or of FindingPredictions
        The sets in the order of `predict_sets`, then the external sets predicted before.

    Raises
    ------
    ValueError
        If stored predictions were changed, or the logits of the model are not finite.
    OSError
        If a file cannot be read.
    """
    sets = predict_sets(
        run, externals, columns=columns, replace=replace, say=say, before_model=before_model
    )
    stored = kept_externals(run, externals)
    if say is not None:
        for predictions in stored.sets:
            say(
                f"{predictions.name}: predicted before, and evaluated with the other sets, with "
                "the labels that it had then"
            )
        for table in stored.outdated:
            say(
                f"{table} is left out: the run's weights or settings have changed since. Predict "
                "its set again with --external"
            )
    return [*sets, *stored.sets]
