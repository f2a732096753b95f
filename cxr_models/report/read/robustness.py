"""Read what a run made of changed images; refuse what is of another run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._typed_json import from_json, read_object
from cxr_models.audit.results import ROBUSTNESS_FORMAT, Robustness

if TYPE_CHECKING:
    from cxr_models.evaluation.results import Evaluation
    from cxr_models.runs.facts import RunFacts
    from cxr_models.runs.folder import RunFolder


def read_robustness(
    folder: RunFolder, facts: RunFacts, evaluation: Evaluation
) -> Robustness | None:
    """Read what a run made of changed images; None if it was not tested on them.

    Raises
    ------
    ValueError
        If the file holds something else, or is of another split, other classes or other weights.
    OSError
        If the file cannot be read.
    """
    path = folder.robustness_file
    if not path.is_file():
        return None
    cure = f"Make it again: cxr-models audit SPLIT --run {folder.path} --perturb."
    stored = read_object(path)
    if stored.get("format") != ROBUSTNESS_FORMAT:
        raise ValueError(
            f"`{path.name}` must be of format {ROBUSTNESS_FORMAT}; got format "
            f"{stored.get('format')!r} in {str(path)!r}. {cure}"
        )
    try:
        robustness = from_json(Robustness, stored)
    except ValueError as error:
        raise ValueError(
            f"`{path.name}` must be as cxr-models wrote it; got {str(path)!r}, where {error}. "
            f"{cure}"
        ) from error
    if (robustness.split_sha256, robustness.classes, robustness.weights_sha256) != (
        facts.split_sha256,
        evaluation.class_names,
        evaluation.weights_sha256,
    ):
        raise ValueError(
            f"`{path.name}` must be of the run's split, classes and weights; got {str(path)!r}, "
            f"which is of others. {cure}"
        )
    return robustness
