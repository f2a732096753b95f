"""Predictions of a trained run for files, sets and changed images, and export of the run."""
