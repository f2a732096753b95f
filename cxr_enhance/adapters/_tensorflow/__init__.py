"""The parts of `tf_data`."""
