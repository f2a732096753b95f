"""Runs with random weights, and images for their predictions."""

import json
import shutil

import keras
import numpy as np
import pytest

from cxr_enhance import write_image
from cxr_models.evaluation.results import FORMAT
from cxr_models.networks.classifier import build_classifier
from cxr_models.records.manifest import Record
from cxr_models.records.splits import Split, read_split, split_records, write_split
from cxr_models.runs.finished import class_names_of, file_sha256, keep_split, read_run
from tests.helpers.radiographs import draw, write_class_folders
from tests.helpers.tiny_backbone import tiny_application, tiny_config


def make_run(folder, split: Split, *, backbone=tiny_application, **settings):
    """Write the folder of a run with random weights, as after training, but without training.

    `backbone` replaces NASNetMobile; None uses NASNetMobile itself.
    """
    changes = [(name.replace("__", "."), value) for name, value in settings.items()]
    config = tiny_config().with_settings(changes)
    names = split.class_names()
    outputs = len(class_names_of(config, names))
    with pytest.MonkeyPatch.context() as patch:
        if backbone is not None:
            patch.setattr(keras.applications, "NASNetMobile", backbone)
        model = build_classifier(config.with_setting("model.weights", "none"), outputs)
    rng = np.random.default_rng(5)
    if backbone is not None:  # weights with which outputs differ between images
        model.set_weights([rng.uniform(0.05, 0.6, w.shape) for w in model.get_weights()])
    head = model.get_layer("probabilities")
    head.set_weights([rng.normal(0, 0.05, w.shape) for w in head.get_weights()])
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config.to_json())
    facts = {
        "split_sha256": split.hash,
        "split_root": str(split.manifest.root),
        "class_names": list(names),
    }
    (folder / "run.json").write_text(json.dumps(facts))
    keep_split(folder, split)
    model.save_weights(folder / "best.weights.h5")
    return folder


def copy_run(run, folder, root):
    """Copy the folder of a run to `folder`, and set the root folder of its images to `root`."""
    shutil.copytree(run, folder)
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**facts, "split_root": str(root)}))
    return folder


def calibrate(run, temperature=1.7, threshold=0.35, **changes):
    """Write an evaluation with only the parts that predictions of new images need."""
    evaluation = {
        "weights_sha256": file_sha256(run / "best.weights.h5"),
        "calibration": {"temperature": temperature, "fitted_on": "val"},
        "format": FORMAT,
        "operating_points": {
            "rule": "made up",
            "chosen_on": "val",
            "thresholds": dict.fromkeys(read_run(run).class_names, threshold),
        },
    }
    (run / "evaluation").mkdir(exist_ok=True)
    (run / "evaluation/evaluation.json").write_text(json.dumps({**evaluation, **changes}))
    return run


def calibrate_findings(run, temperatures, thresholds, *, reasons=None, **changes):
    """Write an evaluation of findings with only the parts that predictions of new images need.

    `temperatures`, `thresholds` and `reasons` are dictionaries by finding.
    """
    calibration = {
        name: {"temperature": value, "fitted_on": "val"} for name, value in temperatures.items()
    }
    for name, reason in (reasons or {}).items():
        calibration[name]["reason"] = reason
    points = {"rule": "made up", "chosen_on": "val", "thresholds": thresholds}
    return calibrate(run, calibration=calibration, operating_points=points, **changes)


def write_images(folder, count=32):
    """Write gray and colour 8-bit images of various sizes; return the folder."""
    folder.mkdir()
    for i in range(count):
        image = draw(i, 30 + 3 * i, 0.3 * (i % 3))
        if i % 4 == 0:
            image = np.stack([image, image // 2, 255 - image], axis=-1)
        write_image(folder / f"{i:02d}.png", image)
    return folder


def write_small_split(folder):
    """Write 24 images of three classes and their split; return the split."""
    names = write_class_folders(folder, count=8)
    records = [
        Record(file=name, label=name.split("/")[0], patient=name.rsplit("-", 1)[0])
        for name in names
    ]
    write_split(folder / "split.csv", split_records(records, fractions=(0.5, 0.25, 0.25)), {})
    return read_split(folder / "split.csv")
