"""`cxr-models audit`: what shortcuts reach on a split, and what is left of a run without lungs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm import tqdm

from cxr_models._typed_json import converted, to_json, write_record
from cxr_models.audit.findings_results import FindingsAudit
from cxr_models.audit.results import Audit
from cxr_models.cli import _console
from cxr_models.cli._evaluation_text import table, value
from cxr_models.cli._framework import load_framework
from cxr_models.evaluation.findings_results import MULTILABEL
from cxr_models.inputs.targets import check_findings, finding_targets
from cxr_models.records.manifest import Manifest
from cxr_models.records.splits import read_split
from cxr_models.records.ties import components
from cxr_models.runs.finished import read_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxr_models.audit.results import Reached, Robustness, Scores
    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.results import Interval, Measured
    from cxr_models.records.manifest import Record
    from cxr_models.records.splits import Split
    from cxr_models.runs.finished import FinishedRun

_TASKS = ("multiclass", "binary")  # whose runs can be tested on changed images


def audit(
    split: Path,
    method: Method,
    *,
    run: Path | None,
    findings: tuple[str, ...] | None = None,
    perturb: bool = False,
    perturb_images: int | None = None,
    as_json: bool,
) -> int:
    """Print what every shortcut reaches on the test set of `split`, and a verdict."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        checked_split = read_split(split)
        finished = None if run is None else read_run(run, split=split)
        findings = _findings_to_audit(checked_split, finished, findings)
        if finished is not None and perturb and finished.config.model.task not in _TASKS:
            raise ValueError(
                f"`--perturb` is only allowed with runs of the tasks {' and '.join(_TASKS)}; got "
                f"one of the task {finished.config.model.task}."
            )
    with _console.errors_exit_with(_console.FAILED):
        manifest = checked_split.manifest
        used = [place for place, record in enumerate(manifest.records) if record.split]
        images = _Images(
            split=checked_split,
            records=[manifest.records[place] for place in used],
            paths=[manifest.paths()[place] for place in used],
            as_json=as_json,
        )
        robustness = None
        result: Audit | FindingsAudit = (
            _audit_findings(images, findings, finished, method)
            if findings
            else _audit_labels(images, finished, method)
        )
        if finished is not None:
            folder = finished.folder
            folder.evaluation_folder.mkdir(exist_ok=True)
            write_record(folder.audit_file, result)
            if perturb:  # all else is kept by now
                robustness = _perturbed(
                    checked_split, method, finished, images=perturb_images, as_json=as_json
                )
                write_record(folder.robustness_file, robustness)
    if as_json:
        perturbed = {} if robustness is None else {"robustness": to_json(robustness)}
        _console.say(json.dumps(to_json(result) | perturbed, allow_nan=False))
        return 0
    for line in (
        findings_audit_lines(result) if isinstance(result, FindingsAudit) else audit_lines(result)
    ):
        _console.say(_console.printable(line))
    for line in robustness_lines(robustness) if robustness is not None else ():
        _console.say(_console.printable(line))
    return 0


class _Images(NamedTuple):
    """The images of train, val and test."""

    split: Split
    records: list[Record]
    paths: list[str]
    as_json: bool

    def features(self) -> Features:
        """Read the features of shortcuts, with a bar of progress."""
        from cxr_models.audit.shortcut_features import read_features

        disable = True if self.as_json else None
        with tqdm(total=len(self.paths), unit="image", disable=disable) as bar:
            return read_features(self.paths, progress=bar.update)

    def tested(self) -> list[int]:
        """Return the places of the images of test."""
        return [place for place, record in enumerate(self.records) if record.split == "test"]


