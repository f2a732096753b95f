"""Wides: vectors of sixteen pixels that are computed in parallel.

For each pixel, four consecutive words of a table are looked up. The speed of looking up is limited
by loads, the speed of blending by arithmetic. One loop that does both for sixteen pixels lets a CPU
do the arithmetic while it waits for loads, and keeps the looked-up words in registers. Compilers
look up pixel by pixel, or use gather instructions, which are even slower. The operations of this
module state a faster way. LLVM maps them to the vector registers of the machine. `lanes` defines
the arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from cxr_enhance._kernels.lanes import _LanesType

if TYPE_CHECKING:
    from collections.abc import Callable

WIDE = 16
Wide = npt.NDArray[Any]  # uint32 or float32
FourWides = tuple[Wide, Wide, Wide, Wide]
_WORDS = 4  # number of words of a table that are looked up for each pixel


def _wide(element: Any) -> Any:
    return _LanesType(element, WIDE)


def _vector_at(context: Any, builder: Any, array_type: Any, args: Any, length: int) -> Any:
    # Returns a pointer to the `length` elements of args[0] from args[1] on, as one vector.
    array = context.make_array(array_type)(context, builder, args[0])
    element = context.get_value_type(array_type.dtype)
    start = builder.gep(array.data, [args[1]])
    return builder.bitcast(start, ir.VectorType(element, length).as_pointer())


def _load_at(builder: Any, pointer: Any) -> Any:
    loaded = builder.load(pointer)
    loaded.align = 4
    return loaded


@intrinsic  # type: ignore[untyped-decorator]
def _load(_context: Any, array: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load_at(builder, _vector_at(context, builder, signature.args[0], args, WIDE))

    return _wide(array.dtype)(array, types.uintp), codegen


def _shuffle(builder: Any, first: Any, second: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
    return builder.shuffle_vector(first, second, mask)


def _joined(builder: Any, vectors: list[Any]) -> Any:
    # Returns one vector that holds all vectors, one after the other.
    while len(vectors) > 1:
        places = list(range(2 * vectors[0].type.count))
        vectors = [
            _shuffle(builder, vectors[i], vectors[i + 1], places) for i in range(0, len(vectors), 2)
        ]
    return vectors[0]


@intrinsic  # type: ignore[untyped-decorator]
def _gather(_context: Any, table: Any, places: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place_of = context.make_array(signature.args[1])(context, builder, args[1]).data
        rows = []
        for pixel in range(WIDE):
            at = builder.add(args[2], ir.Constant(args[2].type, pixel))
            place = builder.zext(builder.load(builder.gep(place_of, [at])), args[2].type)
            rows.append(
                _load_at(
                    builder,
                    _vector_at(context, builder, signature.args[0], (args[0], place), _WORDS),
                )
            )
        # Pixel 4 * j + m lies in part j of vector m; then each part is transposed.
        mixed = [_joined(builder, rows[m::_WORDS]) for m in range(_WORDS)]
        parts = range(0, WIDE, _WORDS)

        def merge(first: Any, second: Any, order: tuple[int, int, int, int]) -> Any:
            places = [
                part + place if place < _WORDS else part + place - _WORDS + WIDE
                for part in parts
                for place in order
            ]
            return _shuffle(builder, first, second, places)

        low = [merge(mixed[m], mixed[m + 1], (0, 4, 1, 5)) for m in (0, 2)]
        high = [merge(mixed[m], mixed[m + 1], (2, 6, 3, 7)) for m in (0, 2)]
        words = [
            merge(first, second, order)
            for first, second in (low, high)
            for order in ((0, 1, 4, 5), (2, 3, 6, 7))
        ]
        return context.make_tuple(builder, signature.return_type, words)

    wide = _wide(table.dtype)
    return types.UniTuple(wide, _WORDS)(table, places, types.uintp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _store(_context: Any, array: Any, index: Any, wide: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _vector_at(context, builder, signature.args[0], args, WIDE)
        integers = builder.fptosi(args[2], ir.VectorType(ir.IntType(32), WIDE))
        stored = builder.store(builder.trunc(integers, pointer.type.pointee), pointer)
        stored.align = 1
        return context.get_dummy_value()

    return types.void(array, types.uintp, wide), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _spread(_context: Any, number: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        undefined = ir.Constant(ir.VectorType(args[0].type, WIDE), ir.Undefined)
        first = builder.insert_element(undefined, args[0], ir.IntType(32)(0))
        return _shuffle(builder, first, undefined, [0] * WIDE)

    return _wide(number)(number), codegen


def _half(shift: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def half(_context: Any, wide: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            vector = args[0].type
            if shift:
                bits = builder.lshr(args[0], ir.Constant(vector, [shift] * WIDE))
            else:
                bits = builder.and_(args[0], ir.Constant(vector, [0xFFFF] * WIDE))
            return builder.sitofp(bits, ir.VectorType(ir.FloatType(), WIDE))

        return _wide(types.float32)(wide), codegen

    return half


@intrinsic  # type: ignore[untyped-decorator]
def _step(_context: Any, table: Any, start: Any, rise: Any, way: Any, out: Any, at: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = signature.args[0], signature.args[4]
        first, step = (
            _load_at(builder, _vector_at(context, builder, source, (args[0], place), _WORDS))
            for place in args[1:3]
        )
        ways = ir.Constant(first.type, ir.Undefined)
        for place in range(_WORDS):
            ways = builder.insert_element(ways, args[3], ir.IntType(32)(place))
        pointer = _vector_at(context, builder, target, args[4:6], _WORDS)
        builder.store(builder.fadd(first, builder.fmul(ways, step)), pointer).align = 4
        return context.get_dummy_value()

    return types.void(table, types.uintp, types.uintp, way, out, types.uintp), codegen


def _load_array(array: npt.NDArray[Any], index: int) -> Wide:
    return array[int(index) : int(index) + WIDE].copy()


def _gather_array(table: npt.NDArray[Any], places: npt.NDArray[np.uint32], index: int) -> FourWides:
    starts = places[int(index) : int(index) + WIDE].astype(np.intp)
    return table[starts], table[starts + 1], table[starts + 2], table[starts + 3]


def _store_array(array: npt.NDArray[Any], index: int, wide: Wide) -> None:
    array[int(index) : int(index) + WIDE] = wide.astype(np.int32).astype(array.dtype)


def _step_array(
    table: npt.NDArray[Any], start: int, rise: int, way: Any, out: npt.NDArray[Any], at: int
) -> None:
    first, step = (table[int(place) : int(place) + _WORDS] for place in (start, rise))
    out[int(at) : int(at) + _WORDS] = first + way * step


_interpreted = bool(numba.config.DISABLE_JIT)

# (uint32[::1] | float32[::1], uintp) -> the sixteen elements from `index` on
load_wide: Callable[..., Wide] = _load_array if _interpreted else _load
# (uint8[::1] | uint16[::1], uintp, float32 wide) -> None; truncates, and stores the low bits
store_wide: Callable[..., None] = _store_array if _interpreted else _store
# (float32) -> wide that holds the number sixteen times
spread_wide: Callable[..., Wide] = (
    (lambda number: np.full(WIDE, number)) if _interpreted else _spread
)
# (T[::1], uint32[::1], uintp) -> four wides: of pixels `index` to ``index + 15``, the first,
# second, third and fourth of the words from ``table[places[pixel]]`` on
gather_words_wide: Callable[..., FourWides] = _gather_array if _interpreted else _gather
# (uint32 wide) -> float32 wide of the lower, or the upper, sixteen bits of each
low_half: Callable[..., Wide] = (
    (lambda wide: (wide & 0xFFFF).astype(np.float32)) if _interpreted else _half(0)
)
high_half: Callable[..., Wide] = (
    (lambda wide: (wide >> 16).astype(np.float32)) if _interpreted else _half(16)
)
# (float32[::1], uintp, uintp, float32, float32[::1], uintp) -> None
# Writes ``table[start] + way * table[rise]`` to ``out[at]``, and three more from the places after.
step_four: Callable[..., None] = _step_array if _interpreted else _step
