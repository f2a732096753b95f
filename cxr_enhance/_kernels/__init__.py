"""Compiled kernels: plain loops over arrays, one step of an algorithm a function.

Contract of every kernel, stated once. Inputs are already checked. Arrays are C-contiguous and of
exactly the dtypes the docstring names. A kernel raises nothing, prints nothing, touches no global
and writes nowhere but into the arrays the docstring calls outputs. What a composed kernel needs as
scratch it allocates once, before its loops. Kernels import numpy, numba and each other only.

Two habits of the code have their reason in Numba. Indices are ``np.uintp``, because a signed index
costs a test for negative wrap-around at every access; every integer that meets one is cast,
because ``uint64 + int64`` is ``float64`` in Numba. Every constant of a float32 step is wrapped in
``np.float32``, because ``float32 + 0.5`` is ``float64`` there; so the same lines give the same
bytes in plain Python, under ``NUMBA_DISABLE_JIT=1``.
"""
