"""The global random states of Python, NumPy and TensorFlow, which belong to the caller."""

import random

import numpy as np
import tensorflow as tf


def draws_around(action=lambda: None):
    """Set the states, and give what they draw before and after `action`."""
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    tf.random.set_seed(3)
    before = random.random(), np.random.random()  # noqa: NPY002
    action()
    after = random.random(), np.random.random()  # noqa: NPY002
    return {"python and numpy": [before, after], "tensorflow": float(tf.random.uniform(()))}
