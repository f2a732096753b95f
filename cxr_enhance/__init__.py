"""Enhance chest radiographs: percentile white balance, gray, CLAHE, with OpenCV's bytes.

The chain of :func:`enhance`:

1. White balance: stretch each channel between two percentiles.
2. Gray, where the image has three channels.
3. CLAHE: count the values tile by tile, clip, cumulate, blend between neighbouring tiles.

:func:`prepare` does it with crop, size, fit and type of the result as :class:`Preparation` states
them, the one step that archives, loaders and exported models share; it also says where each pixel
comes from.

Arrays in, arrays out, uint8 or uint16; every result equals that of the same chain written with
OpenCV and NumPy, byte for byte, but that the chain counts 256 gray levels of uint16 unless
``num_bins=None`` asks for all. Importing the package loads numpy, nothing else; the first operation
loads machine code, and Numba where there is none yet.
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

# What has to do with files is imported when it is first asked for; modules by their own names.
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

if not TYPE_CHECKING:  # or every name would be one to a type checker, whatever its spelling

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_LATER[name]}")
        value = module if name == _LATER[name] else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
