"""Judge models of others by tables of what they predicted: values, comparisons, audits.

Knows no framework. `read_models` checks the tables, `evaluate_models` computes; neither writes.
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
from cxr_models.evaluation.finding_predictions import AnyPredictions
from cxr_models.evaluation.foreign_predictions import ForeignRun, check_same_files, read_foreign
from cxr_models.evaluation.group_columns import GroupColumn
from cxr_models.evaluation.options import check_validation
from cxr_models.evaluation.several_runs import several_runs
from cxr_models.evaluation.subgroups import check_columns_of_sets, lines_on_unstated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cxr_models.audit.findings_results import FindingsAudit
    from cxr_models.audit.results import Audit
    from cxr_models.audit.shortcut_features import Features
    from cxr_models.evaluation.foreign_sources import Table

_CURES = {  # of options that need the part val
    "--sensitivity": "Name its table with --validation, or give --threshold.",
    "--at-specificity": "Name its table with --validation.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignModels:
    """Checked tables of models of others, by the name of each model."""

    runs: dict[str, ForeignRun]
    sets: dict[str, Sequence[AnyPredictions]]  # of the runs, their images joined as asked
    method: Method
    columns: tuple[GroupColumn, ...]  # that make groups of images
    has_images: bool  # whether images are at hand, for the audit

    @property
    def remarks(self) -> dict[str, tuple[str, ...]]:
        """What was assumed of each table, and why there is no audit of it."""
        return {
            name: (*run.remarks, *_no_audit(run, has_images=self.has_images))
            for name, run in self.runs.items()
        }

    @property
    def lines(self) -> list[str]:
        """Lines on what was assumed and what is left out, with the names of the models."""
        lines = []
        for name, remarks in self.remarks.items():
            lines += [f"{name}: {remark}" for remark in remarks]
            lines += lines_on_joining(self.runs[name].sets, self.method.aggregate)
            lines += lines_on_unstated(self.sets[name], self.columns)
        return lines

    @property
    def images(self) -> dict[tuple[str, ...], list[str]]:
        """The images of each split to audit, and the models that it is of."""
        models: dict[tuple[str, ...], list[str]] = {}
        for name, run in self.runs.items() if self.has_images else ():
            if not run.lacking:
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
    """Read tables of models of others, and check that they can be evaluated as asked.

    Parameters
    ----------
    tables : mapping of str to str, PathLike or Columns
        The name of each model, and its table; see `read_foreign`.
    method : Method
        How intervals are computed and operating points are chosen.
    columns : sequence of GroupColumn, default ()
        Columns that make groups of images.
    validation : str, PathLike or Columns, optional
        The table of the part val of the only model.
    images : str or PathLike, optional
        The folder of the images, for the audit.
    threshold : float, optional
        The operating point of all classes without a part val; None takes 0.5.

    Raises
    ------
    TypeError, ValueError
        If a table is not what it must be, or an option is not allowed with it.
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
        _check_rule(name, run, method, threshold)
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
    """Evaluate models of others, compare several, and audit their splits.

    Parameters
    ----------
    models : ForeignModels
        What `read_models` returns.
    progress : callable, optional
        Called with 1 after each image that is read for the audit.
    say : callable, optional
        Called with a line before each further step of the audit.

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


def _check_rule(name: str, run: ForeignRun, method: Method, threshold: float | None) -> None:
    """Raise if an option chooses thresholds in a way that the table does not allow."""
    has_validation = any(predictions.kind == "val" for predictions in run.sets)
    if threshold is not None and has_validation:
        raise ValueError(
            "`--threshold` is only allowed without a validation part; got one in "
            f"{name}, on which thresholds are chosen."
        )
    check_validation(name, run.sets, method, _CURES)


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
    """Say why there is no audit; empty if there is one."""
    if not has_images:
        return ["not audited: give the folder of the images with --images"]
    if not run.lacking:
        return []
    return [
        f"not audited: there are no rows of {' and '.join(run.lacking)}; models without lungs are "
        "trained on train, chosen on val and tested on test. Rows of train may leave their "
        "probabilities empty"
    ]


def _audits(
    models: ForeignModels,
    progress: Callable[[int], object] | None,
    say: Callable[[str], object] | None,
) -> Iterator[tuple[str, Audit | FindingsAudit]]:
    """Yield the audit of each model; images of equal splits are read once."""
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
