"""Grad-CAM maps of a classifier, their means by class, and overlays, all as arrays.

This module uses neither files nor runs. Keras is imported when the first `GradCam` is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxr_models._heat import overlay as overlay  # public here

if TYPE_CHECKING:
    import keras
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Images = npt.NDArray[np.uint8]
    Ints = npt.NDArray[np.int64]


class GradCam:
    """A function that computes Grad-CAM maps of one classifier.

    Parameters
    ----------
    model : keras.Model
        A classifier from `cxr_models.build_classifier` with any backbone, or the ``model`` of a
        run.
    multilabel : bool, default False
        Whether the run of `model` has the task ``multilabel``. Each output is then a finding, and
        the index of a finding takes the place of a class.

    Raises
    ------
    ValueError
        If the layer ``features`` of `model` does not pool a feature map.

    Notes
    -----
    Grad-CAM uses the input of the global average pooling: the last convolutional feature map of
    every backbone here, after its activation. The gradient of the logit of a class is averaged over
    all positions of the feature map. The averages are the weights of the channels. Negative values
    of the weighted sum over channels are set to 0. A binary classifier has one output; the logit of
    class 0 is the negative logit of class 1.

    References
    ----------
    .. [1] R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
           Gradient-based Localization", ICCV 2017.

    Examples
    --------
    >>> import numpy as np, cxr_models as cxm
    >>> run = cxm.load_run("runs/a")
    >>> images = run.prepare(["scans/covid/p000-0.png", "scans/normal/p100-0.png"])
    >>> maps = cxm.GradCam(run.model)(images, np.array([0, 1]))
    >>> maps.shape[0], maps.dtype, bool((maps >= 0).all())
    (2, dtype('float32'), True)
    """

    def __init__(self, model: keras.Model, *, multilabel: bool = False) -> None:
        import keras

        from cxr_models.networks.classifier import FEATURES

        pooled = model.get_layer(FEATURES).input
        if len(pooled.shape) != 4:
            raise ValueError(
                f"`model` must pool a map of shape (N, H, W, C) in its layer {FEATURES}; got "
                f"{tuple(pooled.shape)}."
            )
        self._to_map = keras.Model(model.input, pooled, name="to_map")
        self._to_logits = _logits_of_map(model, pooled.shape[1:])
        outputs = self._to_logits.output.shape[-1]
        self._is_binary = outputs == 1 and not multilabel
        self.num_classes = 2 if self._is_binary else outputs

    def __call__(self, images: Images, classes: Ints) -> Floats:
        """Return a map for each image: how much each position increases the logit of a class.

        Parameters
        ----------
        images : ndarray of shape (N, H, W, C), dtype uint8
            Images, prepared as input of the model.
        classes : ndarray of shape (N,), dtype int64
            For each image, the index of the class to explain.

        Returns
        -------
        ndarray of shape (N, h, w), dtype float32
            Maps with values of at least 0; h and w are the height and width of the last feature
            map. Before negative values are set to 0, the sum of a map is the logit minus its bias.

        Raises
        ------
        ValueError
            If there is not one class for each image, one is out of range, or the backend of Keras
            is neither tensorflow, jax nor torch.
        """
        classes = np.asarray(classes)
        if classes.shape != (len(images),):
            raise ValueError(
                f"`classes` must have shape ({len(images)},), one for each image; got "
                f"{classes.shape}."
            )
        if len(classes) and not (classes.min() >= 0 and classes.max() < self.num_classes):
            raise ValueError(
                f"`classes` must be from 0 to {self.num_classes - 1}; got {classes.min()} to "
                f"{classes.max()}."
            )
        import keras

        if not len(images):
            return np.empty((0, *self._to_map.output.shape[1:3]), np.float32)
        maps = keras.ops.convert_to_numpy(self._to_map(images, training=False)).astype(np.float32)
        gradients = _gradient(self._to_logits, maps, self._selection(classes))
        weights = gradients.mean(axis=(1, 2), keepdims=True)
        cams = (weights * maps).sum(axis=-1)
        return np.maximum(cams, 0).astype(np.float32)  # type: ignore[no-any-return]

    def _selection(self, classes: Ints) -> Floats:
        """Return the factors of the logits, whose products sum to the logit of each image's class.

        The array has the shape (N, 1) for a binary classifier, and (N, K) otherwise.
        """
        if self._is_binary:
            return np.where(classes == 1, 1.0, -1.0).astype(np.float32)[:, None]
        return np.eye(self.num_classes, dtype=np.float32)[classes]


class ClassMaps(NamedTuple):
    """The mean map of each of K classes, and the number of images of each class."""

    means: Floats  # (K, h, w), float32; values 0..1
    counts: Ints  # (K,)


def normalised(maps: Floats) -> Floats:
    """Return maps (N, h, w), each divided by its largest value; a map of zeros is unchanged."""
    highest = maps.max(axis=(1, 2), keepdims=True, initial=0)
    return np.where(highest > 0, maps / np.where(highest > 0, highest, 1), 0).astype(np.float32)


def mean_maps(maps: Floats, classes: Ints, num_classes: int) -> ClassMaps:
    """Return the mean map of each class; each map is first divided by its largest value.

    Parameters
    ----------
    maps : ndarray of shape (N, h, w), dtype float32
        Maps from `GradCam`.
    classes : ndarray of shape (N,), dtype int64
        The class of each map.
    num_classes : int
        The number K of classes. The mean map of a class without images is 0.
    """
    scaled = normalised(maps)
    counts = np.bincount(classes, minlength=num_classes).astype(np.int64)
    sums = np.zeros((num_classes, *maps.shape[1:]), np.float32)
    np.add.at(sums, classes, scaled)
    means = sums / np.maximum(counts, 1)[:, None, None]
    return ClassMaps(means.astype(np.float32), counts)


def _logits_of_map(model: keras.Model, shape: tuple[int, ...]) -> keras.Model:
    """Return a model from the feature map to the logits, with the weights of `model`."""
    import keras

    from cxr_models.networks.classifier import FEATURES, head_layers

    inputs = keras.Input(shape, dtype="float32", name="map")
    *before, head = [model.get_layer(FEATURES), *head_layers(model)]
    x = inputs
    for layer in before:
        x = layer(x)
    bare = keras.layers.Dense(head.units, dtype="float32", name="logits")
    logits = keras.Model(inputs, bare(x), name="to_logits")
    bare.set_weights(head.get_weights())
    return logits


# --- One function a backend ----------------------------------------------------------------------


def _gradient(model: keras.Model, maps: Floats, selection: Floats) -> Floats:
    """Return the gradient of the selected logits with respect to `maps`, in the shape of `maps`."""
    import keras

    backend = keras.backend.backend()
    if backend not in _GRADIENTS:
        raise ValueError(
            f"`KERAS_BACKEND` must be tensorflow, jax or torch for Grad-CAM; got {backend!r}."
        )
    return _GRADIENTS[backend](model, maps, selection)


def _gradient_in_tensorflow(model: keras.Model, maps: Floats, selection: Floats) -> Floats:
    import tensorflow as tf

    places = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(places)
        score = tf.reduce_sum(model(places, training=False) * selection)
    gradient: Floats = tape.gradient(score, places).numpy()
    return gradient


def _gradient_in_jax(model: keras.Model, maps: Floats, selection: Floats) -> Floats:
    import jax

    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def score(places: Any) -> Any:
        logits, _ = model.stateless_call(trainable, others, places, training=False)
        return (logits * selection).sum()

    return np.asarray(jax.grad(score)(maps))


def _gradient_in_torch(model: keras.Model, maps: Floats, selection: Floats) -> Floats:
    import keras
    import torch

    places = keras.ops.convert_to_tensor(maps).requires_grad_(True)
    with torch.enable_grad():
        score = (model(places, training=False) * keras.ops.convert_to_tensor(selection)).sum()
        (gradient,) = torch.autograd.grad(score, places)
    return gradient.detach().cpu().numpy()  # type: ignore[no-any-return]


_GRADIENTS = {
    "tensorflow": _gradient_in_tensorflow,
    "jax": _gradient_in_jax,
    "torch": _gradient_in_torch,
}
