"""What `cxr_models.evaluate_predictions` returns.

Knows neither how values are computed nor how they are shown.
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
    """What tables of predictions are worth, by the name of each model.

    Parameters
    ----------
    evaluations : dict of str to Evaluation or FindingsEvaluation
        The values of each model, by set.
    remarks : dict of str to tuple of str
        What was assumed of each table, and why a model was not audited.
    audits : dict of str to Audit or FindingsAudit
        What models reach that see no lungs; of models whose images were given.
    several : SeveralRuns, SeveralFindingRuns or None
        The comparisons of several models; None of one model.
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
