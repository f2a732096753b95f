"""What a run left behind for a report: settings, history, evaluation, predictions, audit.

Weights and images are not needed. What does not belong together is refused.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_models._json import read_json
from cxr_models.config import RunConfig
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.evaluate import FORMAT
from cxr_models.evaluation.metrics import CLASS_METRICS, POINT_METRICS, ImageStatistics
from cxr_models.evaluation.predictions import Predictions, read_predictions
from cxr_models.report.read.shapes import (
    audit_shape,
    classes_shape,
    evaluation_shape,
    facts_shape,
    misfit,
)
from cxr_models.runs.finished import file_sha256
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os

    import numpy.typing as npt

_EVALUATION = "evaluation"
_AGREE = 1e-6  # between a value as it was kept and as it is taken of the tables again


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that a report tells of a run.

    Parameters
    ----------
    name : str
        What it is called.
    path : Path
        Its folder.
    config : RunConfig
        Its settings.
    facts : dict
        What ``run.json`` holds: split, seed, weights, versions.
    history : tuple of dict
        A row an epoch.
    evaluation : dict
        As `cxr_models.evaluation.evaluate` makes it.
    sets : dict of str to Predictions
        The tables that the evaluation was made of, by name.
    audit : dict or None, default None
        As ``cxr-models audit --json`` prints it.
    """

    name: str
    path: Path
    config: RunConfig
    facts: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    evaluation: dict[str, Any]
    sets: dict[str, Predictions]
    audit: dict[str, Any] | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes it tells apart."""
        return tuple(self.evaluation["class_names"])

    @property
    def test(self) -> dict[str, Any] | None:
        """The evaluation of its test set; None where its split has none."""
        test: dict[str, Any] | None = self.evaluation["sets"].get("test")
        return test

    @property
    def externals(self) -> dict[str, dict[str, Any]]:
        """The evaluations on other sources."""
        return {n: one for n, one in self.evaluation["sets"].items() if one["kind"] == "external"}

    @property
    def judged(self) -> dict[str, dict[str, Any]]:
        """The evaluations on what was neither trained nor chosen on: test, and other sources."""
        return ({} if self.test is None else {"test": self.test}) | self.externals

    @property
    def overlays(self) -> Path:
        """Folder of overlays that show where the run looked."""
        return self.path / _EVALUATION / "gradcam"

    def calibrated(self, name: str) -> npt.NDArray[np.float64]:
        """Return the probabilities of a set after temperature scaling, of shape (N, K)."""
        return softmax(self.sets[name].logits, self.evaluation["calibration"]["temperature"])


def check_evaluated(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a folder holds no evaluation."""
    path = Path(path)
    if not (path / _EVALUATION / "evaluation.json").is_file():
        raise ValueError(
            f"`RUN` must be a run that was evaluated; got {str(path)!r}, which lacks "
            f"{_EVALUATION}/evaluation.json. Make it with: cxr-models evaluate {path}."
        )


def read_results(
    path: str | os.PathLike[str], *, name: str, audits: tuple[dict[str, Any], ...] = ()
) -> Results:
    """Read what a run left behind.

    Parameters
    ----------
    path : str or PathLike
        Its folder, with ``evaluation/evaluation.json`` and the tables beside it.
    name : str
        What to call it.
    audits : tuple of dict, default ()
        As `read_audit` gives them; the first of the run's split and classes is taken, unless
        ``evaluation/audit.json`` is there.

    Raises
    ------
    ValueError
        If something is missing, was changed, belongs to other weights or another split, or lies
        outside of the folder.
    OSError
        If a file cannot be read.
    """
    path = Path(path)
    folder = path / _EVALUATION
    check_evaluated(path)
    RunFolder(path=path).check_confined()
    evaluation = _object(folder / "evaluation.json")
    if evaluation.get("format") != FORMAT:
        raise ValueError(
            f"`evaluation.json` must be an evaluation of format {FORMAT}; got format "
            f"{evaluation.get('format')!r} in {str(path)!r}. Evaluate the run again, with its "
            f"predictions: cxr-models evaluate {path} --from-predictions."
        )
    facts = _object(path / "run.json")
    _check_shape("run.json", facts, facts_shape(), path)
    _check_shape("evaluation.json", evaluation, classes_shape(), path)
    names = evaluation["class_names"]
    _check_shape("evaluation.json", evaluation, evaluation_shape(names), path)
    run = Results(
        name=name,
        path=path,
        config=RunConfig.from_json((path / "config.json").read_text(encoding="utf-8")),
        facts=facts,
        history=tuple(RunFolder(path=path).read_history()),
        evaluation=evaluation,
        sets={
            one: _predictions(folder, one, told, evaluation)
            for one, told in evaluation["sets"].items()
        },
    )
    _check_unchanged(run)
    own = folder / "audit.json"
    if own.is_file():
        audit = read_audit(own)
        if not _fits(audit, run):
            raise ValueError(
                f"`audit.json` must be of the run's split, classes and weights; got {str(own)!r}, "
                f"which is not. Audit the run again: cxr-models audit SPLIT --run {path}."
            )
        return dataclasses.replace(run, audit=audit)
    return dataclasses.replace(run, audit=next((one for one in audits if _fits(one, run)), None))


