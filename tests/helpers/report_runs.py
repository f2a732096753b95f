"""Run folders with made-up predictions, from which reports can be made without training."""

import dataclasses
import json

import cv2
import numpy as np

from cxr_models._typed_json import to_json
from cxr_models.audit.finding_robustness import compare_perturbed_findings
from cxr_models.audit.findings_results import FindingsRobustness
from cxr_models.audit.perturbations import PERTURBATIONS
from cxr_models.audit.results import ROBUSTNESS_FORMAT, Robustness
from cxr_models.audit.robustness import Changed, compare_perturbed
from cxr_models.config import RunConfig
from cxr_models.evaluation.any_task import with_any_subgroups
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.finding_predictions import (
    read_finding_predictions,
    write_finding_predictions,
)
from cxr_models.evaluation.finding_statistics import outcomes_of
from cxr_models.evaluation.findings import evaluate_findings
from cxr_models.evaluation.group_columns import parse_columns
from cxr_models.evaluation.prediction_tables import Origin
from cxr_models.evaluation.predictions import read_predictions, write_predictions
from cxr_models.evaluation.stored import write_evaluation
from cxr_models.evaluation.subgroups import with_subgroups
from cxr_models.runs.facts import EpochRow, RunFacts
from cxr_models.runs.finished import file_sha256
from cxr_models.runs.folder import RunFolder
from tests.helpers.predicted import FINDINGS, make_finding_predictions, make_predictions

SPLIT = "5" * 64


def write_run(
    path, *, change=None, externals=("clinic",), root="/images", seed=0, by=None, images=90,
    **settings,
):  # fmt: skip
    """Write a run of three classes and return its folder.

    `change` is a function that changes the predictions of each set before they are written. `by`
    names the columns of subgroups.
    """
    rng = np.random.default_rng(seed)
    config, origin = begin_run(path, ("covid", "normal", "virus"), settings)
    (path / "evaluation").mkdir()
    sets = []
    for name in ("train", "val", "test", *externals):
        predictions = make_predictions(rng, images, name=name, root=root, origin=origin)
        if config.model.task == "binary":
            predictions = against_the_rest(predictions)
        if change is not None:
            predictions = change(predictions)
        file = name if name not in externals else f"external-{name}"
        write_predictions(path / f"evaluation/{file}.csv", predictions)
        sets.append(predictions)
    method = Method(draws=100)
    evaluation = evaluate_sets(path.name, sets, method)
    write_evaluation(path, with_subgroups(evaluation, sets, parse_columns(by), method))
    return path


def begin_run(path, labels, settings):
    """Write the settings, facts and history of a run; return its settings and its origin."""
    changes = [(name.replace("__", "."), value) for name, value in settings.items()]
    config = RunConfig().with_settings(changes)
    facts = RunFacts(
        split_sha256=SPLIT,
        split_seed=7,
        class_names=labels,
        weights=config.model.weights,
        backend="tensorflow",
        versions={"python": "3.11.0", "keras": "3.15.1"},
    )
    folder = RunFolder(path=path)
    folder.begin(config, facts)
    folder.write_history(
        [
            EpochRow(phase=phase, epoch=epoch, learning_rate=1e-3, loss=1 / (i + 1),
                     accuracy=0.5 + i / 10, val_loss=1.1 / (i + 1), val_accuracy=0.45 + i / 10,
                     seconds=1.0)
            for i, (phase, epoch) in enumerate([("head", 0), ("head", 1), ("fine_tune", 0)])
        ]
    )  # fmt: skip
    origin = Origin(
        weights_sha256="w" * 64,
        config_sha256=file_sha256(path / "config.json"),
        records_sha256="r",
        inputs="i",
    )
    return config, origin


def write_finding_run(
    path, *, change=None, externals=("clinic",), images=240, seed=0, root="/images", by=None,
    **settings,
):  # fmt: skip
    """Write a run with findings and return its folder.

    `change` is a function that changes the predictions of each set before they are written. `by`
    names the columns of subgroups.
    """
    rng = np.random.default_rng(seed)
    task = {"model__findings": FINDINGS, "model__task": "multilabel"}
    _, origin = begin_run(path, ("chest",), task | settings)
    (path / "evaluation").mkdir()
    sets = []
    for name in ("train", "val", "test", *externals):
        predictions = make_finding_predictions(rng, images, name=name, root=root, origin=origin)
        if change is not None:
            predictions = change(predictions)
        file = name if name not in externals else f"external-{name}"
        write_finding_predictions(path / f"evaluation/{file}.csv", predictions)
        sets.append(predictions)
    method = Method(draws=100)
    evaluation = evaluate_findings(path.name, sets, method)
    columns = parse_columns(by)
    write_evaluation(path, with_any_subgroups(evaluation, sets, columns, method))
    return path


