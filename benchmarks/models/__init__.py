"""Benchmarks of `cxr_models`."""
