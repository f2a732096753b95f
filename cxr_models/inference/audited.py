"""The audit of a split: values of shortcuts, and of a run on images with blanked regions.

Without a run, this module imports no deep-learning framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxr_models._typed_json import converted
from cxr_models.audit.findings_results import FindingsAudit
from cxr_models.audit.results import Audit
from cxr_models.evaluation.findings_results import MULTILABEL
from cxr_models.inputs.targets import check_findings, finding_targets
from cxr_models.records.manifest import Manifest
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.audit.results import Reached
    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.inference.predict_blanked import Region
    from cxr_models.records.manifest import Record
    from cxr_models.records.splits import Split
    from cxr_models.runs.finished import FinishedRun

# The blanked region of each prediction of a run; None blanks nothing.
_BLANKED: tuple[Region | None, ...] = (None, "centre", "border")


def audited(
    split: Split,
    method: Method,
    *,
    run: FinishedRun | None = None,
    findings: Sequence[str] = (),
    progress: Callable[[int], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> Audit | FindingsAudit:
    """Train shortcuts on a split and test them; no files are written.

    Parameters
    ----------
    split : Split
        The split.
    method : Method
        Number of draws and seed of the bootstrap. Random forests use the same seed.
    run : FinishedRun, optional
        A run of the split, which also predicts the whole and the blanked test images. The audit is
        of the findings of the run or, without findings, of its labels.
    findings : sequence of str, default ()
        Findings to audit instead of labels; only allowed without a run.
    progress : callable, optional
        Function that is called with 1 after each image that is read for the shortcuts.
    say : callable, optional
        Function that is called with a sentence before each further step.

    Raises
    ------
    ValueError
        If a part is empty, train has images of one class only, the split lacks a finding, both a
        run and findings are given, or an image cannot be decoded.
    ImportError
        If scikit-learn is not installed.
    OSError
        If a file cannot be read.
    """
    from cxr_models.audit.shortcut_features import read_features

    if run is None:
        check_findings(split.manifest, tuple(findings))
    elif findings:
        raise ValueError(
            "`findings` is only allowed without a run, whose findings or labels are audited; got "
            f"{', '.join(findings)}. Leave it out."
        )
    else:
        findings = run.config.model.findings
    tell = say or (lambda _text: None)
    manifest = split.manifest
    used = [place for place, record in enumerate(manifest.records) if record.split]
    paths = manifest.paths()
    images = _Images([manifest.records[place] for place in used], [paths[place] for place in used])
    read = read_features(images.paths, progress=progress)
    if findings:
        return _findings_audited(split, images, tuple(findings), read, method, run, tell)
    return _labels_audited(split, images, read, method, run, tell)


class _Images(NamedTuple):
    """The records and paths of the images of train, val and test."""

    records: list[Record]
    paths: list[str]

    def tested(self) -> list[int]:
        """Return the indices of the images of test."""
        return [place for place, record in enumerate(self.records) if record.split == "test"]


def _labels_audited(
    split: Split,
    images: _Images,
    features: Features,
    method: Method,
    run: FinishedRun | None,
    tell: Callable[[str], object],
) -> Audit:
    from cxr_models.audit import shortcuts

    classes = [record.label for record in images.records]
    if run is not None and run.config.model.task == "binary":
        rest, positive = run.class_names
        classes = [positive if label == positive else rest for label in classes]
    tell("training shortcuts")
    reached = shortcuts.audit(images.records, classes, features, method)
    of_run: list[Reached | None] = [None, None, None]
    if run is not None:
        from cxr_models.inference.predict_blanked import predict_blanked

        tell("predicting the test set thrice: whole, and blanked")
        tested = images.tested()
        patients = np.array(components(images.records))[tested]
        true = [classes[place] for place in tested]
        predicted = predict_blanked(run, [images.paths[place] for place in tested], _BLANKED)
        of_run = [shortcuts.accuracies(true, p, patients, method) for p in predicted]
    return converted(
        Audit,
        reached,
        run=of_run[0],
        centre_blanked=of_run[1],
        border_blanked=of_run[2],
        verdict=shortcuts.verdict(reached, of_run[0]),
        classes=tuple(sorted(set(classes))),
        split_sha256=split.hash,
        test_images=len(images.tested()),
        weights_sha256="" if run is None else run.weights_sha256,
    )


def _findings_audited(
    split: Split,
    images: _Images,
    findings: tuple[str, ...],
    features: Features,
    method: Method,
    run: FinishedRun | None,
    tell: Callable[[str], object],
) -> FindingsAudit:
    from cxr_models.audit import finding_shortcuts

    records = Manifest(records=tuple(images.records), root=split.manifest.root)
    targets = finding_targets(records, findings)
    of_run = None
    if run is not None:
        from cxr_models.inference.predict_blanked import logits_of_blanked

        tell("predicting the test set thrice: whole, and blanked")
        files = [images.paths[place] for place in images.tested()]
        logits = logits_of_blanked(run, files, _BLANKED)
        of_run = dict(zip(("run", "centre_blanked", "border_blanked"), logits, strict=True))
    tell("training shortcuts")
    reached = finding_shortcuts.audit_findings(
        images.records, findings, targets, features, method, of_run
    )
    return FindingsAudit(
        task=MULTILABEL,
        findings=reached,
        verdict=finding_shortcuts.verdict(reached),
        split_sha256=split.hash,
        test_images=len(images.tested()),
        weights_sha256="" if run is None else run.weights_sha256,
    )
