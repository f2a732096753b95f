"""Prepare an image in one step: border, size, fit, enhancement and type; and map points back.

`Preparation` holds the options. `prepare` applies them to an image. `Transform` describes the
position in the original image that each pixel of the result comes from. `map_points` maps points
from an image to its result and back. Archives and the loaders of tf.data and `cxr_models` call
`prepare`. Models that `cxr_models` exports repeat its steps as layers.
"""

from __future__ import annotations

from cxr_enhance.preparation.options import Preparation
from cxr_enhance.preparation.prepare import Prepared, prepare
from cxr_enhance.preparation.transform import Transform, map_points

__all__ = ["Preparation", "Prepared", "Transform", "map_points", "prepare"]
