"""Records of an audit of findings: of such a run ``audit.json`` is a `FindingsAudit`.

Its ``robustness.json`` is a `FindingsRobustness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from cxr_models.evaluation.results import Bootstrap, Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingReached:
    """The area under the ROC curve of a model, on the known test images of a finding."""

    roc_auc: Measured
    classifier: str = ""  # the classifier that was best on validation


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingShortcuts:
    """What models that see no lungs, or hardly, reach for one finding."""

    images: int  # of test, whose label is known
    present: int  # of these, those that show the finding
    border: FindingReached
    thumbnail: FindingReached
    histogram: FindingReached
    size: FindingReached
    label_from_source: FindingReached
    run: FindingReached | None = None
    centre_blanked: FindingReached | None = None
    border_blanked: FindingReached | None = None

    def titled(self) -> tuple[tuple[str, FindingReached], ...]:
        """Return the models and their titles, in the order of tables."""
        rows = (
            ("border", self.border),
            ("thumbnail", self.thumbnail),
            ("gray histogram", self.histogram),
            ("size and aspect ratio", self.size),
            ("name of the source", self.label_from_source),
            ("the run", self.run),
            ("the run, centre blanked", self.centre_blanked),
            ("the run, border blanked", self.border_blanked),
        )
        return tuple((title, reached) for title, reached in rows if reached is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsAudit:
    """What shortcuts reach for each finding of a split, and a verdict."""

    task: Literal["multilabel"]
    findings: dict[str, FindingShortcuts]
    verdict: str
    split_sha256: str
    test_images: int
    weights_sha256: str = ""  # of the run


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingAreas:
    """Areas under ROC curves on a set of images, or differences of such areas."""

    mean_roc_auc: Measured  # over the findings of enough patients
    roc_auc: dict[str, Measured]  # of each finding, over the images whose label is known


@dataclass(frozen=True, slots=True, kw_only=True)
class PerturbedFindings(FindingAreas):
    """The areas on images that were changed in one way."""

    FIRST: ClassVar[tuple[str, ...]] = ("name", "title")

    name: str  # such as jpeg-50
    title: str  # in tables
    differences: FindingAreas  # area on the changed images minus area on the images as they are

    def falls_most(self) -> tuple[str, Measured] | None:
        """Return the finding whose area falls most, and its difference; None if none is known."""
        known = [(of.value, name) for name, of in self.differences.roc_auc.items() if of.value]
        if not known or min(known)[0] >= 0.0:
            return None
        name = min(known)[1]
        return name, self.differences.roc_auc[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsRobustness:
    """The areas of a run with several findings on its test images, as they are and changed.

    ``robustness.json`` of such a run. The areas are of logits: no temperature changes them.
    """

    format: int
    version: str
    task: Literal["multilabel"]
    findings: tuple[str, ...]
    split_sha256: str
    weights_sha256: str
    bootstrap: Bootstrap
    seed: int  # of noise and of directions
    images: int
    patients: int
    test_images: int  # of the split; more than `images` where only some were asked for
    over: tuple[str, ...]  # the findings of the means
    left_out: dict[str, str]  # the other findings, and why
    unperturbed: FindingAreas
    perturbed: tuple[PerturbedFindings, ...]
