"""Helpers that several tests share: images, files, runs, and results of reference programs."""
