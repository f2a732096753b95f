"""`cxr-models evaluate-predictions`: tables of models of others to values, tests and folders."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from cxr_models._outputs import Kind, check_output, replaces_output
from cxr_models._typed_json import to_json, write_record
from cxr_models.audit.results import Audit
from cxr_models.cli import _console
from cxr_models.cli._audit import audit_lines, findings_audit_lines
from cxr_models.cli._evaluate import (
    check_stored_columns,
    say_differing,
    say_evaluation,
    say_several,
    say_unstated,
)
from cxr_models.evaluation.any_task import (
    evaluate_any,
    joined,
    with_any_subgroups,
)
from cxr_models.evaluation.foreign_predictions import check_same_files, read_foreign
from cxr_models.evaluation.several_runs import several_runs
from cxr_models.evaluation.stored import is_foreign, stored_sets, write_evaluation, write_sets
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from cxr_models.audit.findings_results import FindingsAudit
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.evaluation.foreign_predictions import ForeignRun
    from cxr_models.evaluation.group_columns import GroupColumn

COMPARISON_FILE = "comparison.json"
_FILE = re.compile(r"(train|val|test|external-.+)\.csv|evaluation\.json|audit\.json")


def _is_output(path: Path) -> bool:
    if (path / "evaluation").is_dir():
        return _is_model(path)
    folders = [child for child in path.iterdir() if child.name != COMPARISON_FILE]
    return bool(folders) and all(map(_is_model, folders))


def _is_model(folder: Path) -> bool:
    """Tell a folder that holds what is written here and nothing else; tables must be unchanged."""
    evaluation = RunFolder(path=folder).evaluation_folder
    return (
        list(folder.iterdir()) == [evaluation]
        and all(_FILE.fullmatch(child.name) for child in evaluation.iterdir())
        and is_foreign(folder)
        and bool(stored_sets(folder))
    )


MODELS = Kind("what cxr-models evaluate-predictions wrote", _is_output, folder=True)


class Given(NamedTuple):
    """What the options of the command say."""

    tables: Sequence[Path]
    validation: Path | None
    images: Path | None
    sensitivity: float | None
    at_specificity: str | None
    threshold: float | None


def evaluate_predictions(
    given: Given,
    out: Path,
    method: Method,
    *,
    columns: Sequence[GroupColumn] = (),
    overwrite: bool,
    as_json: bool,
) -> int:
    """Evaluate each table and the groups that `columns` make, and write folders to `out`."""
    inputs = [*given.tables, *([given.validation] if given.validation else [])]
    with _console.errors_exit_with(_console.WRONG_USAGE):
        if given.validation is not None and len(given.tables) > 1:
            raise ValueError(
                f"`--validation` is only allowed with one table; got {len(given.tables)}. Write "
                "the rows of val into each of them, with a column part."
            )
        names = _names_of(given.tables) if len(given.tables) > 1 else [out.resolve().name]
        check_output(out, MODELS, overwrite=overwrite, inputs=inputs)
        runs = {
            name: read_foreign(table, validation=given.validation, images=given.images)
            for name, table in zip(names, given.tables, strict=True)
        }
        if len(runs) > 1:
            check_same_files(runs)
        for name, run in runs.items():
            _check_rule(name, run, given)
            if given.images is not None:
                _check_images(run, given.images)
            check_stored_columns(run.sets, columns, cure="")
        sets = {name: joined(run.sets, method.aggregate) for name, run in runs.items()}
    for name, run in runs.items():
        for remark in (*run.remarks, *_no_audit(run, given.images)):
            _console.complain(_console.printable(f"{name}: {remark}"))
        say_differing(run.sets, method)
        say_unstated(sets[name], columns)
    with _console.errors_exit_with(_console.FAILED):
        evaluations = {
            name: with_any_subgroups(evaluate_any(name, of_run, method), of_run, columns, method)
            for name, of_run in sets.items()
        }
        several = several_runs(evaluations, sets, method, {}) if len(runs) > 1 else None
        audits = _audits(runs, method, quiet=as_json) if given.images is not None else {}
        with replaces_output(out, MODELS, overwrite=overwrite, inputs=inputs) as temporary:
            for name, run in runs.items():
                folder = temporary / name if several else temporary
                write_sets(folder, run.sets)
                write_evaluation(folder, evaluations[name])
                if name in audits:
                    write_record(RunFolder(path=folder).audit_file, audits[name])
            if several is not None:
                write_record(temporary / COMPARISON_FILE, several)
    if as_json:
        result = to_json(evaluations[names[0]] if several is None else several)
        _console.say(json.dumps(result, allow_nan=False))
        return 0
    for name in names:
        say_evaluation(evaluations[name])
        if name in audits:
            _console.say("")
            _print_lines(_lines_of(audits[name]))
        _console.say("")
    if several is not None:
        say_several(several)
    _console.say(_console.printable(f"wrote {out}"))
    return 0


def _names_of(tables: Sequence[Path]) -> list[str]:
    """Name tables by their files, with as much of the path as it takes to tell them apart."""
    paths = [table.resolve() for table in tables]
    if len(set(paths)) < len(paths):
        raise ValueError("`PREDICTIONS` must name different tables; got one twice.")
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        words = ["-".join(path.with_suffix("").parts[-depth:]) for path in paths]
        names = [re.sub(r"[^\w.-]+", "_", word).strip("._") for word in words]
        different = {name.casefold() for name in names}
        if len(different) == len(names) and not different & {"", "evaluation", COMPARISON_FILE}:
            return names
    return [f"model-{number}" for number in range(1, len(paths) + 1)]


def _check_rule(name: str, run: ForeignRun, given: Given) -> None:
    """Raise if an option chooses thresholds in a way that the table does not allow."""
    has_validation = any(predictions.kind == "val" for predictions in run.sets)
    if given.threshold is not None and has_validation:
        raise ValueError(
            f"`--threshold` is only allowed without a validation part; got one in {name}, on which "
            "thresholds are chosen."
        )
    for option, value, otherwise in (
        ("--sensitivity", given.sensitivity, ", or give --threshold"),
        ("--at-specificity", given.at_specificity, ""),
    ):
        if value is not None and not has_validation:
            raise ValueError(
                f"`{option}` is only allowed with a validation part, on which thresholds are "
                f"chosen; got none in {name}. Name its table with --validation{otherwise}."
            )


def _check_images(run: ForeignRun, images: Path) -> None:
    paths = run.manifest.paths()
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise ValueError(
            f"`--images` must be the folder that the names in the column file start from; got "
            f"{str(images)!r}, where {len(missing):,} of {len(paths):,} files are not, such as "
            f"{missing[0]!r}."
        )


def _no_audit(run: ForeignRun, images: Path | None) -> list[str]:
    """Say why there is no audit; empty if there is one."""
    if images is None:
        return ["not audited: give the folder of the images with --images"]
    if not run.lacking:
        return []
    return [
        f"not audited: there are no rows of {' and '.join(run.lacking)}; models without lungs are "
        "trained on train, chosen on val and tested on test. Rows of train may leave their "
        "probabilities empty"
    ]


def _audits(
    runs: Mapping[str, ForeignRun], method: Method, *, quiet: bool
) -> dict[str, Audit | FindingsAudit]:
    """Audit the split of each table; images of equal splits are read once."""
    from cxr_models.audit.foreign_audit import audit_foreign, split_images
    from cxr_models.audit.shortcut_features import Features, read_features

    audits = {}
    features: dict[tuple[str, ...], Features] = {}
    for name, run in runs.items():
        if run.lacking:
            continue
        paths = tuple(split_images(run).paths)
        if paths not in features:
            with tqdm(total=len(paths), unit="image", disable=True if quiet else None) as bar:
                features[paths] = read_features(paths, progress=bar.update)
        _console.note_on_terminal("training shortcuts")
        audits[name] = audit_foreign(run, features[paths], method)
    return audits


def _lines_of(audit: Audit | FindingsAudit) -> Iterable[str]:
    return audit_lines(audit) if isinstance(audit, Audit) else findings_audit_lines(audit)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        _console.say(_console.printable(line))
