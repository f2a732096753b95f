"""The layer between operations and kernels: plans, stacks of images, and threads."""
