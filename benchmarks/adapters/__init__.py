"""Benchmarks of the adapters of frameworks."""
