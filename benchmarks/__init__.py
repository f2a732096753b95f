"""Benchmarks: `pytest benchmarks` measures, `benchmarks.tables` writes tables from the results."""
