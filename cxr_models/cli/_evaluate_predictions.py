"""`cxr-models evaluate-predictions`: evaluate and compare tables of predictions of any model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from cxr_models._outputs import check_output
from cxr_models._typed_json import to_json
from cxr_models.audit.foreign_folders import MODELS, names_of_tables, write_models
from cxr_models.audit.foreign_models import evaluate_models, read_models
from cxr_models.audit.results import Audit
from cxr_models.cli import _console
from cxr_models.cli._audit import audit_lines, findings_audit_lines
from cxr_models.cli._evaluate import say_evaluation, say_several

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cxr_models.audit.findings_results import FindingsAudit
    from cxr_models.audit.foreign_models import ForeignModels
    from cxr_models.audit.foreign_results import EvaluatedPredictions
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.group_columns import GroupColumn


class InputOptions(NamedTuple):
    """Options of the command that name its inputs."""

    tables: Sequence[Path]
    validation: Path | None
    images: Path | None
    threshold: float | None


def evaluate_predictions(
    options: InputOptions,
    out: Path,
    method: Method,
    *,
    columns: Sequence[GroupColumn] = (),
    overwrite: bool,
    as_json: bool,
) -> int:
    """Evaluate each table, with the subgroups of `columns`, and write a folder for each to `out`.

    With one table, `out` is the folder of its evaluation.
    """
    inputs = [*options.tables, *([options.validation] if options.validation else [])]
    with _console.errors_exit_with(_console.WRONG_USAGE):
        several = len(options.tables) > 1
        names = names_of_tables(options.tables) if several else [out.resolve().name]
        check_output(out, MODELS, overwrite=overwrite, inputs=inputs)
        models = read_models(
            dict(zip(names, options.tables, strict=True)),
            method,
            columns=columns,
            validation=options.validation,
            images=options.images,
            threshold=options.threshold,
        )
    for line in models.lines:
        _console.complain(_console.printable(line))
    with _console.errors_exit_with(_console.FAILED):
        evaluated = _evaluated(models, quiet=as_json)
        write_models(out, models, evaluated, overwrite=overwrite, inputs=inputs)
    if as_json:
        result = to_json(evaluated.several or evaluated.evaluation)
        _console.say(json.dumps(result, allow_nan=False))
        return 0
    for name, evaluation in evaluated.evaluations.items():
        say_evaluation(evaluation)
        if name in evaluated.audits:
            _console.say("")
            _print_lines(_lines_of(evaluated.audits[name]))
        _console.say("")
    if evaluated.several is not None:
        say_several(evaluated.several)
    _console.say(_console.printable(f"wrote {out}"))
    return 0


def _evaluated(models: ForeignModels, *, quiet: bool) -> EvaluatedPredictions:
    """Evaluate models; a progress bar counts the images that are read for their audits."""
    count = sum(map(len, models.images))
    with tqdm(total=count, unit="image", disable=True if quiet or not count else None) as bar:

        def say(text: str) -> None:
            bar.close()  # the first message comes after the last image was read
            _console.note_on_terminal(text)

        return evaluate_models(models, progress=bar.update, say=say)


def _lines_of(audit: Audit | FindingsAudit) -> Iterable[str]:
    return audit_lines(audit) if isinstance(audit, Audit) else findings_audit_lines(audit)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        _console.say(_console.printable(line))
