"""Benchmarks of how evaluations are made: whether intervals hold what they claim."""
