"""Classify chest radiographs: pipeline, backbones, transfer learning, honest evaluation.

Importing the package loads no framework. The modules that need Keras and TensorFlow import them
when they are imported themselves, or when they build a model; records, duplicates, splits and
configurations need neither.
"""

from cxr_enhance import __version__
from cxr_models.backbones import register_backbone
from cxr_models.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from cxr_models.records.manifest import Manifest, Record, read_manifest, write_manifest
from cxr_models.records.splits import Split, read_split

__all__ = [
    "DataConfig",
    "Manifest",
    "ModelConfig",
    "Record",
    "RunConfig",
    "Split",
    "TrainingConfig",
    "__version__",
    "read_manifest",
    "read_split",
    "register_backbone",
    "write_manifest",
]
