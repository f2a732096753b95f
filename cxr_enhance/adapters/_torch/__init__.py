"""Internal modules of `torch_transform`."""
