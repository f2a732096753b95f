"""Output folders of evaluated third-party models: their names, files and safe replacement.

The folder of a model has a subfolder ``evaluation`` with its tables, its evaluation and its audit,
like the folder of a run. Several models have one folder each, next to a file with their comparison.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cxr_models._outputs import Kind, replaces_output
from cxr_models._typed_json import write_record
from cxr_models.evaluation.stored import is_foreign, stored_sets, write_evaluation, write_sets
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cxr_models.audit.foreign_models import ForeignModels
    from cxr_models.audit.foreign_results import EvaluatedPredictions

COMPARISON_FILE = "comparison.json"
_FILE = re.compile(r"(train|val|test|external-.+)\.csv|evaluation\.json|audit\.json")


def _is_output(path: Path) -> bool:
    if (path / "evaluation").is_dir():
        return _is_model(path)
    folders = [child for child in path.iterdir() if child.name != COMPARISON_FILE]
    return bool(folders) and all(map(_is_model, folders))


def _is_model(folder: Path) -> bool:
    """Return whether a folder has only files that this module wrote, with unchanged tables."""
    evaluation = RunFolder(path=folder).evaluation_folder
    return (
        list(folder.iterdir()) == [evaluation]
        and all(_FILE.fullmatch(child.name) for child in evaluation.iterdir())
        and is_foreign(folder)
        and bool(stored_sets(folder))
    )


MODELS = Kind("what cxr-models evaluate-predictions wrote", _is_output, folder=True)


def names_of_tables(tables: Sequence[Path]) -> list[str]:
    """Return a different name for each table, made of its file name.

    Parent folders are added to the names until all names differ.

    Parameters
    ----------
    tables : sequence of Path
        The files of the tables.

    Raises
    ------
    ValueError
        If a file is given twice.
    """
    paths = [table.resolve() for table in tables]
    if len(set(paths)) < len(paths):
        raise ValueError("`PREDICTIONS` must name different tables; got one twice.")
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        words = ["-".join(path.with_suffix("").parts[-depth:]) for path in paths]
        names = [re.sub(r"[^\w.-]+", "_", word).strip("._") for word in words]
        if names_differ(names):
            return names
    return [f"model-{number}" for number in range(1, len(paths) + 1)]


def names_differ(names: Sequence[str]) -> bool:
    """Return whether names can be names of model folders side by side on every file system.

    The names must differ without regard to case. Names that the output already uses, such as
    ``comparison.json``, are not allowed.
    """
    different = {name.casefold() for name in names}
    return len(different) == len(names) and not different & {"", "evaluation", COMPARISON_FILE}


def write_models(
    out: Path,
    models: ForeignModels,
    evaluated: EvaluatedPredictions,
    *,
    overwrite: bool,
    inputs: Iterable[str | os.PathLike[str]],
) -> None:
    """Write the results of one model, or of several models with their comparison, atomically.

    Parameters
    ----------
    out : Path
        The folder to write. Each of several models has a subfolder.
    models : ForeignModels
        The models.
    evaluated : EvaluatedPredictions
        The results of the models.
    overwrite : bool
        Whether a folder from an earlier call may be replaced.
    inputs : iterable of str or PathLike
        Files that were read; the output must not replace them.

    Raises
    ------
    FileExistsError
        If `out` exists and `overwrite` is false.
    ValueError
        If `out` has files that are not results of an earlier call, or it would replace an input.
    OSError
        If a file cannot be written.
    """
    several = evaluated.several
    with replaces_output(out, MODELS, overwrite=overwrite, inputs=inputs) as temporary:
        for name, run in models.runs.items():
            folder = temporary if several is None else temporary / name
            write_sets(folder, run.sets)
            write_evaluation(folder, evaluated.evaluations[name])
            if name in evaluated.audits:
                write_record(RunFolder(path=folder).audit_file, evaluated.audits[name])
        if several is not None:
            write_record(temporary / COMPARISON_FILE, several)
