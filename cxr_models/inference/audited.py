"""The audit of a split: what shortcuts reach on it, and what is left of a run without lungs.

Imports no framework without a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxr_models._typed_json import converted
from cxr_models.audit.results import Audit
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_models.audit.results import Reached
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.records.splits import Split
    from cxr_models.runs.finished import FinishedRun


def audited(
    split: Split,
    method: Method,
    *,
    run: FinishedRun | None = None,
    progress: Callable[[int], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> Audit:
    """Train shortcuts on a split and test them; write nothing.

    Parameters
    ----------
    split : Split
        The split.
    method : Method
        Draws and seed.
    run : FinishedRun, optional
        A run of that split, whose predictions of whole and of blanked test images are judged too.
    progress : callable, optional
        Called with 1 after each image that is read for the shortcuts.
    say : callable, optional
        Called with a line before each further step.

    Raises
    ------
    ValueError
        If a part is empty, train holds one class only, the run is one with findings, or an image
        cannot be read.
    ImportError
        If scikit-learn is not installed.
    OSError
        If a file cannot be read.
    """
    from cxr_models.audit import shortcuts
    from cxr_models.audit.shortcut_features import read_features

    if run is not None and run.config.model.task == "multilabel":
        raise ValueError(
            "`--run` must be a run with classes; got one with findings. Leave it out: what "
            "shortcuts reach is told of labels."
        )
    tell = say or (lambda _text: None)
    manifest = split.manifest
    used = [place for place, record in enumerate(manifest.records) if record.split]
    records = [manifest.records[place] for place in used]
    paths = manifest.paths()
    paths = [paths[place] for place in used]
    classes = [record.label for record in records]
    if run is not None and run.config.model.task == "binary":
        rest, positive = run.class_names
        classes = [positive if label == positive else rest for label in classes]
    features = read_features(paths, progress=progress)
    tell("training shortcuts")
    reached = shortcuts.audit(records, classes, features, method)
    of_run: list[Reached | None] = [None, None, None]
    if run is not None:
        from cxr_models.inference.predict_blanked import predict_blanked

        tell("predicting the test set thrice: whole, and blanked")
        tested = [place for place, record in enumerate(records) if record.split == "test"]
        patients = np.array(components(records))[tested]
        true = [classes[place] for place in tested]
        files = [paths[place] for place in tested]
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
        split_sha256=split.hash,
        test_images=len(split.select("test").records),
        weights_sha256="" if run is None else run.weights_sha256,
    )
