"""Metrics of predictions, with confidence intervals. Imports no framework."""
