"""`cxr-models audit`: what shortcuts reach on a split, and what is left of a run without lungs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tqdm import tqdm

from cxr_models._typed_json import to_json, write_record
from cxr_models.cli import _console
from cxr_models.cli._evaluation_text import table
from cxr_models.cli._framework import load_framework
from cxr_models.inference.audited import audited
from cxr_models.records.splits import read_split
from cxr_models.runs.finished import read_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxr_models.audit.results import Audit
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.results import Interval


def audit(split: Path, method: Method, *, run: Path | None, as_json: bool) -> int:
    """Print what every shortcut reaches on the test set of `split`, and a verdict."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        checked_split = read_split(split)
        finished = None if run is None else read_run(run, split=split)
    with _console.errors_exit_with(_console.FAILED):
        if finished is not None:  # before what takes minutes, should it not be installed
            load_framework()
        images = sum(bool(record.split) for record in checked_split.manifest.records)
        with tqdm(total=images, unit="image", disable=True if as_json else None) as bar:

            def say(text: str) -> None:
                bar.close()  # all images are read by now
                _console.note_on_terminal(text)

            result = audited(checked_split, method, run=finished, progress=bar.update, say=say)
        if finished is not None:
            finished.folder.evaluation_folder.mkdir(exist_ok=True)
            write_record(finished.folder.audit_file, result)
    if as_json:
        _console.say(json.dumps(to_json(result), allow_nan=False))
        return 0
    for line in audit_lines(result):
        _console.say(_console.printable(line))
    return 0


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
    if audit.run is not None:
        yield "a blanked region is replaced by the image's mean before any other step"
    yield f"Verdict: {audit.verdict}."


def _value(number: float | None, interval: Interval | None) -> str:
    if number is None:
        return "-"
    if interval is None:
        return f"{number:.3f} [no interval]"
    return f"{number:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
