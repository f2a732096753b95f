"""Training targets: the numbers for labels and findings; imports no framework."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._json import parse_json
from cxr_models._settings import suggestion
from cxr_models.records.layouts.values import ABSENT, PRESENT, UNCERTAIN, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cxr_models.config import ModelConfig, Uncertain
    from cxr_models.records.manifest import Manifest

    Targets = npt.NDArray[np.int32]
    FindingTargets = npt.NDArray[np.int8]

UNKNOWN_TARGET = -1


def finding_targets(
    manifest: Manifest, findings: Sequence[str], uncertain: Uncertain = "unknown"
) -> FindingTargets:
    """Return the target of each record and finding: 1 (present), 0 (absent) or -1 (unknown).

    Parameters
    ----------
    manifest : Manifest
        N records. A finding that a record does not have is unknown.
    findings : sequence of str
        Names of K findings.
    uncertain : {"unknown", "absent", "present"}, default "unknown"
        Value that an uncertain finding counts as.

    Returns
    -------
    ndarray of shape (N, K), dtype int8
        Targets, one row per record.

    Examples
    --------
    >>> from pathlib import Path
    >>> from cxr_models.records.manifest import Manifest, Record
    >>> record = Record(file="a.png", label="a", findings=(("Mass", "1"), ("Edema", "u")))
    >>> finding_targets(Manifest(records=(record,), root=Path()), ["Edema", "Mass", "Hernia"])
    array([[-1,  1, -1]], dtype=int8)
    """
    of_uncertain = {"unknown": UNKNOWN_TARGET, "absent": 0, "present": 1}[uncertain]
    target_of = {PRESENT: 1, ABSENT: 0, UNCERTAIN: of_uncertain, UNKNOWN: UNKNOWN_TARGET}
    # Keyed by identity: records share tuples of findings, and keep these tuples alive.
    rows: dict[int, list[int]] = {}
    for record in manifest.records:
        if id(record.findings) not in rows:
            value_of = dict(record.findings)
            rows[id(record.findings)] = [target_of[value_of.get(n, UNKNOWN)] for n in findings]
    targets = [rows[id(record.findings)] for record in manifest.records]
    return np.array(targets, np.int8).reshape(len(targets), len(findings))


def check_findings(manifest: Manifest, findings: Sequence[str]) -> None:
    """Raise ValueError if one of `findings` is not a column of the manifest."""
    there = manifest.finding_names()
    missing = [name for name in findings if name not in there]
    if missing:
        raise ValueError(
            f"`findings` must be columns finding:NAME of the split ({', '.join(there) or 'none'})"
            f"; got {', '.join(missing)}.{suggestion(missing[0], there)}"
        )


def targets_of(manifest: Manifest, class_names: Sequence[str], config: ModelConfig) -> Targets:
    """Return the targets of the records for the task of a run.

    Parameters
    ----------
    manifest : Manifest
        N records.
    class_names : sequence of str
        All labels, in the order of the classes.
    config : ModelConfig
        Task, positive class, findings, and rule for uncertain findings.

    Returns
    -------
    ndarray of shape (N,) or (N, K), dtype int32
        For ``multiclass``, the index of the label in `class_names`. For ``binary``, 1 for the
        positive class and 0 for all others. For ``multilabel``, the result of `finding_targets`.

    Raises
    ------
    ValueError
        If a label or the positive class is not in `class_names`.
    """
    if config.task == "multilabel":
        return finding_targets(manifest, config.findings, config.uncertain).astype(np.int32)
    check_positive_class(config, class_names)
    places = {name: place for place, name in enumerate(class_names)}
    unknown = sorted({record.label for record in manifest.records} - set(places))
    if unknown:
        raise ValueError(
            f"`label` must be one of {', '.join(class_names)}; got {', '.join(unknown)}."
        )
    labels = [record.label for record in manifest.records]
    if config.task == "binary":
        return np.array([label == config.positive_class for label in labels], np.int32)
    return np.array([places[label] for label in labels], np.int32)


def check_positive_class(config: ModelConfig, class_names: Sequence[str]) -> None:
    """Raise ValueError if the task is binary and its positive class is not in `class_names`."""
    if config.task == "binary" and config.positive_class not in class_names:
        setting = f"model.positive_class={_as_setting(class_names[0])}"
        raise ValueError(
            f"`positive_class` must be one of {', '.join(class_names)}; got "
            f"{config.positive_class!r}. Name the label to tell from the others, such as: "
            f"--set {shlex.quote(setting)}"
        )


def _as_setting(label: str) -> str:
    """Return the text that ``--set`` reads as `label`; quoted if the label is valid JSON."""
    try:
        parse_json(label)
    except ValueError:
        return label
    return f'"{label}"'
