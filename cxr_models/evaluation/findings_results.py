"""Records of an evaluation of findings; ``evaluation.json`` holds one `FindingsEvaluation`.

This module computes no values and formats no values for display.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from cxr_models._typed_json import WRITTEN
from cxr_models.evaluation.clinic_results import ClinicValues
from cxr_models.evaluation.comparisons import AreaDifference
from cxr_models.evaluation.results import (
    Aggregation,
    Bootstrap,
    ColumnGaps,
    Curves,
    Kind,
    Measured,
    OperatingPoint,
    OperatingPoints,
    Reliability,
    Rows,
    TemperatureScaling,
    Titled,
)
from cxr_models.evaluation.seeds_results import SeedSpread
from cxr_models.records.overlap import Overlap

# Value of the key `task`. An evaluation of classes has no key `task`.
MULTILABEL: Final = "multilabel"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingValues:
    """The values of one finding over the images whose label for it is known."""

    images: int  # number of images with a known label
    present: int  # number of these images that show the finding
    patients: int  # number of patients of these images
    patients_present: int  # number of patients with an image that shows the finding
    patients_absent: int  # number of patients with an image that does not show the finding
    roc_auc: Measured
    pr_auc: Measured
    brier: Measured
    brier_calibrated: Measured
    log_loss: Measured
    log_loss_calibrated: Measured
    ece: Measured
    ece_calibrated: Measured
    operating_point: OperatingPoint

    def titled(self) -> Titled:
        """Return the values and their titles, in the order in which they are shown."""
        return (
            ("ROC-AUC", self.roc_auc),
            ("PR-AUC", self.pr_auc),
            ("Brier score", self.brier),
            ("Brier score, calibrated", self.brier_calibrated),
            ("log loss", self.log_loss),
            ("log loss, calibrated", self.log_loss_calibrated),
            ("calibration error", self.ece),
            ("calibration error, calibrated", self.ece_calibrated),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingMeans:
    """Unweighted means over findings; the same bootstrap draws give all intervals."""

    over: tuple[str, ...]  # the findings with enough patients who show and who lack them
    left_out: dict[str, str]  # each other finding and the reason why it is left out
    roc_auc: Measured
    pr_auc: Measured
    brier: Measured
    brier_calibrated: Measured

    def titled(self) -> Titled:
        """Return the means and their titles, in the order in which they are shown."""
        return (
            ("ROC-AUC", self.roc_auc),
            ("PR-AUC", self.pr_auc),
            ("Brier score", self.brier),
            ("Brier score, calibrated", self.brier_calibrated),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsGroup:
    """The values of a group of images: a set, or one source, view or subgroup in a set.

    If the evaluation has an aggregation, each joined patient or study counts as one image.
    """

    images: int
    patients: int
    means: FindingMeans
    findings: dict[str, FindingValues]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSubgroups(ColumnGaps):
    """The values of findings in each group that a column makes, and the gaps between groups."""

    FIRST: ClassVar[tuple[str, ...]] = ("column", "edges", "groups")

    groups: dict[str, FindingsGroup]  # a value from fewer than 10 patients is left empty


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsSet(FindingsGroup):
    """The values of a set of images."""

    FIRST: ClassVar[tuple[str, ...]] = ("kind", "overlap")

    kind: Kind
    # None if the images were not compared with the images that the model has seen
    overlap: Overlap | None = None
    # number of images before they were joined to rows; None if every image is its own row
    joined_images: int | None = None
    # curves of each finding that has known images with it and known images without it
    curves: dict[str, Curves]
    # bins of each finding with a known image: mean probability and share of images that show it
    reliability: dict[str, Reliability]
    # values of each finding with a known image; None for train and val, and in files of versions
    # without these values
    clinic: dict[str, ClinicValues] | None = None
    by_source: dict[str, FindingsGroup]
    by_view: dict[str, FindingsGroup]
    subgroups: tuple[FindingSubgroups, ...] = ()  # one for each requested column


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsEvaluation(Rows):
    """The values of all sets of a run with findings; every set has values of every finding."""

    run: str
    version: str  # version of the library that computed the values
    weights_sha256: str
    format: int
    task: Literal["multilabel"]
    findings: tuple[str, ...]
    bootstrap: Bootstrap
    remarks: tuple[str, ...] = ()  # assumptions about the table of a third-party model
    aggregate: Aggregation | None = None  # None if every image is its own row
    calibration: dict[str, TemperatureScaling]  # temperature of each finding
    operating_points: OperatingPoints
    sets: dict[str, FindingsSet]

    def __post_init__(self) -> None:
        for finding in self.findings:
            if finding not in self.calibration:
                raise ValueError(f"calibration.{finding} is missing")
            if finding not in self.operating_points.thresholds:
                raise ValueError(f"operating_points.thresholds.{finding} is missing")
            for name, values in self.sets.items():
                if finding not in values.findings:
                    raise ValueError(f"sets.{name}.findings.{finding} is missing")

    @property
    def temperatures(self) -> dict[str, float]:
        """The temperature of each finding."""
        return {name: self.calibration[name].temperature for name in self.findings}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDifference(AreaDifference):
    """The comparison of two runs on one finding, over the images with a known label.

    Each difference is the value of the first run minus the value of the second run.
    """

    images: int  # number of images with a known label
    present: int  # number of these images that show the finding
    # p-value of DeLong's test, adjusted by Holm's method for all findings of all pairs of runs
    p_holm: float | None = field(default=None, metadata=WRITTEN)
    pr_auc: Measured
    brier: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsComparison:
    """The comparison of two runs on the same images.

    Each difference is the value of the first run minus the value of the second run.
    """

    first: str  # name of the first run
    second: str  # name of the second run
    images: int
    over: tuple[str, ...]  # the findings over which means are taken
    mean_roc_auc: Measured
    mean_pr_auc: Measured
    mean_brier: Measured
    findings: dict[str, FindingDifference]
    set: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledFindings(FindingsGroup):
    """The values of the test images of several runs, pooled to one set.

    Each run predicts its own test images. The logits are divided by the temperatures of their run,
    so values before and after temperature scaling are equal. Operating points differ from run to
    run and are left out.
    """

    runs: dict[str, FindingsGroup]  # each run on its own test images


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedOrPooledFindings:
    """Either the comparisons of runs with findings or the pooled values of these runs."""

    comparisons: tuple[FindingsComparison, ...] | None = None
    pooled: PooledFindings | None = None
    left_out: tuple[str, ...] = ()  # sentences on sets of runs that are not compared


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralFindingRuns(ComparedOrPooledFindings):
    """The evaluations, the differing settings, and the comparisons or pooled values of runs."""

    FIRST: ClassVar[tuple[str, ...]] = ("runs", "differ")

    runs: dict[str, FindingsEvaluation]
    differ: dict[str, dict[str, object]]
    seeds: tuple[SeedSpread, ...] = ()  # one for each group of runs that differ only in the seed
