"""Internal modules of `tf_data`."""
