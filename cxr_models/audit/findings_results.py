"""Records of the audit and of the robustness of a run with findings.

Its ``audit.json`` holds a `FindingsAudit`, and its ``robustness.json`` a `FindingsRobustness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from cxr_models.evaluation.results import Bootstrap, Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingReached:
    """The area under the ROC curve of a model, on the known test images of a finding."""

    roc_auc: Measured
    classifier: str = ""  # name of the classifier that was best on the validation part


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingShortcuts:
    """The areas for one finding of models that see little or nothing of the lungs."""

    images: int  # number of test images with a known label
    present: int  # number of these images that show the finding
    border: FindingReached
    thumbnail: FindingReached
    histogram: FindingReached
    size: FindingReached
    label_from_source: FindingReached
    run: FindingReached | None = None
    centre_blanked: FindingReached | None = None
    border_blanked: FindingReached | None = None

    def titled(self) -> tuple[tuple[str, FindingReached], ...]:
        """Return the models with their titles, in the order in which they are shown."""
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
    """The areas of shortcuts for each finding of a split, and a verdict in one sentence."""

    task: Literal["multilabel"]
    findings: dict[str, FindingShortcuts]
    verdict: str
    split_sha256: str
    test_images: int
    weights_sha256: str = ""  # hash of the weights of the run; empty without a run


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingAreas:
    """Areas under ROC curves on a set of images, or differences of such areas."""

    mean_roc_auc: Measured  # mean over the findings with enough patients
    roc_auc: dict[str, Measured]  # area of each finding, over the images whose label is known


@dataclass(frozen=True, slots=True, kw_only=True)
class PerturbedFindings(FindingAreas):
    """The areas on images that were changed in one way."""

    FIRST: ClassVar[tuple[str, ...]] = ("name", "title")

    name: str  # name of the change, such as jpeg-50
    title: str  # name of the change in tables
    differences: FindingAreas  # area on the changed images minus area on the unchanged images

    def falls_most(self) -> tuple[str, Measured] | None:
        """Return the finding whose area falls most, with its difference.

        The result is None if no area falls, or no difference is known.
        """
        known = [(of.value, name) for name, of in self.differences.roc_auc.items() if of.value]
        if not known or min(known)[0] >= 0.0:
            return None
        name = min(known)[1]
        return name, self.differences.roc_auc[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsRobustness:
    """The areas of a run with findings on its unchanged and on its changed test images.

    ``robustness.json`` holds this record. The areas are computed from logits, and do not depend on
    a temperature.
    """

    format: int
    version: str
    task: Literal["multilabel"]
    findings: tuple[str, ...]
    split_sha256: str
    weights_sha256: str
    bootstrap: Bootstrap
    seed: int  # seed of the noise and of the directions of rotation
    images: int  # number of predicted images
    patients: int
    test_images: int  # number of test images of the split; `images` may be a part of them
    over: tuple[str, ...]  # the findings over which means are taken
    left_out: dict[str, str]  # each other finding and the reason why it is left out
    unperturbed: FindingAreas
    perturbed: tuple[PerturbedFindings, ...]
