"""Constants that the kernels share with their callers; the module imports nothing."""

# OpenCV's RY15, GY15, BY15: 0.299, 0.587 and 0.114 times 2**15, rounded so that they sum to 2**15.
RED, GREEN, BLUE = 9798, 19235, 3735

LANES = 8  # number of values that are computed in parallel
