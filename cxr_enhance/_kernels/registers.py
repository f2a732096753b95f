"""Operations on registers of 64 bytes, which look up four rows of sixteen pixels without a load.

A processor with AVX-512 VBMI (such as Intel Ice Lake and AMD Zen 4) has 32 such registers. It has
an instruction that selects 64 bytes from two registers, each byte by its own index. Four registers
hold a table of 256 bytes. Two of these instructions and one selection look up 64 pixels; a load
looks up one pixel.

LLVM does not use this instruction by itself, so that this module calls it explicitly. Only
`blend_registers` uses the operations on registers, and `clahe_u8` uses `blend_registers` only if
`can_look_up` is true. Without compilation, which the tests use, a register is a NumPy array of 64
bytes or 16 float32, and the same kernels run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import codegen as numba_codegen
from numba.extending import intrinsic

from cxr_enhance._kernels.jit import inline_kernel
from cxr_enhance._kernels.lanes import _LanesType

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 4
ROW_PIXELS = 16  # number of pixels of each row in one register
_BYTES = ROWS * ROW_PIXELS
_TABLE_REGISTERS = 4

Register = npt.NDArray[Any]  # 64 uint8 or 16 float32

_NEEDED = ("+avx512f", "+avx512bw", "+avx512vl", "+avx512vbmi")

_byte, _word, _float = ir.IntType(8), ir.IntType(32), ir.FloatType()
_bytes = ir.VectorType(_byte, _BYTES)
_words = ir.VectorType(_word, ROW_PIXELS)
_floats = ir.VectorType(_float, ROW_PIXELS)
_quarter = ir.VectorType(_float, ROWS)
_row = ir.VectorType(_byte, ROW_PIXELS)
_Bytes = _LanesType(types.uint8, _BYTES)
_Floats = _LanesType(types.float32, ROW_PIXELS)
_Table = types.UniTuple(_Bytes, _TABLE_REGISTERS)


def can_look_up() -> bool:
    """Return whether kernels are compiled for a processor with AVX-512 VBMI.

    The result is False if ``NUMBA_DISABLE_JIT`` is set.

    The features are those that Numba uses: ``NUMBA_CPU_FEATURES`` if set, else those of the
    processor. The key of stored code (`code_stamp`) includes the features, so that a processor
    without them never loads this code.
    """
    features = numba.config.CPU_FEATURES
    if features is None:
        features = numba_codegen.get_host_cpu_features()
    return not numba.config.DISABLE_JIT and set(_NEEDED) <= set(features.split(","))


# (int64) -> uint8[::1]
@inline_kernel
def empty_aligned(size: int) -> npt.NDArray[np.uint8]:
    """Return an array of `size` bytes whose address is a multiple of 64.

    A load of 64 bytes that crosses a cache line takes twice as long. Without alignment, all loads
    of tables could cross cache lines.
    """
    room = np.empty(size + _BYTES, np.uint8)
    start = -room.ctypes.data % _BYTES
    return room[start : start + size]


def _constant(vector: Any, value: int) -> Any:
    return ir.Constant(vector, [value] * vector.count)


def _places(indices: Any) -> Any:
    return ir.Constant(ir.VectorType(_word, len(indices)), list(indices))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, at: Any, vector: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _row_pointers(context: Any, builder: Any, rows_type: Any, rows: Any, x: Any) -> Any:
    return [
        _pointer(context, builder, row_type, builder.extract_value(rows, k), x, _row)
        for k, row_type in enumerate(rows_type)
    ]


def _load_from(builder: Any, pointer: Any) -> Any:
    loaded = builder.load(pointer)
    loaded.align = 1  # rows and tables begin anywhere
    return loaded


@intrinsic  # type: ignore[untyped-decorator]
def _load_table(_context: Any, luts: Any, start: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = _pointer(context, builder, signature.args[0], args[0], args[1], _bytes)
        quarters = [
            _load_from(builder, builder.gep(first, [_word(k)])) for k in range(_TABLE_REGISTERS)
        ]
        return context.make_tuple(builder, _Table, quarters)

    return _Table(luts, types.uintp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _look_up(_context: Any, table: Any, pixels: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        quarters = [builder.extract_value(args[0], k) for k in range(_TABLE_REGISTERS)]
        pick = builder.module.declare_intrinsic(
            "llvm.x86.avx512.vpermi2var.qi.512", (), ir.FunctionType(_bytes, [_bytes] * 3)
        )
        # The low seven bits of a pixel are its index in 128 bytes; the top bit selects the half.
        dark = builder.call(pick, [quarters[0], args[1], quarters[1]])
        bright = builder.call(pick, [quarters[2], args[1], quarters[3]])
        is_bright = builder.icmp_signed("<", args[1], _constant(_bytes, 0))
        return builder.select(is_bright, bright, dark)

    return _Bytes(table, pixels), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _load_rows(_context: Any, rows: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = _row_pointers(context, builder, signature.args[0], *args)
        parts = [_load_from(builder, pointer) for pointer in pointers]
        while len(parts) > 1:
            both = _places(range(2 * parts[0].type.count))
            parts = [
                builder.shuffle_vector(*parts[k : k + 2], both) for k in range(0, len(parts), 2)
            ]
        return parts[0]

    return _Bytes(rows, types.uintp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _store_rows(_context: Any, rows: Any, x: Any, register: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = _row_pointers(context, builder, signature.args[0], *args[:2])
        for k, pointer in enumerate(pointers):
            of_row = _places(range(k * ROW_PIXELS, (k + 1) * ROW_PIXELS))
            part = builder.shuffle_vector(args[2], args[2], of_row)
            builder.store(part, pointer).align = 1
        return context.get_dummy_value()

    return types.void(rows, types.uintp, register), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _choose(_context: Any, bits: Any, chosen: Any, other: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        lanes = builder.bitcast(args[0], ir.VectorType(ir.IntType(1), _BYTES))
        return builder.select(lanes, args[1], args[2])

    return _Bytes(types.uint64, chosen, other), codegen


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def _every_fourth(_context: Any, register: Any, first: Any) -> Any:
    place = first.literal_value

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        words = builder.bitcast(args[0], _words)
        bytes_ = builder.and_(words, _constant(_words, 255 << (8 * place)))
        convert = builder.uitofp if place == ROWS - 1 else builder.sitofp  # the top bit is no sign
        return convert(bytes_, _floats)

    return _Floats(register, first), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _interleave(_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        joined = _constant(_words, 0)
        for k in range(ROWS):
            low = builder.and_(builder.bitcast(args[k], _words), _constant(_words, 255))
            joined = builder.or_(joined, builder.shl(low, _constant(_words, 8 * k)))
        return builder.bitcast(joined, _bytes)

    return _Bytes(a, b, c, d), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _repeat_quarter(_context: Any, array: Any, start: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], _quarter)
        four = _load_from(builder, pointer)
        return builder.shuffle_vector(four, four, _places([k % ROWS for k in range(ROW_PIXELS)]))

    return _Floats(array, types.uintp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def _spread_rows(_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        four = ir.Constant(_quarter, ir.Undefined)
        for k in range(ROWS):
            four = builder.insert_element(four, args[k], _word(k))
        return builder.shuffle_vector(four, four, _places([k // ROWS for k in range(ROW_PIXELS)]))

    return _Floats(*[types.float32] * ROWS), codegen


# Each operation has two forms: a compiled form, and one for NumPy arrays.


def _load_table_array(luts: npt.NDArray[np.uint8], start: int) -> Register:
    return luts[int(start) : int(start) + 256].copy()


def _load_rows_array(rows: Any, x: Any) -> Register:
    return np.concatenate([row[int(x) : int(x) + ROW_PIXELS] for row in rows])


def _store_rows_array(rows: Any, x: Any, register: Register) -> None:
    for row, part in zip(rows, register.reshape(ROWS, ROW_PIXELS), strict=True):
        row[int(x) : int(x) + ROW_PIXELS] = part


def _choose_array(bits: Any, chosen: Register, other: Register) -> Register:
    lanes = [bool(int(bits) >> k & 1) for k in range(_BYTES)]
    return np.where(lanes, chosen, other)


def _every_fourth_array(register: Register, first: int) -> Register:
    return register[first::ROWS].astype(np.float32) * np.float32(1 << 8 * first)


def _interleave_array(*registers: Register) -> Register:
    return np.stack([register.view(np.uint8)[::4] for register in registers], axis=1).reshape(-1)


def _repeat_quarter_array(array: npt.NDArray[np.float32], start: int) -> Register:
    return np.tile(array[int(start) : int(start) + ROWS], ROWS)


def _spread_rows_array(*numbers: np.float32) -> Register:
    return np.repeat(np.array(numbers, np.float32), ROWS)


_interpreted = bool(numba.config.DISABLE_JIT)

# (uint8[::1], uintp) -> a table of 256 bytes from `start` on
load_table: Callable[..., Any] = _load_table_array if _interpreted else _load_table
# (table, 64 uint8) -> 64 uint8: the table's value for each pixel
look_up: Callable[..., Register] = (
    (lambda table, pixels: table[pixels]) if _interpreted else _look_up
)
# (four uint8[::1], uintp) -> 64 uint8: 16 pixels of each row from `x` on
load_rows: Callable[..., Register] = _load_rows_array if _interpreted else _load_rows
# (four uint8[::1], uintp, 64 uint8) -> None; the inverse of `load_rows`, row after row
store_rows: Callable[..., None] = _store_rows_array if _interpreted else _store_rows
# (uint64, 64 uint8, 64 uint8) -> 64 uint8: the first where the lane's bit is 1, else the second
choose: Callable[..., Register] = _choose_array if _interpreted else _choose
# (64 uint8, int literal k) -> 16 float32: bytes k, k + 4, k + 8, ... times 2**(8 * k), exactly.
# Shifting each byte down to its value would take an instruction more; weights are scaled instead.
every_fourth: Callable[..., Register] = _every_fourth_array if _interpreted else _every_fourth
# (four of 16 float32) -> 64 uint8: their lowest bytes in turn, the inverse order of `every_fourth`
interleave: Callable[..., Register] = _interleave_array if _interpreted else _interleave
# (float32[::1], uintp) -> 16 float32: the four from `start` on, four times over
repeat_quarter: Callable[..., Register] = _repeat_quarter_array if _interpreted else _repeat_quarter
# (four float32) -> 16 float32: each of the numbers four times
spread_rows: Callable[..., Register] = _spread_rows_array if _interpreted else _spread_rows
