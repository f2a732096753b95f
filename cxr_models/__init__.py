"""Classify chest radiographs: pipeline, three backbones, transfer learning, honest evaluation."""

from cxr_enhance import __version__

__all__ = ["__version__"]
