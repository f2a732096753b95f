"""Benchmarks of files and archives."""
