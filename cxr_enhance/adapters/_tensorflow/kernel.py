"""Gray images through TensorFlow without Python: the kernels as operations of its own.

TensorFlow takes operations and their code from any library through its C interface. Here the code
is compiled by Numba: a function that asks TensorFlow for the image, the plan and the memory of the
result, and calls the kernel by its address. Workers of tf.data then never wait for Python's lock,
which costs more than a small image does, and nothing is left to call when Python ends.

Where TensorFlow's library does not give its C interface (Windows), or kernels are not compiled,
there is no operation, and `enhanced` gives None.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import tensorflow as tf

from cxr_enhance._engine.c_entry import (
    PLAN_SIZE,
    Entry,
    compile_callback,
    is_compiled,
    plan_fields,
    plan_numbers,
)

if TYPE_CHECKING:
    from cxr_enhance import EnhanceParams

_LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_framework.2.dylib")
_RESOURCE_EXHAUSTED = 8  # TF_Code
_NO_MEMORY = ctypes.create_string_buffer(b"out of memory for the tables of an image's tiles")

_lock = threading.Lock()


def enhanced(image: Any, params: EnhanceParams) -> Any | None:
    """Add the operation that enhances `image` to the graph; None where it must be done in Python.

    Parameters
    ----------
    image : Tensor of shape (H, W) or (H, W, 1), dtype uint8 or uint16
        In a graph that is being built.
    params : EnhanceParams
        Its output must be gray.

    Returns
    -------
    Tensor of the shape and dtype of `image`, or None
        None where the size is not known yet, the plan takes more than one kernel, or there is no
        operation.
    """
    if not image.shape.is_fully_defined():
        return None
    dtype = np.dtype(image.dtype.as_numpy_dtype)
    numbers = plan_numbers(tuple(image.shape), dtype, params)
    if numbers is None or not (name := _operation(dtype)):
        return None
    with tf.device("/CPU:0"):
        # The plan fits this size alone, and `set_shape` may have claimed it of any other.
        image = tf.ensure_shape(image, image.shape)
        graph, plan = tf.compat.v1.get_default_graph(), tf.constant(numbers, tf.float64)
        result = graph.create_op(name, [image, plan], [image.dtype]).outputs[0]
    return tf.ensure_shape(result, image.shape)


def _operation(dtype: np.dtype[Any]) -> str | None:
    """Name the operation for images of `dtype`; registers it if this is the first call."""
    library = _library()
    if library is None or not is_compiled():
        return None
    name = f"CxrEnhance>{dtype.name.title()}"
    with _lock:
        # TensorFlow is asked, not this module: that may be loaded anew, and registering an
        # operation twice aborts the process.
        if not _is_registered(name):
            code = _compute(library, dtype)
            # TensorFlow never lets go of the code, so nor may Python.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object((code, _NO_MEMORY)))
            _register(library, name, dtype.name, code.address)
    return name


def _is_registered(name: str) -> bool:
    try:
        tf.Graph().op_def_for_type(name)
    except (RuntimeError, tf.errors.NotFoundError):
        return False
    return True


def _register(library: Any, name: str, dtype: str, address: int) -> None:
    builder = library.TF_NewOpDefinitionBuilder(name.encode())
    library.TF_OpDefinitionBuilderAddInput(builder, f"image: {dtype}".encode())
    library.TF_OpDefinitionBuilderAddInput(builder, b"plan: double")
    library.TF_OpDefinitionBuilderAddOutput(builder, f"result: {dtype}".encode())
    # Of any shape as far as TensorFlow knows: `tf.ensure_shape` says which.
    unknown = ctypes.cast(library.TF_ShapeInferenceContextSetUnknownShape, ctypes.c_void_p)
    library.TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown)
    status = library.TF_NewStatus()
    library.TF_RegisterOpDefinition(builder, status)
    kernel = library.TF_NewKernelBuilder(name.encode(), b"CPU", None, address, None)
    library.TF_RegisterKernelBuilder(name.encode(), kernel, status)
    library.TF_DeleteStatus(status)


# What is called of TensorFlow's C interface: the result, then the arguments. Pointers are whole
# numbers, but for what compiled code was given as one.
_POINTER, _DATA, _INT, _TEXT = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_INTERFACE: dict[str, tuple[Any, ...]] = {
    "TF_NewStatus": (_POINTER,),
    "TF_DeleteStatus": (None, _POINTER),
    "TF_GetCode": (_INT, _POINTER),
    "TF_SetStatus": (None, _POINTER, _INT, _POINTER),
    "TF_NewOpDefinitionBuilder": (_POINTER, _TEXT),
    "TF_OpDefinitionBuilderAddInput": (None, _POINTER, _TEXT),
    "TF_OpDefinitionBuilderAddOutput": (None, _POINTER, _TEXT),
    "TF_OpDefinitionBuilderSetShapeInferenceFunction": (None, _POINTER, _DATA),
    "TF_ShapeInferenceContextSetUnknownShape": (None, _POINTER, _POINTER),
    "TF_RegisterOpDefinition": (None, _POINTER, _POINTER),
    "TF_NewKernelBuilder": (_POINTER, _TEXT, _TEXT, _DATA, _DATA, _DATA),
    "TF_RegisterKernelBuilder": (None, _TEXT, _POINTER, _POINTER),
    "TF_GetInput": (None, _DATA, _INT, _POINTER, _POINTER),
    "TF_AllocateOutput": (_POINTER, _DATA, _INT, _INT, _POINTER, _INT, _POINTER, _POINTER),
    "TF_NumDims": (_INT, _POINTER),
    "TF_Dim": (ctypes.c_int64, _POINTER, _INT),
    "TF_DeleteTensor": (None, _POINTER),
    "TF_OpKernelContext_Failure": (None, _DATA, _POINTER),
}


@functools.cache
def _library() -> Any | None:
    """TensorFlow's C interface; None where this TensorFlow does not give all that is called."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(str(Path(tf.sysconfig.get_lib()) / name))
            for function, (result, *arguments) in _INTERFACE.items():
                getattr(library, function).restype = result
                getattr(library, function).argtypes = arguments
        except (OSError, AttributeError):
            continue
        return library
    return None


