"""Enhance chest radiographs: percentile white balance, gray, CLAHE, with OpenCV's bytes.

The steps of :func:`enhance`:

1. White balance: stretch each channel between two percentiles.
2. Gray: convert images of three channels to one channel.
3. CLAHE: count the values tile by tile, clip, cumulate, blend between neighbouring tiles.

:func:`prepare` enhances an image and also crops, resizes and converts it as :class:`Preparation`
states. Archives, loaders and exported models share this function. It also returns the position in
the original image that each pixel of the result comes from.

Operations take and return uint8 or uint16 arrays. Every result equals, byte for byte, the result of
the same chain written with OpenCV and NumPy. There is one exception: for uint16 images, `enhance`
counts 256 gray levels by default; ``num_bins=None`` counts all levels, as OpenCV does.

Importing the package loads numpy and nothing else. The first operation loads compiled machine code;
where no compiled code exists yet, it loads Numba and compiles.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cxr_enhance._batch import enhance_batch
from cxr_enhance._clahe import CLAHE, clahe
from cxr_enhance._engine.cpu import usable_cpus
from cxr_enhance._enhance import enhance
from cxr_enhance._gray import rgb_to_gray
from cxr_enhance._params import EnhanceParams
from cxr_enhance._tune import tune
from cxr_enhance._version import __version__
from cxr_enhance._warmup import warmup
from cxr_enhance._white_balance import white_balance

if TYPE_CHECKING:
    from cxr_enhance.io.read import read_image
    from cxr_enhance.io.write import write_image
    from cxr_enhance.preparation import Preparation, Transform, map_points, prepare

__all__ = [
    "CLAHE",
    "EnhanceParams",
    "Preparation",
    "Transform",
    "__version__",
    "clahe",
    "enhance",
    "enhance_batch",
    "map_points",
    "prepare",
    "read_image",
    "rgb_to_gray",
    "tune",
    "usable_cpus",
    "warmup",
    "white_balance",
    "write_image",
]

# These names are imported when they are first used: name -> module inside the package. An entry
# whose value equals its name gives the module itself.
_LATER = {
    "Preparation": "preparation",
    "Transform": "preparation",
    "io": "io",
    "map_points": "preparation",
    "preparation": "preparation",
    "prepare": "preparation",
    "read_image": "io.read",
    "write_image": "io.write",
}

if not TYPE_CHECKING:  # otherwise a type checker would accept every name, misspelled names too

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_LATER[name]}")
        value = module if name == _LATER[name] else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
