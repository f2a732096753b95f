"""Records of an evaluation of classes; ``evaluation.json`` holds one `Evaluation`.

This module computes no values and formats no values for display.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from cxr_models.evaluation.clinic_results import ClinicValues
from cxr_models.evaluation.measured import Interval as Interval
from cxr_models.evaluation.measured import Measured as Measured
from cxr_models.records.overlap import Overlap

NOT_STATED = "not stated"  # name of the group of images without a value
FORMAT = 2  # format version of evaluation.json; grows by 1 when a key changes its meaning
UNITS = {"image": "images", "patient": "patients", "study": "studies"}  # singular to plural
Kind = Literal["train", "val", "test", "external"]
GapValue = Literal["accuracy", "macro_roc_auc", "roc_auc", "sensitivity", "specificity"]
GAP_TITLES: dict[GapValue, str] = {
    "accuracy": "accuracy",
    "macro_roc_auc": "macro ROC-AUC",
    "roc_auc": "ROC-AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
Titled = tuple[tuple[str, Measured], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """The unit whose images are joined to one row before evaluation, and the rule that joins them.

    Images of one patient or of one study are joined. By the mean, the row has the mean of the
    logits of the images. By the maximum, the row has the logits of the image with the highest
    probability of the second class or, for findings, the highest logit of each finding.
    """

    of: Literal["patient", "study"]  # the unit that becomes one row
    by: Literal["mean", "max"]  # the rule that joins the images of a unit

    def __post_init__(self) -> None:
        for name, value, known in (
            ("aggregate", self.of, ("patient", "study")),
            ("aggregate_by", self.by, ("mean", "max")),
        ):
            if value not in known:
                raise ValueError(f"`{name}` must be {' or '.join(known)}; got {value!r}.")

    @property
    def name(self) -> str:
        """The unit and the rule in words, such as ``patient (mean of the logits)``."""
        how = "mean of the logits" if self.by == "mean" else "highest probability"
        return f"{self.of} ({how})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The values over all classes of one group of images."""

    accuracy: Measured
    balanced_accuracy: Measured
    macro_f1: Measured
    macro_roc_auc: Measured
    log_loss: Measured
    ece: Measured

    def titled(self) -> Titled:
        """Return the values and their titles, in the order in which they are shown."""
        return (
            ("accuracy", self.accuracy),
            ("balanced accuracy", self.balanced_accuracy),
            ("macro F1", self.macro_f1),
            ("macro ROC-AUC", self.macro_roc_auc),
            ("log loss", self.log_loss),
            ("calibration error", self.ece),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallCalibrated(Overall):
    """Overall values, and log loss and calibration error after temperature scaling."""

    log_loss_calibrated: Measured
    ece_calibrated: Measured

    def titled(self) -> Titled:
        """Return the values and their titles, in the order in which they are shown."""
        *scores, log_loss, ece = Overall.titled(self)
        return (
            *scores,
            log_loss,
            ("log loss, calibrated", self.log_loss_calibrated),
            ece,
            ("calibration error, calibrated", self.ece_calibrated),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """The threshold of a class and the values at this threshold.

    A class without a threshold has a reason instead of values.
    """

    threshold: float | None  # a probability; None if no threshold could be chosen
    reason: str = ""  # why there is no threshold
    sensitivity: Measured | None = None
    specificity: Measured | None = None
    precision: Measured | None = None

    def __post_init__(self) -> None:
        if self.threshold is None and not self.reason:
            raise ValueError("`reason` is missing where there is no threshold")
        if self.threshold is not None and None in self.values():
            raise ValueError("sensitivity, specificity or precision is missing")

    def values(self) -> tuple[Measured | None, ...]:
        """Return sensitivity, specificity and precision."""
        return self.sensitivity, self.specificity, self.precision


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassValues:
    """The values of one class against all other classes."""

    images: int  # number of images of the class
    precision: Measured
    recall: Measured
    f1: Measured
    specificity: Measured
    roc_auc: Measured
    pr_auc: Measured

    def titled(self) -> Titled:
        """Return the values and their titles, in the order in which they are shown."""
        return (
            ("precision", self.precision),
            ("recall", self.recall),
            ("F1", self.f1),
            ("specificity", self.specificity),
            ("ROC-AUC", self.roc_auc),
            ("PR-AUC", self.pr_auc),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAtThreshold(ClassValues):
    """The values of one class against all other classes, with the values at its threshold."""

    operating_point: OperatingPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """A confusion matrix: numbers of images by true class (rows) and predicted class (columns)."""

    counts: tuple[tuple[int, ...], ...]
    normalised: tuple[
        tuple[float, ...] | None, ...
    ]  # rows divided by their sums; None for a sum of 0

    def predicted(self) -> tuple[int, ...]:
        """Return the number of images that were predicted as each class."""
        return tuple(map(sum, zip(*self.counts, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The values of a group of images: a set, or one source, view or subgroup in a set.

    If the evaluation has an aggregation, each joined patient or study counts as one image.
    """

    images: int
    patients: int
    labels: dict[str, int]  # number of images of each label
    overall: OverallCalibrated
    classes: dict[str, ClassAtThreshold]
    confusion: Confusion


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceGaps:
    """The distribution of a gap under the hypothesis that the groups do not differ.

    Each permutation exchanges the group names between patients of one class, and gives one gap.
    """

    permutations: int
    mean: float  # mean of the gaps of all permutations
    high: float  # 95 % quantile of the gaps of all permutations
    # Share of gaps that are at least as large as the observed gap, which counts as one of them.
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The value of the best group minus the value of the worst group.

    The names of both groups are empty if fewer than two groups can be compared.
    """

    value: GapValue
    label: str = ""  # the class or the finding; empty for a value over all classes
    best: str = ""  # name of the group with the highest value
    worst: str = ""  # name of the group with the lowest value
    difference: Measured
    # Smallest difference that a test at the level of 5 % detects with a power of 80 %, given the
    # standard errors of the two groups.
    smallest_seen: float | None = None
    chance: ChanceGaps | None = None

    def title(self) -> str:
        """Return the name of the value, with the name of its class or finding if it has one."""
        title = GAP_TITLES[self.value]
        return f"{title} of {self.label}" if self.label else title


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnGaps:
    """A column of the records that divides images into groups, and the gaps between the groups."""

    column: str
    edges: tuple[float, ...] = ()  # edges of numeric bands; empty if each value is a group
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroups(ColumnGaps):
    """The values of each group that a column makes, and the gaps between the groups."""

    FIRST: ClassVar[tuple[str, ...]] = ("column", "edges", "groups")

    groups: dict[str, Group]  # a value from fewer than 10 patients is left empty


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """Points of a ROC curve; the first point has no threshold."""

    false_positive_rate: tuple[float, ...]
    sensitivity: tuple[float, ...]
    threshold: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrCurve:
    """Points of a precision-recall curve."""

    recall: tuple[float, ...]
    precision: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The ROC curve and the precision-recall curve of a class."""

    roc: RocCurve
    pr: PrCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The images whose confidence is in one range."""

    low: float  # lower end of the range, 0..1; excluded, except in the first range
    high: float  # upper end of the range, 0..1; included
    images: int
    confidence: float  # mean confidence of the images
    accuracy: float  # share of the images that are predicted correctly


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """The reliability bins of the probabilities before and after temperature scaling."""

    raw: tuple[Bin, ...]
    calibrated: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEvaluation(Group):
    """The values of a set of images."""

    FIRST: ClassVar[tuple[str, ...]] = ("kind", "overlap")

    kind: Kind
    # None if the images were not compared with the images that the model has seen
    overlap: Overlap | None = None
    # number of images before they were joined to rows; None if every image is its own row
    joined_images: int | None = None
    curves: dict[str, Curves]  # curves of each class that has both positive and negative images
    reliability: Reliability
    # values of each class; None for train and val, and in files of versions without these values
    clinic: dict[str, ClinicValues] | None = None
    by_source: dict[str, Group]
    by_view: dict[str, Group]
    subgroups: tuple[Subgroups, ...] = ()  # one for each requested column


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """The settings of the bootstrap that computed the intervals."""

    draws: int
    seed: int
    level: float  # confidence level, such as 0.95
    unit: str  # description of the unit that is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureScaling:
    """The temperature that divides the logits.

    If the temperature could not be fitted, it is 1 and has a reason.
    """

    temperature: float
    fitted_on: str  # name of the set; empty without a validation part
    reason: str = ""  # why the temperature could not be fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoints:
    """The threshold of each class or finding, and how the thresholds were chosen."""

    rule: str  # description of the rule
    chosen_on: str  # name of the set; empty without a validation part, where thresholds are given
    of: str = ""  # the probabilities that are compared with thresholds; empty in files of format 1
    thresholds: dict[str, float | None]


class Rows:
    """Base class that names the rows of an evaluation: images, patients or studies."""

    __slots__ = ()

    aggregate: Aggregation | None

    @property
    def unit(self) -> str:
        """The name of a row in the singular: ``image``, ``patient`` or ``study``."""
        return "image" if self.aggregate is None else self.aggregate.of

    @property
    def units(self) -> str:
        """The name of the rows in the plural: ``images``, ``patients`` or ``studies``."""
        return UNITS[self.unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Rows):
    """The values of all sets of a run; every set has values of every class."""

    run: str
    version: str  # version of the library that computed the values
    weights_sha256: str
    format: int
    class_names: tuple[str, ...]
    labels: tuple[str, ...]
    bootstrap: Bootstrap
    aggregate: Aggregation | None = None  # None if every image is its own row
    remarks: tuple[str, ...] = ()  # assumptions about the table of a third-party model
    calibration: TemperatureScaling
    operating_points: OperatingPoints
    sets: dict[str, SetEvaluation]

    def __post_init__(self) -> None:
        for name, values in self.sets.items():
            for label in self.class_names:
                if label not in values.classes:
                    raise ValueError(f"sets.{name}.classes.{label} is missing")
