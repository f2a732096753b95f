"""The functions of `cxr_models` for notebooks and programs: each calls what its command calls.

Imports no framework, no OpenCV and no SciPy until a function needs them.
"""
