"""Replacements for the functions of Numba's library that kernels need, linked into each kernel.

The functions allocate and free arrays of a kernel, and reshape C-contiguous arrays. A kernel that
needs other functions of Numba's library cannot be stored; the test
``test_warmup_leaves_nothing_to_compile`` detects this.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils

from cxr_enhance._kernels.code_loader import ALLOCATE, FREE

_SIZE = ir.IntType(numba.config.MACHINE_BITS)
_INT = ir.IntType(32)
_BYTE_POINTER = ir.IntType(8).as_pointer()
_SIZES = _SIZE.as_pointer()
# The header of a block that Numba allocates: number of references, destructor and its argument,
# data, size. Only Numba's library reads the sixth word.
_HEAD = ir.LiteralStructType([_SIZE, _BYTE_POINTER, _BYTE_POINTER, _BYTE_POINTER, _SIZE])
_HEAD_BYTES = 6 * _SIZE.width // 8


def new_module(like: Any) -> ir.Module:
    """Return an empty module that can be linked with the LLVM module `like`."""
    module = ir.Module()
    module.triple, module.data_layout = like.triple, like.data_layout
    return module


def runtime_ir(like: Any) -> str:
    """Return LLVM code of the functions of Numba's library that the module `like` declares."""
    module = new_module(like)
    writers = {
        "NRT_MemInfo_alloc_aligned": _write_allocation,
        "NRT_MemInfo_alloc_safe_aligned": _write_allocation,
        "NRT_MemInfo_call_dtor": _write_release,
        "numba_attempt_nocopy_reshape": _write_reshape,
    }
    for function in like.functions:
        if function.is_declaration and function.name in writers:
            writers[function.name](module, function.name)
    return str(module)


def _declared(module: ir.Module, name: str, kind: ir.FunctionType) -> ir.Function:
    known = module.globals.get(name)
    return known if known is not None else ir.Function(module, kind, name)


def _write_release(module: ir.Module, name: str) -> None:
    kind = ir.FunctionType(ir.VoidType(), [_BYTE_POINTER])
    function = ir.Function(module, kind, name)
    builder = ir.IRBuilder(function.append_basic_block())
    builder.call(_declared(module, FREE, kind), function.args)
    builder.ret_void()


def _write_allocation(module: ir.Module, name: str) -> None:
    function = ir.Function(module, ir.FunctionType(_BYTE_POINTER, [_SIZE, _INT]), name)
    allocate = _declared(module, ALLOCATE, ir.FunctionType(_BYTE_POINTER, [_SIZE]))
    size, align = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    align = builder.zext(align, _SIZE)
    start = builder.call(allocate, [builder.add(builder.add(size, _SIZE(_HEAD_BYTES)), align)])
    with cgutils.if_unlikely(builder, cgutils.is_null(builder, start)):
        builder.ret(start)
    end = builder.add(builder.add(builder.ptrtoint(start, _SIZE), _SIZE(_HEAD_BYTES)), align)
    data = builder.and_(builder.sub(end, _SIZE(1)), builder.neg(align))
    head = builder.bitcast(start, _HEAD.as_pointer())
    for number, value in (
        (0, _SIZE(1)),
        (1, _BYTE_POINTER(None)),
        (2, _BYTE_POINTER(None)),
        (3, builder.inttoptr(data, _BYTE_POINTER)),
        (4, size),
    ):
        builder.store(value, cgutils.gep_inbounds(builder, head, 0, number))
    builder.ret(start)


def _write_reshape(module: ir.Module, name: str) -> None:
    """Write ``int reshape(axes, sizes, strides, axes, sizes, strides to fill, itemsize, order)``.

    The first axes and sizes are those of the array, the second ones those of the new shape. The
    function returns 1 if the array is C-contiguous and C order is requested, else 0.
    """
    kind = ir.FunctionType(_INT, [_SIZE, _SIZES, _SIZES, _SIZE, _SIZES, _SIZES, _SIZE, _INT])
    function = ir.Function(module, kind, name)
    axes, sizes, strides, new_axes, new_sizes, new_strides, itemsize, fortran = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    with cgutils.if_unlikely(builder, builder.icmp_signed("!=", fortran, _INT(0))):
        builder.ret(_INT(0))
    step = cgutils.alloca_once_value(builder, itemsize)

    def at(start: Any, axis: Any) -> Any:
        return builder.gep(start, [axis])

    def to_next(size: Any) -> None:
        builder.store(builder.mul(builder.load(step), size), step)

    last = builder.sub(axes, _SIZE(1))
    with cgutils.for_range(builder, axes) as loop:
        axis = builder.sub(last, loop.index)
        size, stride = builder.load(at(sizes, axis)), builder.load(at(strides, axis))
        other = builder.and_(
            builder.icmp_signed("!=", size, _SIZE(1)),
            builder.icmp_signed("!=", stride, builder.load(step)),
        )
        with cgutils.if_unlikely(builder, other):
            builder.ret(_INT(0))
        to_next(size)
    builder.store(itemsize, step)
    last = builder.sub(new_axes, _SIZE(1))
    with cgutils.for_range(builder, new_axes) as loop:
        axis = builder.sub(last, loop.index)
        builder.store(builder.load(step), at(new_strides, axis))
        to_next(builder.load(at(new_sizes, axis)))
    builder.ret(_INT(1))
