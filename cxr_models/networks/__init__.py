"""The Keras graph: backbones, their pretrained weights, the classifier, and its loading."""