def against_the_rest(predictions):
    """Return predictions of three classes as predictions of covid against the rest."""
    shares = predictions.probabilities[:, 0]
    probabilities = np.stack([1 - shares, shares], axis=1)
    return dataclasses.replace(
        predictions,
        class_names=("not covid", "covid"),
        logits=np.log(probabilities),
        probabilities=probabilities,
    )


def change_records(predictions, change):
    """Return predictions with changed records.

    `change` gets the position of a record and the record, and returns its new fields.
    """
    records = tuple(
        dataclasses.replace(record, **change(place, record))
        for place, record in enumerate(predictions.manifest.records)
    )
    manifest = dataclasses.replace(predictions.manifest, records=records)
    return dataclasses.replace(predictions, manifest=manifest)


def write_images(root, *, side=48, sets=("test", "clinic"), count=90):
    """Write images of noise with the names of the images of `write_run`."""
    rng = np.random.default_rng(0)
    for name in sets:
        (root / name).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 256, (side, side), np.uint8)
            cv2.imwrite(str(root / name / f"{number}.png"), image)


def write_audit(path, **changes):
    """Write an audit of the split of the runs that this module writes."""
    result = {
        "accuracy": 0.7, "interval": [0.6, 0.8], "balanced_accuracy": 0.65,
        "balanced_interval": None, "classifier": "logistic regression, C=1",
    }  # fmt: skip
    names = ("border", "thumbnail", "histogram", "size", "majority", "label_from_source")
    none = dict.fromkeys(("accuracy", "interval", "balanced_accuracy", "balanced_interval"))
    audit = {
        **{name: result for name in names},
        "source": {**none, "reason": "train does not state two sources"},
        "verdict": "a model that sees only the border reaches 0.70: these labels are readable",
        "classes": ["covid", "normal", "virus"],
        "split_sha256": SPLIT,
        "test_images": 90,
        **changes,
    }
    path.write_text(json.dumps(audit))
    return path


def write_robustness(run, *, names=None, scale=1.0, **changes):
    """Write the robustness of a run, made from its test logits with more noise for each change."""
    rng = np.random.default_rng(3)
    outcomes = read_predictions(run / "evaluation/test.csv").outcomes()
    chosen = [one for one in PERTURBATIONS if names is None or one.name in names]
    changed = [
        Changed(
            one.name, one.title, outcomes.logits + rng.normal(0, scale * i, outcomes.logits.shape)
        )
        for i, one in enumerate(chosen)
    ]
    method = Method(draws=100)
    unperturbed, perturbed = compare_perturbed(outcomes, changed, method)
    robustness = Robustness(
        format=ROBUSTNESS_FORMAT,
        version="0",
        classes=outcomes.class_names,
        split_sha256=SPLIT,
        weights_sha256="w" * 64,
        temperature=1.0,
        bootstrap=method.bootstrap,
        seed=0,
        images=len(outcomes.targets),
        patients=int(outcomes.patients.max()) + 1,
        test_images=len(outcomes.targets),
        unperturbed=unperturbed,
        perturbed=perturbed,
    )
    path = run / "evaluation/robustness.json"
    path.write_text(json.dumps(to_json(robustness) | changes))
    return path


def write_finding_robustness(run, *, names=None, scale=1.0, **changes):
    """Write the robustness of a run with several findings, as `write_robustness` does."""
    rng = np.random.default_rng(3)
    predictions = read_finding_predictions(run / "evaluation/test.csv")
    outcomes = outcomes_of(predictions)
    chosen = [one for one in PERTURBATIONS if names is None or one.name in names]
    changed = [
        Changed(
            one.name, one.title, outcomes.logits + rng.normal(0, scale * i, outcomes.logits.shape)
        )
        for i, one in enumerate(chosen)
    ]
    method = Method(draws=100)
    compared = compare_perturbed_findings(outcomes, changed, method)
    robustness = FindingsRobustness(
        format=ROBUSTNESS_FORMAT,
        version="0",
        task="multilabel",
        findings=predictions.findings,
        split_sha256=SPLIT,
        weights_sha256="w" * 64,
        bootstrap=method.bootstrap,
        seed=0,
        images=len(outcomes.targets),
        patients=int(outcomes.patients.max()) + 1,
        test_images=len(outcomes.targets),
        **compared._asdict(),
    )
    path = run / "evaluation/robustness.json"
    path.write_text(json.dumps(to_json(robustness) | changes))
    return path
