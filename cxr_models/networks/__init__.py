"""Keras models: backbones, pretrained weights, the classifier, and loading of finished runs."""
