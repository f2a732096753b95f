"""Checks that findings can be learned from a split, and weights of their positives.

This module imports no framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_models.inputs.targets import check_findings, finding_targets

if TYPE_CHECKING:
    import numpy.typing as npt

    from cxr_models.config import ModelConfig, RunConfig
    from cxr_models.inputs.targets import FindingTargets, Targets
    from cxr_models.records.splits import Split

LARGEST_WEIGHT = 20.0  # of a positive; limits the influence of a few images on a step


def check_known(split: Split, model: ModelConfig) -> None:
    """Raise ValueError unless train has known values of every finding, and val of at least one."""
    check_findings(split.manifest, model.findings)
    known = {
        part: finding_targets(split.select(part), model.findings, model.uncertain) >= 0
        for part in ("train", "val")
    }
    unknown = [
        name
        for name, column in zip(model.findings, known["train"].T, strict=True)
        if not column.any()
    ]
    if unknown:
        raise ValueError(
            f"`findings` must be known for images of train; got {', '.join(unknown)}, unknown for "
            "all of them. Leave out what is unknown, or say with --uncertain what uncertain "
            "findings count as."
        )
    if not known["val"].any():
        raise ValueError(
            "`split` must have images in val for which a finding is known; got none, so that no "
            "epoch is better than another. Make a split with: cxr-models split "
            "--stratify-findings"
        )


def positive_weights(targets: Targets | FindingTargets) -> npt.NDArray[np.float64]:
    """Return the weight of the positives of each finding that balances its negatives.

    Parameters
    ----------
    targets : ndarray of shape (N, K)
        Targets of train, from `finding_targets`.

    Returns
    -------
    ndarray of shape (K,), dtype float64
        Number of known negatives divided by number of known positives. 1 if either number is 0.
    """
    positives, negatives = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
    both = (positives > 0) & (negatives > 0)
    return np.where(both, negatives / np.maximum(positives, 1), 1.0)


def weights_of_positives(config: RunConfig, targets: Targets) -> list[float] | None:
    """Return the weight of the positives of each finding, at most `LARGEST_WEIGHT`.

    The result is None if the run does not use positive weights; all labels then have weight 1.
    """
    if not config.training.positive_weights:
        return None
    weights: list[float] = np.minimum(positive_weights(targets), LARGEST_WEIGHT).tolist()
    return weights


def lines_on_findings(config: RunConfig, targets: Targets) -> list[str]:
    """Return lines about findings that cannot be learned, and about weights that were limited.

    A finding without positives or without negatives in train cannot be learned.
    """
    lines = []
    weights = positive_weights(targets)
    for name, column, weight in zip(config.model.findings, targets.T, weights, strict=True):
        lines += [
            f"train has no image with {name} {state}, which cannot be learned"
            for value, state in ((1, "present"), (0, "absent"))
            if not (column == value).any()
        ]
        if config.training.positive_weights and weight > LARGEST_WEIGHT:
            lines.append(
                f"a positive of {name} weighs as much as {LARGEST_WEIGHT:g} negatives, the most "
                f"allowed; train has {weight:.0f} negatives for each"
            )
    return lines
