"""Train networks on chest radiographs, and measure how far their results can be trusted.

The functions, in the order in which a project needs them::

    import cxr_models as cxm

    manifest = cxm.index("scans")                    # files, labels, patients, copies
    split = cxm.split(manifest, seed=1)              # train, val, test; each patient in one
    run = cxm.train(split, out="runs/first")         # a run: a folder with all its results
    evaluation = run.evaluate()                      # metrics with intervals; calibration
    audit = cxm.audit_split(split, run=run)          # accuracy of models that see no lungs
    predicted = run.predict(["new.png"])             # probabilities
    cxm.export(run, out="first.onnx", format="onnx") # a file for other programs

`evaluate_predictions` evaluates and compares other models from tables of their predictions.
`load_run` loads a run from its folder. For your own training loop, ``split.to_tf("train")`` and
``split.to_torch("train")`` return datasets, and `build_classifier` returns the network. `GradCam`
shows which regions of an image the network used. `register_backbone` adds a backbone. `RunConfig`
holds all settings of a training. `Choices` selects the images of a public set and their labels.
Each function writes the same files as the command ``cxr-models``, so you can use both on one
project.

Importing the package loads no framework. Each function loads its framework when it is called.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cxr_enhance import __version__
from cxr_models.backbones import register_backbone
from cxr_models.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from cxr_models.records.manifest import Manifest, Record, read_manifest, write_manifest
from cxr_models.records.splits import Split, read_split

if TYPE_CHECKING:
    from cxr_models.audit.foreign_results import EvaluatedPredictions
    from cxr_models.explain.gradcam import GradCam
    from cxr_models.library.auditing import audit_split
    from cxr_models.library.predictions import evaluate_predictions
    from cxr_models.library.records import index, split
    from cxr_models.library.run import Predicted, Run, export, load_run
    from cxr_models.library.training import build_classifier, train
    from cxr_models.records.choices import Choices

__all__ = [
    "Choices",
    "DataConfig",
    "EvaluatedPredictions",
    "GradCam",
    "Manifest",
    "ModelConfig",
    "Predicted",
    "Record",
    "Run",
    "RunConfig",
    "Split",
    "TrainingConfig",
    "__version__",
    "audit_split",
    "build_classifier",
    "evaluate_predictions",
    "export",
    "index",
    "load_run",
    "read_manifest",
    "read_split",
    "register_backbone",
    "split",
    "train",
    "write_manifest",
]

# Imported when they are first asked for.
_LATER = {
    "Choices": "records.choices",
    "EvaluatedPredictions": "audit.foreign_results",
    "GradCam": "explain.gradcam",
    "Predicted": "library.run",
    "Run": "library.run",
    "audit_split": "library.auditing",
    "build_classifier": "library.training",
    "evaluate_predictions": "library.predictions",
    "export": "library.run",
    "index": "library.records",
    "load_run": "library.run",
    "split": "library.records",
    "train": "library.training",
}

if not TYPE_CHECKING:  # or every name would be one to a type checker, whatever its spelling

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
