"""Script that writes files of a backbone with random weights, and its features, with Keras alone.

The script runs in a new process, in which Keras numbers layers from the first on, as in files that
come from other users.
"""

import sys
from pathlib import Path

import h5py
import keras
import numpy as np

SIDE = 96


def write(application, folder):
    """Write the backbone in every format, one file with a top, and the features of two images."""
    rng = np.random.default_rng(7)
    build = getattr(keras.applications, application)
    shape = (SIDE, SIDE, 3)
    bare = build(include_top=False, weights=None, input_shape=shape, pooling="avg")
    randomize(bare, rng)
    bare.save_weights(folder / "bare.weights.h5")
    bare.save(folder / "bare.keras")
    bare.save(folder / "bare.h5")
    weights_alone(folder / "bare.h5", folder / "as_shipped.h5")
    whole = build(include_top=True, weights=None, input_shape=shape, classes=5)
    whole.set_weights([*bare.get_weights(), *whole.get_weights()[-2:]])
    whole.save(folder / "top.h5")
    images = rng.integers(0, 256, (2, SIDE, SIDE, 1), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    rgb = images.repeat(3, axis=-1).astype(np.float32)
    np.save(folder / "features.npy", bare(rgb, training=False))


def randomize(model, rng):
    """Set random weights in arrays that Keras initialises with zeros or ones.

    Every array then differs from all other arrays of its shape.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.0, w.shape) for w in layer.get_weights()])
        elif layer.weights and layer.use_bias:
            *kernels, bias = layer.get_weights()
            layer.set_weights([*kernels, rng.uniform(-0.1, 0.1, bias.shape)])


def weights_alone(whole, path):
    """Copy the weights of a saved model to the root of a file, as in Keras's ImageNet files."""
    with h5py.File(whole) as given, h5py.File(path, "w") as file:
        weights = given["model_weights"]
        for name in weights:
            weights.copy(name, file)
        file.attrs.update(weights.attrs)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
