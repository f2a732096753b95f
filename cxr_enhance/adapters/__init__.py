"""Adapters that run the enhancement inside other frameworks, one module for each framework.

Each module imports its framework when it is imported. No module imports the kernels. This package
itself imports nothing.
"""
