"""Values for clinical use of a run with findings, finding by finding.

The presence of a finding is compared with its absence, over the images with a known label. The
values are the same as for classes. This module imports no deep-learning framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.clinic import (
    SPECIFICITY_NOT_REACHED,
    OneAgainstRest,
    Reasons,
    values_of_one,
)
from cxr_models.evaluation.finding_statistics import NO_ABSENT, NO_PRESENT, NO_THRESHOLD
from cxr_models.evaluation.operating_points import NO_VALIDATION, lowest_at_specificity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxr_models.evaluation.clinic_results import ClinicValues
    from cxr_models.evaluation.finding_statistics import FindingOutcomes, KnownImages

    # A specificity, and the threshold of each finding that reaches it on the validation part.
    ThresholdsAtSpecificity = tuple[float, Mapping[str, float | None]]

OF_FINDINGS = Reasons(
    no_positive=NO_PRESENT,
    no_negative=NO_ABSENT,
    no_point=NO_THRESHOLD,
    separated="a threshold separates the images that show it from all others without error",
)


def thresholds_at_specificities(
    validation: FindingOutcomes | None, findings: Sequence[str], specificities: Sequence[float]
) -> list[ThresholdsAtSpecificity]:
    """Return each specificity with the lowest threshold of each finding that reaches it.

    Parameters
    ----------
    validation : FindingOutcomes or None
        The validation part, with the temperatures that were fitted on it. None without a
        validation part; all thresholds are then None.
    findings : sequence of str
        The findings.
    specificities : sequence of float
        Shares of the known images without a finding that must stay below the threshold.

    Returns
    -------
    list of (float, dict of str to float or None)
        A finding has None if no threshold reaches the specificity on the validation part.
    """
    if validation is None:
        return [(specificity, dict.fromkeys(findings)) for specificity in specificities]
    known = {finding: validation.of(k) for k, finding in enumerate(findings)}
    return [
        (
            specificity,
            {
                finding: lowest_at_specificity(images.calibrated, images.present, specificity)
                for finding, images in known.items()
            },
        )
        for specificity in specificities
    ]


def finding_clinic_values(
    outcomes: FindingOutcomes,
    *,
    prevalences: Sequence[float] = (),
    at_specificity: Sequence[ThresholdsAtSpecificity] = (),
    chosen: bool = True,
    draws: int,
    seed: int = 0,
) -> dict[str, ClinicValues]:
    """Return the clinical values of each finding, with intervals from the bootstrap over patients.

    Findings without a known label are left out.

    Parameters
    ----------
    outcomes : FindingOutcomes
        Images on which no threshold was chosen, with their temperatures and thresholds.
    prevalences : sequence of float, default ()
        Prevalences of the finding at which predictive values are computed. If empty, the share of
        the known images that show the finding is the prevalence.
    at_specificity : sequence of (float, mapping of str to float or None), default ()
        The result of `thresholds_at_specificities`.
    chosen : bool, default True
        Whether a validation part exists on which thresholds were chosen. False changes the reason
        that is recorded for a missing threshold in `at_specificity`.
    draws : int
        Number of bootstrap draws of the patients of known images.
    seed : int, default 0
        Seed of the bootstrap draws.
    """
    known = {finding: outcomes.of(k) for k, finding in enumerate(outcomes.findings)}
    return {
        finding: values_of_one(
            _against_absence(known[finding]),
            threshold=threshold,
            prevalences=prevalences,
            at_specificity=[(stated, thresholds[finding]) for stated, thresholds in at_specificity],
            reasons=OF_FINDINGS,
            no_threshold_reason=SPECIFICITY_NOT_REACHED if chosen else NO_VALIDATION,
            draws=draws,
            seed=seed,
        )
        for finding, threshold in zip(outcomes.findings, outcomes.thresholds, strict=True)
        if len(known[finding].present)
    }


def _against_absence(known: KnownImages) -> OneAgainstRest:
    return OneAgainstRest(
        positive=known.present,
        scores=known.calibrated,
        log_odds=known.scaled,
        patients=np.unique(known.patients, return_inverse=True)[1].astype(np.int64),
    )
