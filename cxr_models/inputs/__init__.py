"""From rows to arrays to batches. Only `pipeline` imports TensorFlow."""