def _data_of(library: Any, dtype: np.dtype[Any]) -> Any:
    """TensorFlow's function that gives the address of a tensor's values."""
    function = library["TF_TensorData"]  # an object of its own, each time
    function.restype = ctypes.POINTER(np.ctypeslib.as_ctypes_type(dtype))
    function.argtypes = (_POINTER,)
    return function


def _compute(library: Any, dtype: np.dtype[Any]) -> Any:
    """Compile what TensorFlow calls for an image: with its state, which is none, and a context."""
    kernel = Entry(dtype)
    code_of_dtype = tf.as_dtype(dtype).as_datatype_enum
    itemsize, no_memory = dtype.itemsize, ctypes.addressof(_NO_MEMORY)
    new_status, delete_status = library.TF_NewStatus, library.TF_DeleteStatus
    set_status, code_of = library.TF_SetStatus, library.TF_GetCode
    get_input, allocate_output = library.TF_GetInput, library.TF_AllocateOutput
    num_dims, dim = library.TF_NumDims, library.TF_Dim
    pixels_of, numbers_of = _data_of(library, dtype), _data_of(library, np.dtype(np.float64))
    delete_tensor, fail = library.TF_DeleteTensor, library.TF_OpKernelContext_Failure

    def compute(_state: Any, context: Any) -> None:
        status = new_status()
        inputs = np.empty(2, np.uint64)
        get_input(context, 0, inputs[:1].ctypes.data, status)
        get_input(context, 1, inputs[1:].ctypes.data, status)
        image, plan = inputs[0], inputs[1]
        sizes = np.empty(num_dims(image), np.int64)
        for axis in range(sizes.size):
            sizes[axis] = dim(image, axis)
        height, width = sizes[0], sizes[1]
        result = allocate_output(
            context,
            0,
            code_of_dtype,
            sizes.ctypes.data,
            sizes.size,
            height * width * itemsize,
            status,
        )
        if code_of(status) == 0:
            shape = (1, height, width)
            done = kernel(
                numba.carray(pixels_of(image), shape),
                numba.carray(pixels_of(result), shape),
                plan_fields(numba.carray(numbers_of(plan), (PLAN_SIZE,))),
            )
            if not done:
                set_status(status, _RESOURCE_EXHAUSTED, no_memory)
            delete_tensor(result)
        if code_of(status) != 0:
            fail(context, status)
        delete_tensor(image)
        delete_tensor(plan)
        delete_status(status)

    return compile_callback(compute)
