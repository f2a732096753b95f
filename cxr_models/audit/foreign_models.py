"""Evaluation, comparison and audit of third-party models from tables of their predictions.

`read_models` checks the tables and `evaluate_models` computes the results; both write no files.
This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cxr_models.audit.foreign_results import EvaluatedPredictions
from cxr_models.evaluation.any_task import (
    evaluate_any,
    joined,
    lines_on_joining,
    with_any_subgroups,
)
from cxr_models.evaluation.evaluate import Method
from cxr_models.evaluation.finding_predictions import AnyPredictions, FindingPredictions
from cxr_models.evaluation.foreign_predictions import ForeignRun, check_same_files, read_foreign
from cxr_models.evaluation.group_columns import GroupColumn
from cxr_models.evaluation.options import check_validation
from cxr_models.evaluation.predictions import targets_of_labels
from cxr_models.evaluation.several_runs import several_runs
from cxr_models.evaluation.subgroups import check_columns_of_sets, lines_on_unstated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cxr_models.audit.findings_results import FindingsAudit
    from cxr_models.audit.results import Audit
    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.foreign_sources import Table

_WITHOUT = {  # for each option that needs the part val, what to do without this part
    "--sensitivity": "leave out --sensitivity; --threshold gives a threshold",
    "--at-specificity": "leave out --at-specificity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignModels:
    """The checked tables of third-party models, by the name of each model."""

    runs: dict[str, ForeignRun]
    sets: dict[str, Sequence[AnyPredictions]]  # sets of each model, with images joined to rows
    method: Method
    columns: tuple[GroupColumn, ...]  # columns that divide images into groups
    has_images: bool  # whether the images are available for the audit

    @property
    def remarks(self) -> dict[str, tuple[str, ...]]:
        """For each model, the assumptions about its table and the reason for no audit."""
        return {
            name: (*run.remarks, *_no_audit(run, has_images=self.has_images))
            for name, run in self.runs.items()
        }

    @property
    def lines(self) -> list[str]:
        """Sentences for the user on assumptions and omissions, each with the name of the model."""
        lines = []
        for name, remarks in self.remarks.items():
            lines += [f"{name}: {remark}" for remark in remarks]
            lines += lines_on_joining(self.runs[name].sets, self.method.aggregate)
            lines += lines_on_unstated(self.sets[name], self.columns)
        return lines

    @property
    def images(self) -> dict[tuple[str, ...], list[str]]:
        """The image paths of each split to audit, with the names of the models of this split."""
        models: dict[tuple[str, ...], list[str]] = {}
        for name, run in self.runs.items() if self.has_images else ():
            if not _why_no_audit(run):
                models.setdefault(tuple(run.split_images.paths), []).append(name)
        return models


def read_models(
    tables: Mapping[str, Table],
    method: Method,
    *,
    columns: Sequence[GroupColumn] = (),
    validation: Table | None = None,
    images: str | os.PathLike[str] | None = None,
    threshold: float | None = None,
) -> ForeignModels:
    """Read the tables of third-party models and check that they can be evaluated.

    Parameters
    ----------
    tables : mapping of str to str, PathLike or Columns
        The table of each model, by the name of the model; see `read_foreign`.
    method : Method
        The settings of the evaluation.
    columns : sequence of GroupColumn, default ()
        Columns whose values divide images into groups.
    validation : str, PathLike or Columns, optional
        A separate table of the part val; only allowed with one model.
    images : str or PathLike, optional
        The folder of the images, for the audit. None makes no audit.
    threshold : float, optional
        The threshold of all classes or findings; only allowed without a part val. None uses the
        threshold of ``method.rule``, by default 0.5.

    Raises
    ------
    TypeError
        If columns in memory contain values that are neither text nor numbers.
    ValueError
        If a table has invalid content, the tables do not have the same test files, or an option is
        not allowed with a table.
    OSError
        If a file cannot be read.
    """
    if threshold is not None:
        method = dataclasses.replace(
            method, rule=dataclasses.replace(method.rule, threshold=threshold)
        )
    if validation is not None and len(tables) > 1:
        raise ValueError(
            f"`--validation` is only allowed with one table; got {len(tables)}. Write "
            "the rows of val into each of them, with a column part."
        )
    runs = {
        name: read_foreign(table, name=name, validation=validation, images=images)
        for name, table in tables.items()
    }
    if len(runs) > 1:
        check_same_files(runs)
    for name, run in runs.items():
        _check_rule(name, run, method, threshold, alone=len(runs) == 1)
        if images is not None:
            _check_images(run, images)
        check_columns_of_sets(columns, run.sets)
    return ForeignModels(
        runs=runs,
        sets={name: joined(run.sets, method.aggregate) for name, run in runs.items()},
        method=method,
        columns=tuple(columns),
        has_images=images is not None,
    )


def evaluate_models(
    models: ForeignModels,
    *,
    progress: Callable[[int], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> EvaluatedPredictions:
    """Evaluate third-party models, compare them if there are several, and audit their splits.

    Parameters
    ----------
    models : ForeignModels
        The result of `read_models`.
    progress : callable, optional
        Function that is called with 1 after each image that is read for the audit.
    say : callable, optional
        Function that is called with a sentence before the shortcuts are trained.

    Raises
    ------
    ValueError
        If models of classes are compared with models of findings, or an image cannot be read.
    ImportError
        If scikit-learn, which the audit needs, is not installed.
    OSError
        If an image cannot be read.
    """
    method = models.method
    evaluations = {}
    for name, sets in models.sets.items():
        evaluation = evaluate_any(name, sets, method)
        evaluation = with_any_subgroups(evaluation, sets, models.columns, method)
        evaluations[name] = dataclasses.replace(evaluation, remarks=models.runs[name].remarks)
    several = None
    if len(evaluations) > 1:
        several = several_runs(evaluations, models.sets, method, {})
    return EvaluatedPredictions(
        evaluations=evaluations,
        remarks=models.remarks,
        audits=dict(_audits(models, progress, say)),
        several=several,
    )


def _check_rule(
    name: str, run: ForeignRun, method: Method, threshold: float | None, *, alone: bool
) -> None:
    """Raise ValueError if the table does not allow the way in which thresholds are chosen.

    The option `--validation` is only allowed with a table that is evaluated alone.
    """
    has_validation = any(predictions.kind == "val" for predictions in run.sets)
    if threshold is not None and has_validation:
        raise ValueError(
            "`--threshold` is only allowed without a validation part; got one in "
            f"{name}, on which thresholds are chosen."
        )
    with_part = (
        "Name the table of that part with --validation"
        if alone
        else "Write rows of that part into its table, with val in a column part"
    )
    cures = {option: f"{with_part}, or {without}." for option, without in _WITHOUT.items()}
    check_validation(name, run.sets, method, cures)


def _check_images(run: ForeignRun, images: str | os.PathLike[str]) -> None:
    paths = run.manifest.paths()
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise ValueError(
            f"`--images` must be the folder that the names in the column file start from; got "
            f"{os.fspath(images)!r}, where {len(missing):,} of {len(paths):,} files are not, such "
            f"as {missing[0]!r}."
        )


def _no_audit(run: ForeignRun, *, has_images: bool) -> list[str]:
    """Return the reason why there is no audit; empty if there is one."""
    if not has_images:
        return ["not audited: give the folder of the images with --images"]
    reason = _why_no_audit(run)
    return [f"not audited: {reason}"] if reason else []


def _why_no_audit(run: ForeignRun) -> str:
    """Return why the split of a model whose images are available cannot be audited."""
    if run.lacking:
        return (
            f"there are no rows of {' and '.join(run.lacking)}; models without lungs are trained "
            "on train, chosen on val and tested on test. Rows of train may leave their "
            "probabilities empty"
        )
    test = next(predictions for predictions in run.sets if predictions.kind == "test")
    if isinstance(test, FindingPredictions):
        return ""  # the audit has a reason for each finding
    labels = [record.label for record in run.manifest.select("train").records]
    trained = set(targets_of_labels(labels, test.class_names, test.labels).tolist())
    if len(trained) > 1:
        return ""
    return (
        f"all rows of train are of the class {test.class_names[trained.pop()]}; models without "
        "lungs are trained on images of at least two classes"
    )


def _audits(
    models: ForeignModels,
    progress: Callable[[int], object] | None,
    say: Callable[[str], object] | None,
) -> Iterator[tuple[str, Audit | FindingsAudit]]:
    """Yield the name and the audit of each model; images of equal splits are read only once."""
    images = models.images
    if not images:
        return
    from cxr_models.audit.foreign_audit import audit_foreign
    from cxr_models.audit.shortcut_features import read_features

    features: dict[str, Features] = {}
    for paths, names in images.items():
        features |= dict.fromkeys(names, read_features(paths, progress=progress))
    if say is not None:
        say("training shortcuts")
    for name, run in models.runs.items():
        if name in features:
            yield name, audit_foreign(run, features[name], models.method)
