"""Records of an audit of classes.

``audit.json`` holds one `Audit`, and ``robustness.json`` holds one `Robustness`.
"""

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
    classifier: str = ""  # name of the classifier that was best on the validation part
    sources: int | None = None  # number of sources in train, for a model that predicts the source
    commonest: float | None = None  # share of test images of the commonest source of train
    reason: str = ""  # why there are no accuracies

    def __post_init__(self) -> None:
        if self.accuracy is None and not self.reason:
            raise ValueError("`reason` is missing where there is no accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """The accuracies on a split of models that see little or nothing of the lungs."""

    majority: Reached
    border: Reached
    thumbnail: Reached
    histogram: Reached
    size: Reached
    source: Reached
    label_from_source: Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(Shortcuts):
    """The accuracies of shortcuts and of a run on whole and blanked images, with a verdict."""

    run: Reached | None = None
    centre_blanked: Reached | None = None
    border_blanked: Reached | None = None
    verdict: str
    classes: tuple[str, ...]
    split_sha256: str
    test_images: int
    weights_sha256: str = ""  # hash of the weights of the run; empty without a run

    def titled(self) -> tuple[tuple[str, Reached], ...]:
        """Return the models that predict labels, with their titles, in the order of tables."""
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


ROBUSTNESS_FORMAT = 1  # format version of robustness.json; grows by 1 if a key changes its meaning


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

    name: str  # name of the change, such as jpeg-50
    title: str  # name of the change in tables
    changed: Measured  # share of images whose predicted class is another one after the change
    differences: Scores  # value on the changed images minus value on the unchanged images


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """The values of a run on its unchanged and on its changed test images.

    ``robustness.json`` holds this record.
    """

    format: int
    version: str
    classes: tuple[str, ...]
    split_sha256: str
    weights_sha256: str
    temperature: float  # temperature of the probabilities by which images are ranked
    uncalibrated: str = ""  # why the temperature is 1; missing in files of earlier versions
    bootstrap: Bootstrap
    seed: int  # seed of the noise and of the directions of rotation
    images: int  # number of predicted images
    patients: int
    test_images: int  # number of test images of the split; `images` may be a part of them
    unperturbed: Scores
    perturbed: tuple[PerturbedScores, ...]

    @property
    def remark(self) -> str:
        """A warning that areas are computed from probabilities that are not calibrated.

        The text is empty if the temperature is not 1, or there are two classes, whose area does not
        depend on the temperature.
        """
        if self.temperature != 1.0 or len(self.classes) < 3:
            return ""
        why = f": {self.uncalibrated}" if self.uncalibrated else ""
        return f"ROC-AUC ranks images by probabilities that are not calibrated{why}"
