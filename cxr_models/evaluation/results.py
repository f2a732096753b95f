"""Records of an evaluation; ``evaluation.json`` is one `Evaluation`.

Knows neither how values are computed nor how they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from cxr_models.evaluation.clinic_results import ClinicValues
from cxr_models.evaluation.measured import Interval as Interval
from cxr_models.evaluation.measured import Measured as Measured
from cxr_models.records.overlap import Overlap

NOT_STATED = "not stated"  # the group of images without a source or a view
FORMAT = 2  # of evaluation.json; it grows by 1 when a key changes its meaning
UNITS = {"image": "images", "patient": "patients", "study": "studies"}  # singular and plural
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
    """What becomes one row before values are computed, and how its images are joined."""

    of: Literal["patient", "study"]
    by: Literal["mean", "max"]

    def __post_init__(self) -> None:
        for name, value, known in (
            ("aggregate", self.of, ("patient", "study")),
            ("aggregate_by", self.by, ("mean", "max")),
        ):
            if value not in known:
                raise ValueError(f"`{name}` must be {' or '.join(known)}; got {value!r}.")

    @property
    def name(self) -> str:
        """What was joined and how, in words."""
        how = "mean of the logits" if self.by == "mean" else "highest probability"
        return f"{self.of} ({how})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The values of all classes together."""

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
    """The values of a class at its threshold; a reason where it has no threshold."""

    threshold: float | None
    reason: str = ""
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
    """The values of one class against all others."""

    images: int
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
    """The values of one class against all others, and its values at the class's threshold."""

    operating_point: OperatingPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Images by true class (rows) and predicted class (columns)."""

    counts: tuple[tuple[int, ...], ...]
    normalised: tuple[
        tuple[float, ...] | None, ...
    ]  # rows divided by their sums; None for a sum of 0

    def predicted(self) -> tuple[int, ...]:
        """Return how many images were predicted to be of each class."""
        return tuple(map(sum, zip(*self.counts, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The values of a group of images: a set, or a source or view in a set.

    Images are counted, or what they were joined to where the evaluation states an aggregation.
    """

    images: int
    patients: int
    labels: dict[str, int]
    overall: OverallCalibrated
    classes: dict[str, ClassAtThreshold]
    confusion: Confusion


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceGaps:
    """Gaps where groups do not differ: their names are exchanged between patients of one class."""

    permutations: int
    mean: float
    high: float  # 19 of 20 such gaps are at most as large
    p_value: float  # share of such gaps that are at least as large as the gap found


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The best value of a group minus the worst; empty names where fewer than two can be compared.

    `smallest_seen` is the smallest difference of two groups of such standard errors that a test at
    the level of 5 % sees with a power of 80 %.
    """

    value: GapValue
    label: str = ""  # the class, or the finding; empty for a value of all classes
    best: str = ""
    worst: str = ""
    difference: Measured
    smallest_seen: float | None = None
    chance: ChanceGaps | None = None

    def title(self) -> str:
        """Return the name of the value, and of its class or finding."""
        title = GAP_TITLES[self.value]
        return f"{title} of {self.label}" if self.label else title


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnGaps:
    """A column that makes groups of images, and the gaps between the groups."""

    column: str
    edges: tuple[float, ...] = ()  # of bands of numbers; empty where each value is a group
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroups(ColumnGaps):
    """The values of the images of each group that a column makes, and the gaps between groups."""

    FIRST: ClassVar[tuple[str, ...]] = ("column", "edges", "groups")

    groups: dict[str, Group]  # values of fewer than 10 patients are empty


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """Points of a ROC curve; the first has no threshold."""

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
    """The curves of a class."""

    roc: RocCurve
    pr: PrCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Images of a range of confidence."""

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """The bins of probabilities as they are and after temperature scaling."""

    raw: tuple[Bin, ...]
    calibrated: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEvaluation(Group):
    """The values of a set."""

    FIRST: ClassVar[tuple[str, ...]] = ("kind", "overlap")

    kind: Kind
    overlap: Overlap | None = None  # None if the images were not compared with seen images
    # number of the images that were joined; None where every image is a row of its own
    joined_images: int | None = None
    curves: dict[str, Curves]  # of the classes that some, but not all, images are of
    reliability: Reliability
    # of each class; None for train and val, and in files of versions that did not compute them
    clinic: dict[str, ClinicValues] | None = None
    by_source: dict[str, Group]
    by_view: dict[str, Group]
    subgroups: tuple[Subgroups, ...] = ()  # by the columns that were asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """How intervals were computed."""

    draws: int
    seed: int
    level: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureScaling:
    """The temperature, or the reason why it could not be fitted and is 1."""

    temperature: float
    fitted_on: str  # empty if there was no validation part
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoints:
    """How thresholds were chosen; `of` is empty in files of format 1."""

    rule: str
    chosen_on: str  # empty if there was no validation part, and the rule was given
    of: str = ""
    thresholds: dict[str, float | None]


class Rows:
    """What the rows of an evaluation are: images, or what images were joined to."""

    __slots__ = ()

    aggregate: Aggregation | None

    @property
    def unit(self) -> str:
        """What a row is: ``image``, ``patient`` or ``study``."""
        return "image" if self.aggregate is None else self.aggregate.of

    @property
    def units(self) -> str:
        """What rows are: ``images``, ``patients`` or ``studies``."""
        return UNITS[self.unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Rows):
    """The values of all sets of a run; every set has values of every class."""

    run: str
    version: str
    weights_sha256: str
    format: int
    class_names: tuple[str, ...]
    labels: tuple[str, ...]
    bootstrap: Bootstrap
    aggregate: Aggregation | None = None  # None where every image is a row of its own
    remarks: tuple[str, ...] = ()  # on what was assumed of the table of a model of others
    calibration: TemperatureScaling
    operating_points: OperatingPoints
    sets: dict[str, SetEvaluation]

    def __post_init__(self) -> None:
        for name, values in self.sets.items():
            for label in self.class_names:
                if label not in values.classes:
                    raise ValueError(f"sets.{name}.classes.{label} is missing")
