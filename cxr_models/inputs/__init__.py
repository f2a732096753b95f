"""Image loading, targets and batches. Only `pipeline` imports TensorFlow."""
