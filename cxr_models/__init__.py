"""Train networks on chest radiographs, and say how much the result is worth.

In the order of the work::

    import cxr_models as cxm

    manifest = cxm.index("scans")                    # files, labels, patients, copies
    split = cxm.split(manifest, seed=1)              # train, val and test: no patient in two
    run = cxm.train(split, out="runs/first")         # a run: its folder holds everything
    evaluation = run.evaluate()                      # values with intervals; calibration
    audit = cxm.audit_split(split, run=run)          # what models reach that see no lungs
    predicted = run.predict(["new.png"])             # probabilities
    cxm.export(run, out="first.onnx", format="onnx") # for other programs

`evaluate_predictions` evaluates and compares models of others by what they predicted. `load_run`
loads a run again. ``split.to_tf("train")`` and ``split.to_torch("train")`` are datasets
for a training of your own; `build_classifier` is the network, `GradCam` where it looked, and
`register_backbone` makes other networks known. `RunConfig` holds all settings of a training,
`Choices` which images of a public set are taken. Whatever a function writes is what the command
``cxr-models`` writes: both can go on with it.

Importing the package loads no framework; a function loads what it needs when it is called.
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
