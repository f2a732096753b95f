"""What a clinic would ask of a run with several findings: of each finding what is asked of a class.

Knows no framework. A finding stands against its absence, over the images whose label is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_models.evaluation.clinic import NO_CUT, OneAgainstRest, Reasons, values_of_one
from cxr_models.evaluation.finding_statistics import NO_ABSENT, NO_PRESENT, NO_THRESHOLD
from cxr_models.evaluation.operating_points import NO_VALIDATION, lowest_at_specificity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxr_models.evaluation.clinic_results import ClinicValues
    from cxr_models.evaluation.finding_statistics import FindingOutcomes, KnownImages

    # A specificity, and for each finding the threshold that reaches it on validation.
    Cut = tuple[float, Mapping[str, float | None]]

OF_FINDINGS = Reasons(
    no_positive=NO_PRESENT,
    no_negative=NO_ABSENT,
    no_point=NO_THRESHOLD,
    separated="a threshold separates the images that show it from all others without error",
)


def finding_cuts(
    validation: FindingOutcomes | None, findings: Sequence[str], specificities: Sequence[float]
) -> list[Cut]:
    """Return specificities and the lowest thresholds that reach them on validation.

    Parameters
    ----------
    validation : FindingOutcomes or None
        The validation part, with the temperatures that were fitted on it; None without that part,
        which gives no finding a threshold.
    findings : sequence of str
        The findings.
    specificities : sequence of float
        Shares of the known images without a finding that must stay below its threshold.
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
    at_specificity: Sequence[Cut] = (),
    chosen: bool = True,
    draws: int,
    seed: int = 0,
) -> dict[str, ClinicValues]:
    """Return the values of each finding that has a known label, with intervals over patients.

    Parameters
    ----------
    outcomes : FindingOutcomes
        Images that no threshold was chosen on, with temperatures and thresholds.
    prevalences : sequence of float, default ()
        Shares of the finding for which predictive values are given; without any, its share of the
        known images of the set.
    at_specificity : sequence of (float, mapping of str to float or None), default ()
        What `finding_cuts` returns.
    chosen : bool, default True
        Whether there is a validation part to choose thresholds on.
    draws : int
        Number of draws of the bootstrap over patients of known images.
    seed : int, default 0
        Of the draws.
    """
    known = {finding: outcomes.of(k) for k, finding in enumerate(outcomes.findings)}
    return {
        finding: values_of_one(
            _against_absence(known[finding]),
            threshold=threshold,
            prevalences=prevalences,
            at_specificity=[(stated, cuts[finding]) for stated, cuts in at_specificity],
            reasons=OF_FINDINGS,
            no_cut=NO_CUT if chosen else NO_VALIDATION,
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
