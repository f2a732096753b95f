"""Between operations and kernels: planning, stacks of images, threads."""
