"""Benchmarks of cxr_enhance: `pytest benchmarks` times them, `make_tables` writes the tables."""
