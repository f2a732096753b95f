"""One image made ready in one step: border, size, fit, enhancement, type; and the way back.

`Preparation` states what is done, `prepare` does it, `Transform` says where each pixel of the
result comes from, `map_points` takes points there and back. Archives, the loaders of tf.data and of
`cxr_models` all call this step; exports of `cxr_models` mirror it as layers.
"""

from __future__ import annotations

from cxr_enhance.preparation.options import Preparation
from cxr_enhance.preparation.prepare import Prepared, prepare
from cxr_enhance.preparation.transform import Transform, map_points

__all__ = ["Preparation", "Prepared", "Transform", "map_points", "prepare"]
