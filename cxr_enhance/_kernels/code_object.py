"""Compile a kernel to machine code that can be loaded without Numba and NumPy.

Numba's own entry function for Python calls functions of Python and of Numba's library. Code with
this entry can only be loaded by Numba. This module adds a small entry function instead. It takes
the array objects and a pointer to the numbers, as words of eight bytes, and calls the kernel.
`code_runtime` provides the functions of Numba's library that a kernel needs. All other functions
are removed, so that the object file refers only to symbols that `code_loader` knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np.arrayobj import populate_array

from cxr_enhance._kernels.code_loader import (
    ENTRY,
    OTHER_ARRAYS,
    OUT_OF_MEMORY,
    Code,
    is_known,
)
from cxr_enhance._kernels.code_runtime import new_module, runtime_ir

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORD = ir.IntType(64)
_SIZE = ir.IntType(numba.config.MACHINE_BITS)
_BYTE_POINTER = ir.IntType(8).as_pointer()
_CONTIGUOUS_AND_ALIGNED = 0x0001 | 0x0100  # NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_ALIGNED
# The start of an array object. NumPy's ABI fixes its fields: data, number of axes, sizes, strides,
# base, dtype, flags.
_ARRAY = ir.LiteralStructType(
    [
        ir.ArrayType(ir.IntType(8), object.__basicsize__),
        _BYTE_POINTER,
        ir.IntType(32),
        _SIZE.as_pointer(),
        _SIZE.as_pointer(),
        _BYTE_POINTER,
        _BYTE_POINTER,
        ir.IntType(32),
    ]
)
_DATA, _AXES, _SIZES, _STRIDES, _FLAGS = 1, 2, 3, 4, 7


def compile_kernel(dispatcher: Any, arguments: Sequence[Any]) -> Code:
    """Compile a kernel for arguments of these types.

    Raises
    ------
    NotImplementedError
        If the entry cannot pass an argument or the result, or if the kernel calls an unknown
        library function.
    """
    forms = tuple(numba.typeof(argument) for argument in arguments)
    *_, folded, _ = dispatcher.get_call_template(forms, {})  # compiles it
    compiled = dispatcher.overloads[tuple(folded)]
    module = llvm.parse_bitcode(compiled.library._final_module.as_bitcode())
    target = dispatcher.targetctx
    module.link_in(llvm.parse_assembly(_entry_ir(target, compiled.fndesc, module)))
    module.link_in(llvm.parse_assembly(runtime_ir(module)))
    _keep_entry_alone(module)
    declared = (function.name for function in module.functions if function.is_declaration)
    unknown = [name for name in declared if not is_known(name)]
    if unknown:
        raise NotImplementedError(f"a kernel that calls {', '.join(unknown)}")
    numbers = "".join(map(_letter, _leaves(compiled.fndesc.argtypes)))
    arrays = sum(isinstance(form, types.Array) for form in forms)
    machine = target.codegen()._tm
    return Code(arrays, numbers, machine.emit_object(module))


def _keep_entry_alone(module: Any) -> None:
    for symbol in (*module.functions, *module.global_variables):
        if not symbol.is_declaration and symbol.name != ENTRY:
            symbol.linkage = "internal"
    if not hasattr(llvm.newpassmanagers.ModulePassManager, "add_global_dead_code_eliminate_pass"):
        old_passes = llvm.create_module_pass_manager()  # llvmlite 0.44, of Numba 0.61
        old_passes.add_global_dce_pass()
        old_passes.add_strip_dead_prototypes_pass()
        old_passes.run(module)
        return
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_strip_dead_prototype_pass()
    machine = llvm.Target.from_triple(module.triple).create_target_machine()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))


def _entry_ir(target: Any, description: Any, like: Any) -> str:
    """Write the entry function: ``int32 entry(array object, ..., words)``.

    The entry returns the kernel's bool as 0 or 1, and 0 for a kernel without result. It returns
    `OTHER_ARRAYS` if an array has another number of axes than the kernel was compiled for, or is
    not contiguous and aligned. It does not check dtypes. It returns `OUT_OF_MEMORY` if the kernel
    fails: the only possible failure of a kernel is that it cannot allocate memory.
    """
    restype, argtypes = description.restype, description.argtypes
    if types.unliteral(restype) not in (types.none, types.boolean):
        raise NotImplementedError(f"a kernel that gives {restype}")
    module = new_module(like)
    kernel_type = target.call_conv.get_function_type(restype, argtypes)
    kernel = ir.Function(module, kernel_type, description.llvm_func_name)
    count = sum(isinstance(form, types.Array) for form in argtypes)
    status_type = ir.IntType(32)
    entry_type = ir.FunctionType(status_type, [*[_ARRAY.as_pointer()] * count, _WORD.as_pointer()])
    entry = ir.Function(module, entry_type, ENTRY)
    builder = ir.IRBuilder(entry.append_basic_block())
    objects, words = iter(entry.args[:-1]), _words(builder, entry.args[-1])
    arguments = [
        _array(target, builder, next(objects), form)
        if isinstance(form, types.Array)
        else _numbers(target, builder, words, form)
        for form in argtypes
    ]
    status, result = target.call_conv.call_function(builder, kernel, restype, argtypes, arguments)
    with cgutils.if_unlikely(builder, status.is_error):
        builder.ret(status_type(OUT_OF_MEMORY))
    builder.ret(status_type(0) if restype == types.none else builder.zext(result, status_type))
    return str(module)


def _array(target: Any, builder: Any, pointer: Any, form: Any) -> Any:
    """Read the fields of an array object; the entry returns `OTHER_ARRAYS` if they do not fit."""

    def field(number: int) -> Any:
        return builder.load(cgutils.gep_inbounds(builder, pointer, 0, number))

    wanted = ir.Constant(ir.IntType(32), _CONTIGUOUS_AND_ALIGNED)
    other = builder.or_(
        builder.icmp_signed("!=", field(_AXES), ir.Constant(ir.IntType(32), form.ndim)),
        builder.icmp_signed("!=", builder.and_(field(_FLAGS), wanted), wanted),
    )
    with cgutils.if_unlikely(builder, other):
        builder.ret(ir.IntType(32)(OTHER_ARRAYS))
    array = target.make_array(form)(target, builder)
    sizes, strides = (
        [
            builder.load(builder.gep(start, [_SIZE(axis)]))
            for start in (field(number),)
            for axis in range(form.ndim)
        ]
        for number in (_SIZES, _STRIDES)
    )
    populate_array(
        array,
        data=builder.bitcast(field(_DATA), array.data.type),
        shape=sizes,
        strides=strides,
        itemsize=target.get_abi_sizeof(target.get_value_type(form.dtype)),
        meminfo=None,
    )
    return array._getvalue()


def _words(builder: Any, start: Any) -> Iterator[Any]:
    number = 0
    while True:
        yield builder.gep(start, [_SIZE(number)])
        number += 1


def _numbers(target: Any, builder: Any, words: Iterator[Any], form: Any) -> Any:
    if isinstance(form, types.BaseTuple):
        parts = [_numbers(target, builder, words, part) for part in form]
        return target.make_tuple(builder, form, parts)
    letter, word = _letter(form), next(words)
    if letter == "d":
        return builder.load(builder.bitcast(word, ir.DoubleType().as_pointer()))
    value = builder.load(word)
    return builder.icmp_signed("!=", value, _WORD(0)) if form == types.boolean else value


def _leaves(forms: Sequence[Any]) -> Iterator[Any]:
    for form in forms:
        if isinstance(form, types.BaseTuple):
            yield from _leaves(list(form))
        elif not isinstance(form, types.Array):
            yield form


def _letter(form: Any) -> str:
    """Return the format letter of `struct` for a number of this type."""
    if form == types.float64:
        return "d"
    if form in (types.boolean, types.int64):
        return "q"
    raise NotImplementedError(f"a kernel that takes {form}")
