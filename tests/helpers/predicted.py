"""Made-up predictions of a model with a given skill, for patients with several images."""

import dataclasses
from pathlib import Path

import numpy as np

from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import FindingPredictions, sigmoid
from cxr_models.evaluation.metrics import Outcomes
from cxr_models.evaluation.prediction_tables import Origin
from cxr_models.evaluation.predictions import Predictions
from cxr_models.records.manifest import Manifest, Record

CLASSES = ("covid", "normal", "virus")
FINDINGS = ("Mass", "Effusion", "Hernia")
ORIGIN = Origin(weights_sha256="w", config_sha256="c", records_sha256="r", inputs="i")


def make_outcomes(rng, images=300, patients=120, *, classes=3, skill=1.5, decimals=1, **settled):
    """Return outcomes with ties among the scores."""
    targets = np.append(np.arange(classes), rng.integers(0, classes, images - classes))
    logits = rng.normal(size=(images, classes)).round(decimals)
    logits[np.arange(images), targets] += skill
    return Outcomes(
        class_names=CLASSES[:classes],
        targets=targets,
        logits=logits,
        probabilities=softmax(logits),
        patients=np.unique(rng.integers(0, patients, images), return_inverse=True)[1],
        **settled,
    )


def make_predictions(
    rng, images=60, *, name="test", kind=None, labels=None, root="/images", **fields
):
    """Return predictions of a set with two images per patient, two sources and two views."""
    if labels is None:
        labels = [CLASSES[(i // 2) % 3] for i in range(images)]
    split = kind or (name if name in ("train", "val", "test") else "external")
    records = tuple(
        Record(
            file=f"{name}/{i}.png",
            label=label,
            patient=f"{name}-{i // 2}",
            source=("here", "there")[i // 2 % 2],
            view=("PA", "")[i // 2 % 2],
            split="" if split == "external" else split,
        )
        for i, label in enumerate(labels)
    )
    logits = rng.normal(size=(len(labels), 3))
    logits[np.arange(len(labels)), [CLASSES.index(label) for label in labels]] += 1.5
    return Predictions(
        **{
            "name": name,
            "kind": split,
            "manifest": Manifest(records=records, root=Path(root)),
            "class_names": CLASSES,
            "labels": CLASSES,
            "logits": logits,
            "probabilities": softmax(logits),
            "origin": ORIGIN,
            **fields,
        }
    )


def with_logits(predictions, logits):
    return dataclasses.replace(predictions, logits=logits, probabilities=softmax(logits))


def make_finding_predictions(
    rng,
    images=60,
    *,
    name="test",
    shares=(0.5, 0.3, 0.2),
    hidden=0.2,
    skill=1.5,
    root="/images",
    **fields,
):
    """Return predictions of findings with two images per patient.

    `hidden` is the share of unknown labels.
    """
    split = fields.get("kind", name if name in ("train", "val", "test") else "external")
    records = tuple(
        Record(
            file=f"{name}/{i}.png",
            label="chest",
            patient=f"{name}-{i // 2}",
            source=("here", "there")[i // 2 % 2],
            view=("PA", "")[i // 2 % 2],
            split="" if split == "external" else split,
        )
        for i in range(images)
    )
    present = rng.random((images, len(shares))) < shares
    logits = rng.normal(size=present.shape) + skill * present
    unknown = rng.random(present.shape) < hidden
    return FindingPredictions(
        **{
            "name": name,
            "kind": split,
            "manifest": Manifest(records=records, root=Path(root)),
            "findings": FINDINGS[: len(shares)],
            "targets": np.where(unknown, -1, present).astype(np.int8),
            "logits": logits,
            "probabilities": sigmoid(logits),
            "origin": ORIGIN,
            **fields,
        }
    )
