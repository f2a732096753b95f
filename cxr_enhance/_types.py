"""Array and option aliases shared by the package; no logic.

Shapes are not part of these types: they live in the docstrings.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

ImageU8: TypeAlias = npt.NDArray[np.uint8]
ImageU16: TypeAlias = npt.NDArray[np.uint16]
# uint8 or uint16; checked at run time, for most arrays are made with a dtype known only then.
Image: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]

ChannelOrder: TypeAlias = Literal["rgb", "bgr"]
Output: TypeAlias = Literal["gray", "rgb"]
Percentiles: TypeAlias = tuple[float, float]
TileGridSize: TypeAlias = tuple[int, int]
