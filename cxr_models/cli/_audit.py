"""`cxr-models audit`: what shortcuts reach on a split, and what is left of a run without lungs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from cxr_models.cli import _console
from cxr_models.cli._evaluation_text import table
from cxr_models.cli._framework import load_framework
from cxr_models.evaluation.stored import evaluation_folder, write_json
from cxr_models.records.splits import read_split
from cxr_models.records.ties import components
from cxr_models.runs.finished import read_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cxr_models.evaluation.evaluate import Method

_TITLES = {
    "majority": "commonest label",
    "border": "border: the outer eighth of each side",
    "thumbnail": "thumbnail of 32 x 32",
    "histogram": "gray histogram of 16 bins",
    "size": "size and aspect ratio",
    "label_from_source": "name of the source",
    "run": "the run",
    "centre_blanked": "the run, centre blanked",
    "border_blanked": "the run, border blanked",
}
_OF_RUN = ("run", "centre_blanked", "border_blanked")


def audit(split: Path, method: Method, *, run: Path | None, as_json: bool) -> int:
    """Print what every shortcut reaches on the test set of `split`, and a verdict."""
    with _console.errors_exit_with(_console.WRONG_USAGE):
        read = read_split(split)
        finished = None if run is None else read_run(run, split=split)
    with _console.errors_exit_with(_console.FAILED):
        from cxr_models.audit import shortcuts
        from cxr_models.audit.shortcut_features import read_features

        if finished is not None:  # before what takes minutes, should it not be installed
            load_framework()
        manifest = read.manifest
        used = [place for place, record in enumerate(manifest.records) if record.split]
        records = [manifest.records[place] for place in used]
        paths = [manifest.paths()[place] for place in used]
        classes = [record.label for record in records]
        if finished is not None and finished.config.model.task == "binary":
            rest, positive = finished.class_names
            classes = [positive if label == positive else rest for label in classes]
        with tqdm(total=len(paths), unit="image", disable=True if as_json else None) as bar:
            features = read_features(paths, progress=bar.update)
        _console.note_on_terminal("training shortcuts")
        told = shortcuts.audit(records, classes, features, method)
        if finished is not None:
            from cxr_models.inference.predict_blanked import said_of

            _console.note_on_terminal("predicting the test set thrice: whole, and blanked")
            tested = [place for place, record in enumerate(records) if record.split == "test"]
            patients = np.array(components(records))[tested]
            true = [classes[place] for place in tested]
            files = [paths[place] for place in tested]
            said = said_of(finished, files, (None, "centre", "border"))
            for name, one in zip(_OF_RUN, said, strict=True):
                told[name] = shortcuts.accuracies(true, one, patients, method)
        told["verdict"] = shortcuts.verdict(told)
        told |= {
            "classes": sorted(set(classes)),
            "split_sha256": read.hash,
            "test_images": len(read.select("test").records),
        }
        if finished is not None:
            told["weights_sha256"] = finished.weights_sha256
            evaluation_folder(finished).mkdir(exist_ok=True)
            write_json(evaluation_folder(finished) / "audit.json", told)
    if as_json:
        _console.say(json.dumps(told, allow_nan=False))
        return 0
    for line in audit_lines(told):
        _console.say(_console.printable(line))
    return 0


def audit_lines(told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of an audit."""
    rows = [[f"on {told['test_images']} test images", "accuracy", "balanced", "chosen on val"]]
    for name, title in _TITLES.items():
        if name in told and told[name]["accuracy"] is not None:
            one = told[name]
            rows.append(
                [
                    title,
                    _value(one["accuracy"], one["interval"]),
                    _value(one["balanced_accuracy"], one["balanced_interval"]),
                    one.get("classifier", ""),
                ]
            )
    yield from table(rows)
    source = told["source"]
    if source["accuracy"] is None:
        yield f"source of an image: not judged, {source['reason']}"
    else:
        yield (
            f"source of an image, told from the thumbnail: "
            f"{_value(source['accuracy'], source['interval'])} among {source['sources']} sources "
            f"(the commonest alone gives {source['commonest']:.3f})"
        )
    if "run" in told:
        yield "blanked: replaced by the image's mean before anything else is done to it"
    yield f"Verdict: {told['verdict']}."


def _value(number: float, interval: list[float] | None) -> str:
    if interval is None:
        return f"{number:.3f} [no interval]"
    return f"{number:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
