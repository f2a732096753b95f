"""Numbers that the kernels share with those who call them; imports nothing."""

# OpenCV's RY15, GY15, BY15: 0.299, 0.587 and 0.114 times 2**15, rounded so that they sum to 2**15.
RED, GREEN, BLUE = 9798, 19235, 3735

LANES = 8  # computed side by side
