"""Type aliases of arrays and options that the package shares.

The types do not include shapes; docstrings state the shapes.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

ImageU8: TypeAlias = npt.NDArray[np.uint8]
ImageU16: TypeAlias = npt.NDArray[np.uint16]
# uint8 or uint16. The dtype is checked at run time, because a type checker rarely knows it.
Image: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]

ChannelOrder: TypeAlias = Literal["rgb", "bgr"]
Output: TypeAlias = Literal["gray", "rgb"]
Percentiles: TypeAlias = tuple[float, float]
TileGridSize: TypeAlias = tuple[int, int]
