"""Records of an evaluation of findings, in ``evaluation.json`` a `FindingsEvaluation`.

Knows neither how values are computed nor how they are shown.
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

MULTILABEL: Final = "multilabel"  # the task; the key `task` of an evaluation of classes is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingValues:
    """The values of one finding over the images whose label for it is known."""

    images: int  # whose label is known
    present: int  # of these images, those that show the finding
    patients: int  # of these images
    patients_present: int  # patients of an image that shows the finding
    patients_absent: int  # patients of an image that does not
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
    """Means over findings, each of which counts the same; the same draws give all intervals."""

    over: tuple[str, ...]  # the findings of enough patients with and without them
    left_out: dict[str, str]  # the other findings, and why
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
    """The values of a group of images: a set, or a source or view in a set.

    Images are counted, or what they were joined to where the evaluation states an aggregation.
    """

    images: int
    patients: int
    means: FindingMeans
    findings: dict[str, FindingValues]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSubgroups(ColumnGaps):
    """The values of findings in each group that a column makes, and the gaps between groups."""

    FIRST: ClassVar[tuple[str, ...]] = ("column", "edges", "groups")

    groups: dict[str, FindingsGroup]  # values of fewer than 10 patients are empty


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsSet(FindingsGroup):
    """The values of a set."""

    FIRST: ClassVar[tuple[str, ...]] = ("kind", "overlap")

    kind: Kind
    overlap: Overlap | None = None  # None if the images were not compared with seen images
    # number of the images that were joined; None where every image is a row of its own
    joined_images: int | None = None
    curves: dict[str, Curves]  # of findings that some, but not all, known images show
    # of findings with a known image; the bins hold the mean probability and the share present
    reliability: dict[str, Reliability]
    # of findings with a known image; None for train and val, and in files of versions that did not
    # compute them
    clinic: dict[str, ClinicValues] | None = None
    by_source: dict[str, FindingsGroup]
    by_view: dict[str, FindingsGroup]
    subgroups: tuple[FindingSubgroups, ...] = ()  # by the columns that were asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsEvaluation(Rows):
    """The values of all sets of a run with several findings; every set has values of each."""

    run: str
    version: str
    weights_sha256: str
    format: int
    task: Literal["multilabel"]
    findings: tuple[str, ...]
    bootstrap: Bootstrap
    remarks: tuple[str, ...] = ()  # on what was assumed of the table of a model of others
    aggregate: Aggregation | None = None  # None where every image is a row of its own
    calibration: dict[str, TemperatureScaling]  # of each finding
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
    """Two runs on the known images of one finding; differences are first minus second."""

    images: int
    present: int
    # of DeLong's test, adjusted for all findings of all pairs of runs on the set
    p_holm: float | None = field(default=None, metadata=WRITTEN)
    pr_auc: Measured
    brier: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsComparison:
    """Two runs on the same images; a difference is the first run's value minus the second's."""

    first: str
    second: str
    images: int
    over: tuple[str, ...]  # the findings of the means
    mean_roc_auc: Measured
    mean_pr_auc: Measured
    mean_brier: Measured
    findings: dict[str, FindingDifference]
    set: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledFindings(FindingsGroup):
    """The test images of several runs as one set, each predicted by the run it was left out of.

    Logits are divided by the temperatures of their run, so that values before and after temperature
    scaling are equal; operating points differ from run to run and are left out.
    """

    runs: dict[str, FindingsGroup]  # each run on its own test images


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedOrPooledFindings:
    """Either the comparisons of runs with findings or their pooled values."""

    comparisons: tuple[FindingsComparison, ...] | None = None
    pooled: PooledFindings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralFindingRuns(ComparedOrPooledFindings):
    """The evaluations, the differing settings, and the comparisons or pooled values of runs."""

    FIRST: ClassVar[tuple[str, ...]] = ("runs", "differ")

    runs: dict[str, FindingsEvaluation]
    differ: dict[str, dict[str, object]]
    seeds: tuple[SeedSpread, ...] = ()  # of groups of runs that differ in the seed alone
