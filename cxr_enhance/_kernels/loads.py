"""Load eight bytes at once.

The speed of passes that count or look up pixels is limited by loads. Reading pixels one by one
needs a load for each pixel, and LLVM does not merge byte loads that are used one at a time. This
module therefore writes a load of eight bytes explicitly.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic  # type: ignore[untyped-decorator]
def _load_word_compiled(_context: Any, row: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pixel = builder.gep(array.data, [args[1]])
        word = builder.load(builder.bitcast(pixel, ir.IntType(64).as_pointer()))
        word.align = 1  # rows start anywhere
        return word

    return types.uint64(row, types.uintp), codegen


def _load_word_interpreted(row: npt.NDArray[Any], index: Any) -> Any:
    start = int(index)
    return np.frombuffer(row[start : start + 8 // row.itemsize].tobytes(), np.uint64)[0]


# (uint8[::1] | uint16[::1], uintp) -> uint64
# The eight bytes of `row` from element `index` on, the first pixel in the lowest bits (every
# platform that Numba compiles for is little-endian). All eight must lie inside `row`.
load_word = _load_word_interpreted if numba.config.DISABLE_JIT else _load_word_compiled
