"""Reading of the robustness of a run: its predictions for changed images.

The module raises an error if a file belongs to another run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cxr_models._typed_json import from_json, read_object
from cxr_models.audit.findings_results import FindingsRobustness
from cxr_models.audit.results import ROBUSTNESS_FORMAT, Robustness

if TYPE_CHECKING:
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.results import Evaluation
    from cxr_models.runs.facts import RunFacts
    from cxr_models.runs.folder import RunFolder

R = TypeVar("R", Robustness, FindingsRobustness)


def read_robustness(
    folder: RunFolder, facts: RunFacts, evaluation: Evaluation
) -> Robustness | None:
    """Read the robustness of a run; return None if the run was not tested on changed images.

    Raises
    ------
    ValueError
        If the file has other content, or belongs to another split, other classes or other weights.
    OSError
        If the file cannot be read.
    """
    stored = _stored(folder)
    if stored is None:
        return None
    robustness = _parsed(Robustness, stored, folder)
    if (robustness.split_sha256, robustness.classes, robustness.weights_sha256) != (
        facts.split_sha256,
        evaluation.class_names,
        evaluation.weights_sha256,
    ):
        raise _of_others(folder, "classes")
    return robustness


def read_finding_robustness(
    folder: RunFolder, facts: RunFacts, evaluation: FindingsEvaluation
) -> FindingsRobustness | None:
    """Read the robustness of a run with several findings, with the errors of `read_robustness`."""
    stored = _stored(folder)
    if stored is None:
        return None
    robustness = _parsed(FindingsRobustness, stored, folder)
    areas = (robustness.unperturbed, *robustness.perturbed)
    areas += tuple(row.differences for row in robustness.perturbed)
    if any(tuple(one.roc_auc) != evaluation.findings for one in areas) or (
        robustness.split_sha256,
        robustness.findings,
        robustness.weights_sha256,
    ) != (facts.split_sha256, evaluation.findings, evaluation.weights_sha256):
        raise _of_others(folder, "findings")
    return robustness


def _stored(folder: RunFolder) -> dict[str, object] | None:
    """Return the content of the robustness file of a run; None if there is no such file."""
    path = folder.robustness_file
    if not path.is_file():
        return None
    stored = read_object(path)
    if stored.get("format") != ROBUSTNESS_FORMAT:
        raise ValueError(
            f"`{path.name}` must be of format {ROBUSTNESS_FORMAT}; got format "
            f"{stored.get('format')!r} in {str(path)!r}. {_cure(folder)}"
        )
    return stored


def _parsed(kind: type[R], stored: dict[str, object], folder: RunFolder) -> R:
    path = folder.robustness_file
    try:
        return from_json(kind, stored)
    except ValueError as error:
        raise ValueError(
            f"`{path.name}` must be as cxr-models wrote it; got {str(path)!r}, where {error}. "
            f"{_cure(folder)}"
        ) from error


def _of_others(folder: RunFolder, outputs: str) -> ValueError:
    path = folder.robustness_file
    return ValueError(
        f"`{path.name}` must be of the run's split, {outputs} and weights; got {str(path)!r}, "
        f"which belongs to others. {_cure(folder)}"
    )


def _cure(folder: RunFolder) -> str:
    return f"Make it again: cxr-models audit SPLIT --run {folder.path} --perturb."
