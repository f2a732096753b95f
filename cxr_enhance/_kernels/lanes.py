"""Lanes: vectors of eight numbers that are computed in parallel.

A loop over gray levels that adds to a running sum cannot process several levels in parallel, but it
can process several tiles in parallel. Compilers do not find this by themselves; the operations of
this module state it. LLVM maps them to the vector registers of the machine. Without compilation,
eight lanes are a NumPy array of length 8, and the same kernels run.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

from cxr_enhance._kernels.constants import LANES as LANES

if TYPE_CHECKING:
    from collections.abc import Callable

# Adding and subtracting 1.5 * 2**23 rounds a float32 between -2**22 and 2**22 to the nearest
# integer, half to even: OpenCV's cvRound, in two instructions that vectorise.
ROUND = np.float32(12582912.0)

Lanes = npt.NDArray[Any]  # int32 or float32


class _LanesType(types.Type):  # type: ignore[misc]
    def __init__(self, element: Any, count: int = LANES) -> None:
        self.element, self.count = element, count
        super().__init__(name=f"Lanes({element}, {count})")


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, lanes: _LanesType) -> None:
        element = manager.lookup(lanes.element).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(element, lanes.count))


def _pointer(context: Any, builder: Any, array_type: Any, args: Any) -> Any:
    # Returns a pointer to the eight elements of args[0] from args[1] on, as one vector.
    array = context.make_array(array_type)(context, builder, args[0])
    element = context.get_value_type(array_type.dtype)
    start = builder.gep(array.data, [args[1]])
    return builder.bitcast(start, ir.VectorType(element, LANES).as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def _load(_context: Any, array: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        loaded = builder.load(_pointer(context, builder, signature.args[0], args))
        loaded.align = 1  # lanes begin anywhere
        if signature.args[0].dtype == types.uint8:
            return builder.zext(loaded, ir.VectorType(ir.IntType(32), LANES))
        return loaded

    element = types.int32 if array.dtype == types.uint8 else array.dtype
    return _LanesType(element)(array, types.uintp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _store(_context: Any, array: Any, index: Any, lanes: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args)
        value = args[2]
        if value.type != pointer.type.pointee:  # the low bits of integers
            value = builder.trunc(value, pointer.type.pointee)
        builder.store(value, pointer).align = 1
        return context.get_dummy_value()

    return types.void(array, types.uintp, lanes), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _spread(_context: Any, number: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(args[0].type, LANES)
        first = builder.insert_element(
            ir.Constant(vector, ir.Undefined), args[0], ir.IntType(32)(0)
        )
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), everywhere)

    return _LanesType(number)(number), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _to_int(_context: Any, lanes: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.fptosi(args[0], ir.VectorType(ir.IntType(32), LANES))

    return _LanesType(types.int32)(lanes), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _to_float(_context: Any, lanes: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.sitofp(args[0], ir.VectorType(ir.FloatType(), LANES))

    return _LanesType(types.float32)(lanes), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _lower(_context: Any, a: Any, b: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed("<", *args), *args)

    return a(a, b), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _transpose(_context: Any, source: Any, start: Any, target: Any, at: Any, pitch: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte, word, square = ir.IntType(8), ir.IntType(32), LANES * LANES
        rows = context.make_array(signature.args[0])(context, builder, args[0]).data
        everything = ir.VectorType(byte, square)
        pointer = builder.bitcast(builder.gep(rows, [args[1]]), everything.as_pointer())
        loaded = builder.load(pointer)
        loaded.align = 1
        columns = context.make_array(signature.args[2])(context, builder, args[2]).data
        offset = args[3]
        undefined = ir.Constant(everything, ir.Undefined)
        for lane in range(LANES):
            places = [row * LANES + lane for row in range(LANES)]
            mask = ir.Constant(ir.VectorType(word, LANES), places)
            column = builder.shuffle_vector(loaded, undefined, mask)
            out = builder.bitcast(builder.gep(columns, [offset]), column.type.as_pointer())
            builder.store(column, out).align = 1
            offset = builder.add(offset, args[4])
        return context.get_dummy_value()

    return types.void(source, types.uintp, target, types.uintp, types.uintp), codegen


def _arithmetic(operation: Any, of_ints: str, of_floats: str) -> None:
    # Defines `a + b` and similar operations for lanes of any count; each operation is rounded.
    @intrinsic  # type: ignore[untyped-decorator]
    def compute(_context: Any, a: Any, b: Any) -> Any:
        name = of_floats if a.element == types.float32 else of_ints

        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return getattr(builder, name)(*args)

        return a(a, b), codegen

    @overload(operation, strict=False)  # type: ignore[untyped-decorator]
    def dispatch(a: Any, b: Any) -> Callable[..., Any] | None:
        if isinstance(a, _LanesType) and a == b:
            return lambda a, b: compute(a, b)
        return None


_arithmetic(operator.add, "add", "fadd")
_arithmetic(operator.sub, "sub", "fsub")
_arithmetic(operator.mul, "mul", "fmul")


# Each operation below has two forms: a compiled form, and one for NumPy arrays of eight elements.


def _load_array(array: npt.NDArray[Any], index: int) -> Lanes:
    lanes = array[int(index) : int(index) + LANES]
    return lanes.astype(np.int32) if lanes.dtype == np.uint8 else lanes.copy()


def _store_array(array: npt.NDArray[Any], index: int, lanes: Lanes) -> None:
    array[int(index) : int(index) + LANES] = lanes.astype(array.dtype)


def _spread_array(number: Any) -> Lanes:
    return np.full(LANES, number)


def _transpose_array(
    source: npt.NDArray[Any], start: int, target: npt.NDArray[Any], at: int, pitch: int
) -> None:
    square = source[int(start) : int(start) + LANES * LANES].reshape(LANES, LANES)
    for lane in range(LANES):
        first = int(at) + lane * int(pitch)
        target[first : first + LANES] = square[:, lane]


_interpreted = bool(numba.config.DISABLE_JIT)

# (int32[::1] | float32[::1] | uint8[::1], uintp) -> lanes from `index` on; uint8 widens to int32
load_lanes: Callable[..., Lanes] = _load_array if _interpreted else _load
# (int32[::1] | float32[::1] | uint8[::1], uintp, lanes) -> None; of integers, the low bits
store_lanes: Callable[..., None] = _store_array if _interpreted else _store
# (int32 | float32) -> lanes that all hold the number
spread: Callable[..., Lanes] = _spread_array if _interpreted else _spread
# (int32 lanes, int32 lanes) -> the lower of each two
lower: Callable[..., Lanes] = np.minimum if _interpreted else _lower
# (float32 lanes) -> int32 lanes, truncated
to_int: Callable[..., Lanes] = (lambda lanes: lanes.astype(np.int32)) if _interpreted else _to_int
# (int32 lanes) -> float32 lanes, rounded half to even
to_float: Callable[..., Lanes] = (
    (lambda lanes: lanes.astype(np.float32)) if _interpreted else _to_float
)
# (uint8[::1], uintp, uint8[::1], uintp, uintp) -> None
# Reads 8 times 8 lanes from `start` of the first array on and writes lane k of all eight, side by
# side, to `at + k * pitch` of the second.
transpose: Callable[..., None] = _transpose_array if _interpreted else _transpose
