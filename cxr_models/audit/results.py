"""Records of an audit; ``audit.json`` is one `Audit`, ``robustness.json`` one `Robustness`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cxr_models._typed_json import WRITTEN
from cxr_models.evaluation.results import Bootstrap, Interval, Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The accuracies of a model on the test images."""

    accuracy: float | None = field(default=None, metadata=WRITTEN)
    interval: Interval | None = field(default=None, metadata=WRITTEN)
    balanced_accuracy: float | None = field(default=None, metadata=WRITTEN)
    balanced_interval: Interval | None = field(default=None, metadata=WRITTEN)
    interval_reason: str = ""
    balanced_interval_reason: str = ""
    classifier: str = ""  # the classifier that was best on validation
    sources: int | None = None  # number of sources, for a model that predicts the source
    commonest: float | None = None  # share of the commonest source
    reason: str = ""  # why there are no accuracies

    def __post_init__(self) -> None:
        if self.accuracy is None and not self.reason:
            raise ValueError("`reason` is missing where there is no accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """The accuracies of models that see no lungs, or hardly, on a split."""

    majority: Reached
    border: Reached
    thumbnail: Reached
    histogram: Reached
    size: Reached
    source: Reached
    label_from_source: Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(Shortcuts):
    """Shortcuts, the accuracies of a run on whole and on blanked images, and a verdict on both."""

    run: Reached | None = None
    centre_blanked: Reached | None = None
    border_blanked: Reached | None = None
    verdict: str
    classes: tuple[str, ...]
    split_sha256: str
    test_images: int
    weights_sha256: str = ""  # of the run

    def titled(self) -> tuple[tuple[str, Reached], ...]:
        """Return the models that predict labels and their titles, in the order of tables."""
        rows = (
            ("commonest label", self.majority),
            ("border: the outer eighth of each side", self.border),
            ("thumbnail of 32 x 32", self.thumbnail),
            ("gray histogram of 16 bins", self.histogram),
            ("size and aspect ratio", self.size),
            ("name of the source", self.label_from_source),
            ("the run", self.run),
            ("the run, centre blanked", self.centre_blanked),
            ("the run, border blanked", self.border_blanked),
        )
        return tuple((title, reached) for title, reached in rows if reached is not None)


ROBUSTNESS_FORMAT = 1  # of robustness.json; it grows by 1 when a key changes its meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Values of a run on a set of images, or differences of two such values."""

    accuracy: Measured
    balanced_accuracy: Measured
    macro_roc_auc: Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class PerturbedScores(Scores):
    """The values of a run on images that were changed in one way."""

    FIRST: ClassVar[tuple[str, ...]] = ("name", "title")

    name: str  # such as jpeg-50
    title: str  # in tables
    changed: Measured  # share of images that are predicted to be of another class
    differences: Scores  # value on the changed images minus value on the images as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """The values of a run on its test images, as they are and changed; ``robustness.json``."""

    format: int
    version: str
    classes: tuple[str, ...]
    split_sha256: str
    weights_sha256: str
    temperature: float  # calibrates the probabilities that images are ranked by
    uncalibrated: str = ""  # why the temperature is 1; missing in files of earlier versions
    bootstrap: Bootstrap
    seed: int  # of noise and of directions
    images: int
    patients: int
    test_images: int  # of the split; more than `images` where only some were asked for
    unperturbed: Scores
    perturbed: tuple[PerturbedScores, ...]

    @property
    def remark(self) -> str:
        """A sentence where areas depend on a temperature that is 1; empty for two classes."""
        if self.temperature != 1.0 or len(self.classes) < 3:
            return ""
        why = f": {self.uncalibrated}" if self.uncalibrated else ""
        return f"ROC-AUC ranks images by probabilities that are not calibrated{why}"