def read_audit(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read an audit.

    Parameters
    ----------
    path : str or PathLike
        What ``cxr-models audit --json`` printed.

    Raises
    ------
    ValueError
        If it is none.
    OSError
        If it cannot be read.
    """
    audit = _object(Path(path))
    if wrong := misfit(audit, audit_shape()):
        raise ValueError(
            f"`--audit` must be what cxr-models audit --json prints; got {str(path)!r}, where "
            f"{wrong}."
        )
    return audit


def _check_shape(file: str, told: Any, shape: Any, run: Path) -> None:
    if wrong := misfit(told, shape):
        raise ValueError(
            f"`{file}` must be as cxr-models wrote it; got one in {str(run)!r} where {wrong}. "
            f"Make evaluation.json again with: cxr-models evaluate {run} --from-predictions."
        )


def _check_unchanged(run: Results) -> None:
    """Raise if the run has other settings or weights than those it was evaluated with."""
    weights = RunFolder(path=run.path).best_weights
    origins = [predictions.origin for predictions in run.sets.values()]
    for what, path, hashes in (
        ("settings", run.path / "config.json", {one.config_sha256 for one in origins}),
        ("weights", weights, {one.weights_sha256 for one in origins}),
    ):
        if path.is_file() and {file_sha256(path)} != hashes:
            raise ValueError(
                f"`evaluation.json` must be of the run's {what}; got {str(run.path)!r}, whose "
                f"{what} have changed since. Evaluate the run again: cxr-models evaluate "
                f"{run.path}."
            )


def _fits(audit: dict[str, Any], run: Results) -> bool:
    return (
        audit["split_sha256"] == run.facts.get("split_sha256")
        and sorted(audit["classes"]) == sorted(run.class_names)
        and audit.get("weights_sha256") in (None, run.evaluation["weights_sha256"])
    )


def _predictions(
    folder: Path, name: str, told: dict[str, Any], evaluation: dict[str, Any]
) -> Predictions:
    table = folder / (f"external-{name}.csv" if told["kind"] == "external" else f"{name}.csv")
    if table.resolve().parent != folder.resolve():  # a name with ../ in it
        raise ValueError(f"`evaluation.json` must name sets without folders; got {name!r}.")
    read = read_predictions(table)
    same = (
        read.origin.weights_sha256 == evaluation["weights_sha256"]
        and list(read.class_names) == evaluation["class_names"]
        and read.kind == told["kind"]
        and read.outcomes().confusion().tolist() == told["confusion"]["counts"]
        and _values_agree(read, told, evaluation["calibration"]["temperature"])
    )
    if not same:
        raise ValueError(
            f"`evaluation.json` must be made of the tables beside it; got another {table.name} in "
            f"{str(folder)!r}. Make it again: cxr-models evaluate {folder.parent} "
            "--from-predictions."
        )
    return read


def _values_agree(read: Predictions, told: dict[str, Any], temperature: float) -> bool:
    """Return whether the values are those of the table; intervals are believed."""
    points = [told["classes"][name]["operating_point"] for name in read.class_names]
    thresholds = tuple(point["threshold"] for point in points)
    statistics = ImageStatistics(read.outcomes(temperature=temperature, thresholds=thresholds))
    taken = statistics(np.ones((1, statistics.num_patients)))
    kept = dict(told["overall"])
    for name, point in zip(read.class_names, points, strict=True):
        kept |= {f"{metric}/{name}": told["classes"][name][metric] for metric in CLASS_METRICS}
        kept |= {f"point_{m}/{name}": point[m] for m in POINT_METRICS if m in point}
    values = {name: one["value"] for name, one in kept.items() if name in taken}
    return all(
        math.isnan(taken[name][0]) if value is None else abs(taken[name][0] - value) < _AGREE
        for name, value in values.items()
    )


def _object(path: Path) -> dict[str, Any]:
    try:
        told = read_json(path)
    except ValueError as error:
        raise ValueError(f"`{path.name}` must be JSON; got {str(path)!r}: {error}.") from error
    if not isinstance(told, dict):
        raise ValueError(f"`{path.name}` must hold one JSON object; got {str(path)!r}.")
    return told
