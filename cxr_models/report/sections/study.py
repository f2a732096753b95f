"""Table of the study, for runs that use only images of the study."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

from cxr_models.backbones import backbone_title
from cxr_models.config import DataConfig
from cxr_models.evaluation.bootstrap import LEVEL
from cxr_models.report.blocks import Section, Table
from cxr_models.report.formatting import NONE, listed, number, value
from cxr_models.report.sections.run_groups import grouped

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from cxr_models.report.read.results import Results

_BACKBONES = ("nasnet_mobile", "resnet101", "inception_resnet_v2")
_COVID = "covid"  # label that occurs in every split of the study
# The sources of docs/study.md, and the labels that the study takes from each source.
_SOURCES = MappingProxyType(
    {
        "cxnet": {_COVID},
        "hannover": {_COVID},
        "ieee8023": {_COVID},
        "kermany": {"normal", "virus"},
        "nih_cxr14": {"normal", "virus"},
    }
)
_COLUMNS = (
    ("three classes, raw", "multiclass", False),
    ("three classes, enhanced", "multiclass", True),
    ("covid or not, raw", "binary", False),
    ("covid or not, enhanced", "binary", True),
)


def study_table(runs: Sequence[Results]) -> Section | None:
    """Return the accuracies by backbone, task and enhancement; None if no run is of the study.

    The runs of a table differ only in backbone, task, positive class, enhancement (also whether it
    comes before or after resizing) and seed, so that no other setting can explain a difference
    between two cells. Runs that are not of the study are left out.
    """
    groups = grouped([run for run in runs if is_of_the_study(run)], _settings_of_table)
    if not groups:
        return None
    return Section(
        title="The study's table",
        blocks=tuple(_table(group, alone=len(groups) == 1) for group in groups),
    )


def is_of_the_study(run: Results) -> bool:
    """Return whether a run has a backbone of the study and only images of the study.

    Every record must have a source of the study, and a label that the study takes from that
    source. Some records must be of COVID-19. The records of external sets are not considered. A
    third-party model is not of the study.
    """
    records = [
        record
        for predictions in run.sets.values()
        if predictions.kind != "external"
        for record in predictions.manifest.records
    ]
    return (
        run.config is not None
        and run.config.model.backbone in _BACKBONES
        and any(record.label == _COVID for record in records)
        and all(record.label in _SOURCES.get(record.source, ()) for record in records)
    )


def _table(runs: Sequence[Results], *, alone: bool) -> Table:
    rows = []
    for backbone in _BACKBONES:
        cells = []
        for _, task, enhanced in _COLUMNS:
            of_cell = [run for run in runs if _cell(run) == (backbone, task, enhanced)]
            cells.append(_shown(of_cell))
        rows.append((backbone_title(backbone), *cells))
    notes = [
        f"Test set, {100 * LEVEL:g} % intervals; the lowest and the highest accuracy of three or "
        "more runs. A dash: no such run. Read the table beside the accuracy of models that see no "
        "lungs, below."
    ]
    not_three = [
        run.name
        for run in runs
        if run.settings.model.task == "multiclass" and len(run.class_names) != 3
    ]
    if not_three:
        notes.append(f"Not three classes: {listed(not_three)}.")
    other_labels = [
        f"{run.name}: {run.settings.model.positive_class}"
        for run in runs
        if run.settings.model.task == "binary" and run.settings.model.positive_class != _COVID
    ]
    if other_labels:
        notes.append(f"Another label than {_COVID} against the rest: {listed(other_labels)}.")
    names = "" if alone else f": {listed([run.name for run in runs])}"
    if not alone:
        notes.append("Runs of other settings are in another table.")
    return Table(
        caption=f"Accuracy by backbone, task and enhancement{names}",
        head=("backbone", *(title for title, _, _ in _COLUMNS)),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _settings_of_table(run: Results) -> Hashable:
    """Return a key of the settings that all runs of a table share."""
    config = run.settings
    data = dataclasses.replace(config.data, cache_dir=None, enhance=None, order=DataConfig().order)
    model = dataclasses.replace(
        config.model, backbone=_BACKBONES[0], task="multiclass", positive_class=_COVID
    )
    training = dataclasses.replace(config.training, seed=0)
    return dataclasses.replace(config, data=data, model=model, training=training)


def _cell(run: Results) -> tuple[str, str, bool]:
    model = run.settings.model
    return model.backbone, model.task, run.settings.data.enhance is not None


def _enhancement(run: Results) -> Hashable:
    """Return the parameters and the place of the enhancement; None for a run without it."""
    data = run.settings.data
    return None if data.enhance is None else (data.enhance, data.order)


def _shown(runs: Sequence[Results]) -> str:
    """Return the text of a cell: the accuracies of its runs, by their enhancement."""
    groups = grouped([run for run in runs if run.test is not None], _enhancement)
    return "; ".join(_accuracies(group, alone=len(groups) == 1) for group in groups) or NONE


def _accuracies(runs: Sequence[Results], *, alone: bool) -> str:
    """Return the accuracies of runs with the same enhancement, with names unless `alone`."""
    accuracies = [(run.name, run.test.overall.accuracy) for run in runs if run.test is not None]
    if len(accuracies) > 2:
        values = [accuracy.value or 0.0 for _, accuracy in accuracies]
        which = f"{len(values)} runs" if alone else listed([name for name, _ in accuracies])
        return f"{number(min(values))} to {number(max(values))} ({which})"
    if len(accuracies) == 2 or not alone:
        return "; ".join(f"{value(accuracy)} ({name})" for name, accuracy in accuracies)
    return value(accuracies[0][1])
