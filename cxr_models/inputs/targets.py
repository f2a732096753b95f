"""Labels to the numbers that a network is trained on; imports no framework."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import numpy as np

from cxr_models._json import parse_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from cxr_models.config import ModelConfig
    from cxr_models.records.manifest import Manifest

    Targets = npt.NDArray[np.int32]


def targets_of(manifest: Manifest, class_names: Sequence[str], config: ModelConfig) -> Targets:
    """Return each record's class: its place in `class_names`, or 1 for the positive class.

    Raises
    ------
    ValueError
        If a label is not in `class_names`, or the positive class is none of them.
    """
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
    """Raise ValueError if the task is binary and its positive class none of `class_names`."""
    if config.task == "binary" and config.positive_class not in class_names:
        setting = f"model.positive_class={_as_setting(class_names[0])}"
        raise ValueError(
            f"`positive_class` must be one of {', '.join(class_names)}; got "
            f"{config.positive_class!r}. Name the label to tell from the others, such as: "
            f"--set {shlex.quote(setting)}"
        )


def _as_setting(label: str) -> str:
    """Return what ``--set`` reads as the text `label`, though it looks like a number."""
    try:
        parse_json(label)
    except ValueError:
        return label
    return f'"{label}"'