def _findings_to_audit(
    split: Split, run: FinishedRun | None, findings: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Return the findings to audit: those typed or those of the run; empty to audit labels."""
    if findings is not None and not findings:
        raise ValueError("`--findings` must name at least one finding; got none.")
    if run is None:
        check_findings(split.manifest, findings or ())
        return findings or ()
    if findings is not None:
        raise ValueError(
            "`--findings` is only allowed without --run, whose findings or labels are audited; got "
            f"{', '.join(findings)}. Leave out --findings."
        )
    return run.config.model.findings


def _audit_labels(images: _Images, run: FinishedRun | None, method: Method) -> Audit:
    from cxr_models.audit import shortcuts

    if run is not None:  # before what takes minutes, should it not be installed
        load_framework()
    records = images.records
    classes = [record.label for record in records]
    if run is not None and run.config.model.task == "binary":
        rest, positive = run.class_names
        classes = [positive if label == positive else rest for label in classes]
    features = images.features()
    _console.note_on_terminal("training shortcuts")
    reached = shortcuts.audit(records, classes, features, method)
    of_run: list[Reached | None] = [None, None, None]
    if run is not None:
        from cxr_models.inference.predict_blanked import predict_blanked

        _console.note_on_terminal("predicting the test set thrice: whole, and blanked")
        tested = images.tested()
        patients = np.array(components(records))[tested]
        true = [classes[place] for place in tested]
        files = [images.paths[place] for place in tested]
        predicted = predict_blanked(run, files, (None, "centre", "border"))
        of_run = [shortcuts.accuracies(true, p, patients, method) for p in predicted]
    return converted(
        Audit,
        reached,
        run=of_run[0],
        centre_blanked=of_run[1],
        border_blanked=of_run[2],
        verdict=shortcuts.verdict(reached, of_run[0]),
        classes=tuple(sorted(set(classes))),
        split_sha256=images.split.hash,
        test_images=len(images.split.select("test").records),
        weights_sha256="" if run is None else run.weights_sha256,
    )


def _audit_findings(
    images: _Images, findings: tuple[str, ...], run: FinishedRun | None, method: Method
) -> FindingsAudit:
    from cxr_models.audit import finding_shortcuts

    if run is not None:  # before what takes minutes, should it not be installed
        load_framework()
    uncertain = "unknown" if run is None else run.config.model.uncertain
    records = Manifest(records=tuple(images.records), root=images.split.manifest.root)
    targets = finding_targets(records, findings, uncertain)
    features = images.features()
    of_run = None
    if run is not None:
        from cxr_models.inference.predict_blanked import logits_of_blanked

        _console.note_on_terminal("predicting the test set thrice: whole, and blanked")
        files = [images.paths[place] for place in images.tested()]
        logits = logits_of_blanked(run, files, (None, "centre", "border"))
        of_run = dict(zip(("run", "centre_blanked", "border_blanked"), logits, strict=True))
    _console.note_on_terminal("training shortcuts")
    audited = finding_shortcuts.audit_findings(
        images.records, findings, targets, features, method, of_run
    )
    return FindingsAudit(
        task=MULTILABEL,
        findings=audited,
        verdict=finding_shortcuts.verdict(audited),
        split_sha256=images.split.hash,
        test_images=len(images.tested()),
        weights_sha256="" if run is None else run.weights_sha256,
    )


def findings_audit_lines(audit: FindingsAudit) -> Iterator[str]:
    """Yield the lines of an audit of findings: a table of areas for each finding."""
    for finding, shortcuts in audit.findings.items():
        known = f"{finding}: {shortcuts.present} of {shortcuts.images} known"
        rows = [[known, "ROC-AUC", "chosen on val"]]
        for title, reached in shortcuts.titled():
            area = reached.roc_auc
            shown = area.reason if area.value is None else _value(area.value, area.interval)
            rows.append([title, shown, reached.classifier])
        yield from table(rows)
        yield ""
    if any(shortcuts.centre_blanked is not None for shortcuts in audit.findings.values()):
        yield "a blanked region is replaced by the image's mean before any other step"
    yield f"Verdict: {audit.verdict}."


def _perturbed(
    split: Split, method: Method, run: FinishedRun, *, images: int | None, as_json: bool
) -> Robustness:
    from cxr_models.inference.predict_perturbed import robustness_of

    _console.note_on_terminal("predicting changed test images")
    total = len(split.select("test").records)
    total = min(images or total, total)
    with tqdm(total=total, unit="image", disable=True if as_json else None) as bar:
        return robustness_of(run, split, method, images=images, progress=bar.update)


def audit_lines(audit: Audit) -> Iterator[str]:
    """Yield the lines of an audit."""
    rows = [[f"on {audit.test_images} test images", "accuracy", "balanced", "chosen on val"]]
    for title, reached in audit.titled():
        if reached.accuracy is not None:
            values = (
                _value(reached.accuracy, reached.interval),
                _value(reached.balanced_accuracy, reached.balanced_interval),
            )
            rows.append([title, *values, reached.classifier])
    yield from table(rows)
    source = audit.source
    if source.accuracy is None:
        yield f"source of an image: not evaluated, {source.reason}"
    else:
        yield (
            f"source of an image, predicted from the thumbnail: "
            f"{_value(source.accuracy, source.interval)} among {source.sources} sources "
            f"(the commonest alone gives {source.commonest:.3f})"
        )
    if audit.centre_blanked is not None:
        yield "a blanked region is replaced by the image's mean before any other step"
    yield f"Verdict: {audit.verdict}."


def robustness_lines(robustness: Robustness) -> Iterator[str]:
    """Yield the lines of what a run makes of changed images."""
    yield ""
    whole = robustness.unperturbed
    head = ["accuracy", "balanced", "ROC-AUC", "changed", "accuracy: difference"]
    rows = [[f"the run on {robustness.images} test images", *head]]
    rows.append(["as they are", *map(_short, _three(whole)), "-", "-"])
    for row in robustness.perturbed:
        cells = (*map(_short, _three(row)), _short(row.changed))
        rows.append([row.title, *cells, value(row.differences.accuracy, sign=True)])
    yield from table(rows)
    yield (
        "changed: share of images predicted to be of another class; difference: from the images "
        "as they are, of pairs"
    )


def _three(scores: Scores) -> tuple[Measured, ...]:
    return scores.accuracy, scores.balanced_accuracy, scores.macro_roc_auc


def _short(measured: Measured) -> str:
    return "-" if measured.value is None else f"{measured.value:.3f}"


def _value(number: float | None, interval: Interval | None) -> str:
    if number is None:
        return "-"
    if interval is None:
        return f"{number:.3f} [no interval]"
    return f"{number:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
