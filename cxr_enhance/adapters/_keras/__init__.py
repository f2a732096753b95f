"""Internal modules of `keras_layers`."""
