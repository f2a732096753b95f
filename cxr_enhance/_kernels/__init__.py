"""Compiled kernels: plain loops over arrays, one function for each step of an algorithm.

The contract of all kernels is stated here once. Inputs are already checked. Arrays are C-contiguous
and have exactly the dtypes that the docstring names. A kernel raises only MemoryError, if it cannot
allocate an array. It prints nothing, uses no mutable global, and writes only to the arrays that the
docstring calls outputs or scratch. Large scratch arrays are allocated outside the loops over rows
and pixels. Kernels import only numpy, numba, llvmlite and each other.

Two rules of the code have their reason in Numba. Indices of pixels are ``np.uintp``, because Numba
tests a signed index for a negative value at every access. Integers that are combined with such an
index are cast to ``np.uintp``, because ``uint64 + int64`` is ``float64`` in Numba. Constants of
float32 steps are wrapped in ``np.float32``, because ``float32 + 0.5`` is ``float64`` in Numba. With
both rules, the same lines give the same bytes in plain Python, with ``NUMBA_DISABLE_JIT=1``.
"""
