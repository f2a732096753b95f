"""The enhancement inside other frameworks, one framework a module.

Each module imports its framework at its own top and nothing of the kernels; this one imports
nothing at all.
"""
