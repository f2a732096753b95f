"""Benchmarks of the adapters for frameworks."""
