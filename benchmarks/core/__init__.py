"""Benchmarks of the operations on arrays."""
