"""`cxr-models audit`: how well shortcut models predict the labels of a split.

With a run, the command also tests the run itself on changed images.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_models._typed_json import to_json, write_record
from cxr_models.audit.findings_results import FindingsAudit, FindingsRobustness
from cxr_models.cli import _console
from cxr_models.cli._evaluation_text import table, value
from cxr_models.cli._framework import load_framework
from cxr_models.inference.audited import audited
from cxr_models.inputs.targets import check_findings
from cxr_models.records.splits import read_split
from cxr_models.runs.finished import read_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxr_models.audit.results import Audit, Robustness, Scores
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.results import Interval, Measured
    from cxr_models.records.splits import Split
    from cxr_models.runs.finished import FinishedRun


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
    """Print the values of every shortcut model on the test set of `split`, and a verdict.

    With `run`, its values are part of the audit, which is also written to the folder of the run.
    With `perturb` too, the run predicts changed test images, and the robustness is written there.
    """
    with _console.errors_exit_with(_console.WRONG_USAGE):
        checked_split = read_split(split)
        finished = None if run is None else read_run(run, split=split)
        findings = _findings_to_audit(checked_split, finished, findings)
    with _console.errors_exit_with(_console.FAILED):
        if finished is not None:  # a missing package is reported before minutes of work
            load_framework()
        images = sum(bool(record.split) for record in checked_split.manifest.records)
        with tqdm(total=images, unit="image", disable=True if as_json else None) as bar:

            def say(text: str) -> None:
                bar.close()  # the first message comes after the last image was read
                _console.note_on_terminal(text)

            result = audited(
                checked_split,
                method,
                run=finished,
                findings=findings,
                progress=bar.update,
                say=say,
            )
        robustness = None
        if finished is not None:
            folder = finished.folder
            folder.evaluation_folder.mkdir(exist_ok=True)
            write_record(folder.audit_file, result)
            if perturb:  # runs after the audit is written, because it takes long
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
    for line in _robustness_lines(robustness):
        _console.say(_console.printable(line))
    return 0


def _findings_to_audit(
    split: Split, run: FinishedRun | None, findings: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Return the checked findings of the option `--findings`; empty if the option is not given.

    Raises
    ------
    ValueError
        If `findings` is empty, is given with `run`, or has a name that the split lacks.
    """
    if findings is None:
        return ()
    if not findings:
        raise ValueError("`--findings` must name at least one finding; got none.")
    if run is not None:
        raise ValueError(
            "`--findings` is only allowed without --run, whose findings or labels are audited; got "
            f"{', '.join(findings)}. Leave out --findings."
        )
    check_findings(split.manifest, findings)
    return findings


def findings_audit_lines(audit: FindingsAudit) -> Iterator[str]:
    """Yield the lines of an audit of findings: a table of ROC-AUC values for each finding."""
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


def _robustness_lines(robustness: Robustness | FindingsRobustness | None) -> Iterator[str]:
    if isinstance(robustness, FindingsRobustness):
        yield from findings_robustness_lines(robustness)
    elif robustness is not None:
        yield from robustness_lines(robustness)


def _perturbed(
    split: Split, method: Method, run: FinishedRun, *, images: int | None, as_json: bool
) -> Robustness | FindingsRobustness:
    from cxr_models.inference.predict_perturbed import robustness_of

    _console.note_on_terminal("predicting changed test images")
    total = len(split.select("test").records)
    total = min(images or total, total)
    with tqdm(total=total, unit="image", disable=True if as_json else None) as bar:
        return robustness_of(run, split, method, images=images, progress=bar.update)


def audit_lines(audit: Audit) -> Iterator[str]:
    """Yield the lines of an audit of labels."""
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
    """Yield the lines about the predictions of a run for changed images."""
    yield ""
    whole = robustness.unperturbed
    head = ["accuracy", "balanced", "ROC-AUC", "changed", "accuracy: difference"]
    rows = [[f"the run on {robustness.images} test images", *head]]
    rows.append(["as they are", *map(_format_measured, _main_scores(whole)), "-", "-"])
    for row in robustness.perturbed:
        cells = (*map(_format_measured, _main_scores(row)), _format_measured(row.changed))
        rows.append([row.title, *cells, value(row.differences.accuracy, sign=True)])
    yield from table(rows)
    yield (
        "changed: share of images predicted to be of another class; difference: from the images "
        "as they are, of pairs"
    )
    if robustness.remark:
        yield robustness.remark


def findings_robustness_lines(robustness: FindingsRobustness) -> Iterator[str]:
    """Yield the lines about the predictions of a run with several findings for changed images."""
    yield ""
    head = ["mean ROC-AUC", "difference", "falls most"]
    rows = [[f"the run on {robustness.images} test images", *head]]
    rows.append(["as they are", _format_measured(robustness.unperturbed.mean_roc_auc), "-", "-"])
    for row in robustness.perturbed:
        most = row.falls_most()
        fallen = "-" if most is None else f"{most[0]} {most[1].value:+.3f}"
        shown = value(row.differences.mean_roc_auc, sign=True)
        rows.append([row.title, _format_measured(row.mean_roc_auc), shown, fallen])
    yield from table(rows)
    yield (
        f"mean of {len(robustness.over)} of {len(robustness.findings)} findings; difference: from "
        "the images as they are, of pairs"
    )
    yield from (f"left out: {name}, {why}" for name, why in robustness.left_out.items())


def _main_scores(scores: Scores) -> tuple[Measured, ...]:
    return scores.accuracy, scores.balanced_accuracy, scores.macro_roc_auc


def _format_measured(measured: Measured) -> str:
    return "-" if measured.value is None else f"{measured.value:.3f}"


def _value(number: float | None, interval: Interval | None) -> str:
    if number is None:
        return "-"
    if interval is None:
        return f"{number:.3f} [no interval]"
    return f"{number:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
