"""Explanations of predictions: Grad-CAM maps, and pictures with these maps."""
