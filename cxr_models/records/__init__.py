"""Indexing of image files, manifests and splits. Imports no framework."""
