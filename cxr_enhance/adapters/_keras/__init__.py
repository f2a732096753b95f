"""The parts of `keras_layers`."""
