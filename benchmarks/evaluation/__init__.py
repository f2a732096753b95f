"""Benchmarks of evaluation: how often confidence intervals contain the true value."""
