"""Records of comparisons of runs, and records of pooled runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cxr_models._typed_json import WRITTEN
from cxr_models.evaluation.results import (
    ClassValues,
    Confusion,
    Evaluation,
    Interval,
    Measured,
    Overall,
    OverallCalibrated,
)
from cxr_models.evaluation.seeds_results import SeedSpread


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Numbers of images that two runs predict correctly, and the two-sided p-value of the test."""

    both_right: int
    only_first: int  # number of images that only the first run predicts correctly
    only_second: int  # number of images that only the second run predicts correctly
    both_wrong: int
    p_value: float
    # p-value, adjusted by Holm's method for all pairs of runs on the set; None for one pair
    p_holm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaTest:
    """DeLong's two-sided test of the difference between two areas under the ROC curve."""

    areas: tuple[float, float] | None = field(default=None, metadata=WRITTEN)
    difference: float | None = field(default=None, metadata=WRITTEN)
    standard_error: float | None = field(default=None, metadata=WRITTEN)
    z: float | None = field(default=None, metadata=WRITTEN)
    p_value: float | None = field(default=None, metadata=WRITTEN)
    reason: str = ""  # why values are None


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaDifference(AreaTest):
    """DeLong's test of a difference, and the interval of the difference from the bootstrap."""

    interval: Interval | None
    remark: str = ""
    # p-value, adjusted by Holm's method for all pairs and classes; None for a single test
    p_holm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The comparison of two runs on the same images.

    Each difference is the value of the first run minus the value of the second run.
    """

    first: str
    second: str
    images: int
    mcnemar: McNemar
    accuracy: Measured
    balanced_accuracy: Measured
    roc_auc: dict[str, AreaDifference]
    set: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledRun(OverallCalibrated):
    """The values of one run on its own test images, which are a part of the pooled images."""

    FIRST: ClassVar[tuple[str, ...]] = ("images", "patients")

    images: int
    patients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """The values of the test images of several runs, pooled to one set."""

    of: str = ""  # description of the pooled images; empty if all test images are pooled
    images: int
    patients: int
    labels: dict[str, int]
    overall: Overall
    classes: dict[str, ClassValues]
    confusion: Confusion
    runs: dict[str, PooledRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedOrPooled:
    """Either the comparisons of runs or the pooled values of these runs."""

    comparisons: tuple[Comparison, ...] | None = None
    pooled: Pooled | None = None
    left_out: tuple[str, ...] = ()  # sentences on sets of runs that are not compared


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralRuns(ComparedOrPooled):
    """The evaluations, the differing settings, and the comparisons or pooled values of runs.

    Runs that differ only in the seed also have the spread of their values on each set.
    """

    FIRST: ClassVar[tuple[str, ...]] = ("runs", "differ")

    runs: dict[str, Evaluation]
    differ: dict[str, dict[str, object]]
    seeds: tuple[SeedSpread, ...] = ()
