"""Evaluate models from tables of their predictions: `evaluate_predictions`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_models._outputs import check_output
from cxr_models.library.warned import warns_beside
from cxr_models.library.wording import says_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cxr_models.audit.foreign_results import EvaluatedPredictions
    from cxr_models.evaluation.foreign_sources import Columns, Table

_NAME = re.compile(r"[\w-][\w.-]*")


@says_arguments(PREDICTIONS="predictions", RUN="predictions")
def evaluate_predictions(
    predictions: str
    | os.PathLike[str]
    | Columns
    | Sequence[str | os.PathLike[str]]
    | Mapping[str, str | os.PathLike[str] | Columns],
    *,
    validation: str | os.PathLike[str] | Columns | None = None,
    images: str | os.PathLike[str] | None = None,
    sensitivity: float | None = None,
    threshold: float | None = None,
    prevalence: float | Sequence[float] = (),
    at_specificity: float | Sequence[float] = (),
    aggregate: str | None = None,
    aggregate_by: str | None = None,
    by: str | Sequence[str] | None = None,
    draws: int = 2000,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> EvaluatedPredictions:
    """Evaluate the predictions of any model, with intervals, and compare several models.

    The function does the same as ``cxr-models evaluate-predictions`` and loads no framework;
    docs/tutorials/judge-your-model.md shows how to use it.

    Parameters
    ----------
    predictions : str, PathLike, columns, or several of these
        Table of the predictions of a model: a CSV file, a dictionary of lists or arrays, or a
        pandas data frame. Its columns are ``file``, ``label`` and ``prob:CLASS`` for each class, or
        ``file``, ``finding:NAME`` and ``prob:NAME`` for each finding. Further columns, such as
        ``patient`` and ``part``, are optional. To compare several models, give a list of CSV files,
        or a dictionary that has the table of each model under its name.
    validation : str, PathLike or columns, optional
        Table of the val set, if `predictions` is a single table without this set.
    images : str or PathLike, optional
        Folder of the images. File names in the tables are relative to it. If it is given, the
        split is audited, and ``cxr-models report`` shows images.
    sensitivity : float, optional
        Sensitivity that each operating point must reach on val. None takes the point with the
        largest sum of sensitivity and specificity (Youden).
    threshold : float, optional
        Operating point of all classes, if there is no val. None takes 0.5.
    prevalence : float or sequence of float, default ()
        Prevalences for which predictive values are computed. By default the prevalence of each set
        is taken.
    at_specificity : float or sequence of float, default ()
        Specificities on val for which sensitivities are computed.
    aggregate : {"patient", "study"}, optional
        Whether the images of each patient, or of each study, are joined to one prediction. None
        evaluates images.
    aggregate_by : {"mean", "max"}, optional
        How predictions are joined: by the mean of the logits, or by the maximum. The maximum is
        allowed for two classes and for findings. None takes the mean.
    by : str or sequence of str, optional
        Columns by which images are grouped: ``"sex,age"``, or ``["dose:10:50"]`` for bands.
    draws : int, default 2000
        Number of bootstrap draws of patients, for the intervals.
    seed : int, default 0
        Seed of the bootstrap draws.
    out : str or PathLike, optional
        New folder for the results. ``cxr-models report`` and ``cxr-models evaluate`` read it. None
        writes no files.
    overwrite : bool, default False
        Whether `out` may replace an earlier output of this function.
    progress : callable, optional
        Function that is called with 1 after each image that was read for the audit.
    say : callable, optional
        Function that is called with lines of text: assumptions about the tables, and the progress
        of the audit.

    Returns
    -------
    EvaluatedPredictions
        All values, by model and set. ``remarks`` holds the assumptions about the tables.

    Raises
    ------
    TypeError, ValueError
        If a column is missing, a cell is not allowed, there is nothing to test, or an argument is
        not allowed.
    FileExistsError
        If `out` exists and `overwrite` is false.
    ImportError
        If scikit-learn, which the audit needs, is not installed.
    OSError
        If a file cannot be read or written.

    Warns
    -----
    UserWarning
        If patients of a tested set are also in train or val.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> table = {
    ...     "file": ["a.png", "b.png", "c.png", "d.png"],
    ...     "label": ["covid", "covid", "normal", "normal"],
    ...     "patient": ["p1", "p2", "p3", "p4"],
    ...     "prob:covid": [0.9, 0.6, 0.7, 0.2],
    ... }
    >>> evaluated = cxm.evaluate_predictions(table, draws=100)
    >>> evaluated.evaluation.sets["test"].overall.accuracy.value
    0.75
    >>> other = table | {"prob:covid": [0.8, 0.9, 0.1, 0.3]}
    >>> both = cxm.evaluate_predictions({"mine": table, "theirs": other}, draws=100)
    >>> both.several.comparisons[0].accuracy.value
    -0.25
    """
    from cxr_models.audit.foreign_folders import MODELS, write_models
    from cxr_models.audit.foreign_models import evaluate_models, read_models
    from cxr_models.evaluation.options import columns_of, method_of

    method = method_of(
        draws=draws,
        seed=seed,
        sensitivity=sensitivity,
        prevalence=prevalence,
        at_specificity=at_specificity,
        aggregate=aggregate,
        aggregate_by=aggregate_by,
    )
    target = None if out is None else Path(out)
    tables = _tables(predictions, target)
    given = [*tables.values(), *([] if validation is None else [validation])]
    inputs = [table for table in given if isinstance(table, str | os.PathLike)]
    if target is not None:
        check_output(target, MODELS, overwrite=overwrite, inputs=inputs)
    models = read_models(
        tables,
        method,
        columns=columns_of(by),
        validation=validation,
        images=images,
        threshold=threshold,
    )
    tell = warns_beside(say)
    for line in models.lines:
        tell(line)
    evaluated = evaluate_models(models, progress=progress, say=say)
    if target is not None:
        write_models(target, models, evaluated, overwrite=overwrite, inputs=inputs)
    return evaluated


def _tables(predictions: Any, out: Path | None) -> dict[str, Table]:
    """Return the table of each model, by the model's name."""
    from cxr_models.audit.foreign_folders import names_differ

    if isinstance(predictions, str | os.PathLike):
        return {Path(predictions).stem if out is None else out.resolve().name: predictions}
    if isinstance(predictions, list | tuple):
        return _files(predictions, out)
    if not _has_columns(predictions):
        raise TypeError(
            "`predictions` must be a file, columns by name, or several of these; got "
            f"{type(predictions).__name__}."
        )
    values = [predictions[name] for name in predictions.keys()]  # noqa: SIM118 - a data frame too
    if not values or not all(isinstance(v, str | os.PathLike) or _has_columns(v) for v in values):
        return {"predictions" if out is None else out.resolve().name: predictions}
    names = [str(name) for name in predictions]
    if not names_differ(names) or not all(_NAME.fullmatch(name) for name in names):
        raise ValueError(
            "`predictions` must name models by different words that can name folders; got "
            f"{', '.join(names)}. Take letters, digits, - and _."
        )
    return dict(zip(names, values, strict=True))


def _files(files: Sequence[object], out: Path | None) -> dict[str, Table]:
    from cxr_models.audit.foreign_folders import names_of_tables

    paths = [file for file in files if isinstance(file, str | os.PathLike)]
    if not files or len(paths) < len(files):
        got = [type(file).__name__ for file in files if not isinstance(file, str | os.PathLike)]
        raise TypeError(
            f"`predictions` must list files, at least one; got {', '.join(got) or 'none'}. Name "
            "tables in memory, as in {'mine': table, 'theirs': other}."
        )
    if len(paths) == 1:
        return _tables(paths[0], out)
    return dict(zip(names_of_tables([Path(path) for path in paths]), paths, strict=True))


def _has_columns(value: object) -> bool:
    """Return whether a value is a table in memory. A pandas series has keys, but is no table."""
    return hasattr(value, "keys") and hasattr(value, "__getitem__") and not hasattr(value, "tolist")
