"""The kernels of gray images as compiled code with an address, for callers that are no Python.

A framework that takes operations of compiled code (TensorFlow) is given a function, compiled by
Numba, that calls an `Entry`. The plan reaches it as numbers in one array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from cxr_enhance._engine.planning import plan_of
from cxr_enhance._engine.stacks import takes_one_kernel
from cxr_enhance._kernels import enhance as kernels
from cxr_enhance._kernels.jit import function_for_c, inline_kernel
from cxr_enhance._kernels.plan import Plan
from cxr_enhance._params import EnhanceParams

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPILED_WITH = EnhanceParams(percentiles=None, tile_grid_size=(1, 1), num_bins=None)

# Saved graphs hold a plan's fields: operations that take another number of them need other names.
PLAN_SIZE = len(Plan._fields)
_AT: Any = Plan._make(range(PLAN_SIZE))  # where each field lies among the numbers


def plan_numbers(
    shape: tuple[int, ...], dtype: np.dtype[Any], params: EnhanceParams
) -> list[float] | None:
    """List the `PLAN_SIZE` numbers of the plan of a gray image.

    None if it takes two kernels, or if its values must be looked at first.
    """
    plan = plan_of(shape, dtype, params)
    looks = plan.bits < 8 * dtype.itemsize
    if looks or not takes_one_kernel(plan, dtype.itemsize):
        return None
    return [float(field) for field in plan]


# (float64[::1]) -> fields of Plan
@inline_kernel
def plan_fields(numbers: npt.NDArray[np.float64]) -> tuple[Any, ...]:
    """Take apart what `plan_numbers` listed; whole numbers are below 2**31, so nothing is lost."""
    plan = Plan(
        stretch=numbers[_AT.stretch] != 0,
        percentile_low=numbers[_AT.percentile_low],
        percentile_high=numbers[_AT.percentile_high],
        equalize=numbers[_AT.equalize] != 0,
        tiles_x=int(numbers[_AT.tiles_x]),
        tiles_y=int(numbers[_AT.tiles_y]),
        tile_width=int(numbers[_AT.tile_width]),
        tile_height=int(numbers[_AT.tile_height]),
        pad_y=int(numbers[_AT.pad_y]),
        limit=int(numbers[_AT.limit]),
        bit_shift=int(numbers[_AT.bit_shift]),
        bits=int(numbers[_AT.bits]),
        num_bins=int(numbers[_AT.num_bins]),
    )
    return plan[:]  # without its class, as kernels take it


class Entry(types.WrapperAddressProtocol):  # type: ignore[misc]
    """`enhance_u8` or `enhance_u16`, for compiled code to call: ``entry(images, out, fields)``.

    Numba calls it by its address. Named like any other function it would be compiled once more into
    its caller, which takes seconds. It gives True; False where an error left `out` unfinished.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        kernel: Any = kernels.enhance_u8 if dtype.itemsize == 1 else kernels.enhance_u16
        image = np.zeros((1, 2, 2), dtype)
        plan = plan_of((2, 2), dtype, _COMPILED_WITH)
        kernel(image, image.copy(), *plan)  # compiles it
        form = numba.typeof(image)
        self._compiled = next(
            compiled for given, compiled in kernel.overloads.items() if given[:2] == (form, form)
        )

    def __wrapper_address__(self) -> int:
        """Address of the code, by the calling convention of C."""
        name = self._compiled.fndesc.llvm_cfunc_wrapper_name
        return self._compiled.library.get_pointer_to_function(name)  # type: ignore[no-any-return]

    def signature(self) -> Any:
        """Numba's types of the result and the arguments."""
        return types.boolean(*self._compiled.signature.args)


def compile_callback(function: Callable[[Any, Any], None]) -> Any:
    """Compile a function of two pointers for a library in C to call, at the result's `address`."""
    return function_for_c(function, types.void(types.voidptr, types.voidptr))


def is_compiled() -> bool:
    """Tell whether there is compiled code at all (``NUMBA_DISABLE_JIT`` turns it off)."""
    return not numba.config.DISABLE_JIT
