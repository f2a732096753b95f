"""The record of results that `cxr_models.evaluate_predictions` returns.

This module computes no values and formats no values for display.
"""

from __future__ import annotations

from dataclasses import dataclass

from cxr_models.audit.findings_results import FindingsAudit
from cxr_models.audit.results import Audit
from cxr_models.evaluation.comparisons import SeveralRuns
from cxr_models.evaluation.findings_results import FindingsEvaluation, SeveralFindingRuns
from cxr_models.evaluation.results import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedPredictions:
    """The results of third-party models, by the name of each model.

    Parameters
    ----------
    evaluations : dict of str to Evaluation or FindingsEvaluation
        The values of each model.
    remarks : dict of str to tuple of str
        For each model, the assumptions about its table and the reason for no audit.
    audits : dict of str to Audit or FindingsAudit
        For each audited model, the values of shortcuts, which cannot see the lungs. Models without
        images are not audited.
    several : SeveralRuns, SeveralFindingRuns or None
        The comparison of several models; None for a single model.
    """

    evaluations: dict[str, Evaluation | FindingsEvaluation]
    remarks: dict[str, tuple[str, ...]]
    audits: dict[str, Audit | FindingsAudit]
    several: SeveralRuns | SeveralFindingRuns | None = None

    @property
    def evaluation(self) -> Evaluation | FindingsEvaluation:
        """The values of the only model.

        Raises
        ------
        ValueError
            If there are several models.
        """
        if len(self.evaluations) > 1:
            raise ValueError(
                f"`evaluation` is only allowed with one model; got {', '.join(self.evaluations)}. "
                f"Take evaluations[{next(iter(self.evaluations))!r}]."
            )
        return next(iter(self.evaluations.values()))
