"""Records of an audit of findings; ``audit.json`` of a run with findings is a `FindingsAudit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cxr_models.evaluation.results import Measured


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
