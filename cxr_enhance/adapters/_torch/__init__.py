"""The parts of `torch_transform`."""
