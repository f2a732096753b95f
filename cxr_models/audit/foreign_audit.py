"""Audit of the split of a third-party model: shortcuts, compared with the model's predictions.

The model itself is not available, so that it has no predictions of blanked images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._typed_json import converted
from cxr_models.audit import finding_shortcuts, shortcuts
from cxr_models.audit.findings_results import FindingsAudit
from cxr_models.audit.results import Audit
from cxr_models.evaluation.finding_predictions import FindingPredictions
from cxr_models.evaluation.findings_results import MULTILABEL
from cxr_models.evaluation.predictions import targets_of_labels
from cxr_models.inputs.targets import finding_targets
from cxr_models.records.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.foreign_predictions import ForeignRun
    from cxr_models.evaluation.predictions import Predictions
    from cxr_models.records.manifest import Record


def audit_foreign(run: ForeignRun, features: Features, method: Method) -> Audit | FindingsAudit:
    """Train every shortcut and compare it with the predictions of the model for test.

    Parameters
    ----------
    run : ForeignRun
        The predictions of the model, with records of train, val and test.
    features : Features
        The features of the images of `ForeignRun.split_images`.
    method : Method
        Number of draws and seed of the bootstrap.

    Raises
    ------
    ValueError
        If a part is empty, or train has images of one class only.
    """
    records = run.split_images.records
    test = next(predictions for predictions in run.sets if predictions.kind == "test")
    if isinstance(test, FindingPredictions):
        return _of_findings(test, records, features, method)
    return _of_classes(test, records, features, method)


def _of_classes(
    test: Predictions, records: Sequence[Record], features: Features, method: Method
) -> Audit:
    reached = shortcuts.audit(records, _classes(records, test), features, method)
    outcomes = test.outcomes()
    of_run = shortcuts.accuracies(
        _classes(test.manifest.records, test),
        [test.class_names[k] for k in outcomes.predicted],
        outcomes.patients,
        method,
    )
    return converted(
        Audit,
        reached,
        run=of_run,
        verdict=shortcuts.verdict(reached, of_run),
        classes=test.class_names,
        split_sha256=test.origin.records_sha256,
        test_images=len(test.manifest.records),
    )


def _classes(records: Sequence[Record], test: Predictions) -> list[str]:
    labels = [record.label for record in records]
    return [test.class_names[k] for k in targets_of_labels(labels, test.class_names, test.labels)]


def _of_findings(
    test: FindingPredictions, records: Sequence[Record], features: Features, method: Method
) -> FindingsAudit:
    manifest = Manifest(records=tuple(records), root=test.manifest.root)
    targets = finding_targets(manifest, test.findings)
    audited = finding_shortcuts.audit_findings(
        records, test.findings, targets, features, method, {"run": test.logits}
    )
    return FindingsAudit(
        task=MULTILABEL,
        findings=audited,
        verdict=finding_shortcuts.verdict(audited),
        split_sha256=test.origin.records_sha256,
        test_images=len(test.manifest.records),
    )
