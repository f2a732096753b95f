import functools

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

from cxr_models.training.part_texts import text_of


def scaled(targets, probabilities, factor=1.0):
    return factor * keras.losses.sparse_categorical_crossentropy(targets, probabilities)


def scaled_by(factor):
    def loss(targets, probabilities):
        return scaled(targets, probabilities, factor)

    return loss


class Scaled(keras.losses.Loss):
    """A loss without `get_config`."""

    def __init__(self, factor, weights=None):
        super().__init__()
        self.factor, self.weights = factor, weights

    def call(self, targets, probabilities):
        return scaled(targets, probabilities, self.factor)


class Configured(Scaled):
    def get_config(self):
        return {"factor": self.factor}


class Callable:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, targets, probabilities):
        return scaled(targets, probabilities, self.factor)


LOSSES = {
    "partial": lambda factor: functools.partial(scaled, factor=factor),
    "enclosed": scaled_by,
    "enclosed-in-lambda": lambda factor: lambda y, p: scaled(y, p, factor),
    "object": Scaled,
    "array-in-object": lambda factor: Scaled(1, np.full(5000, factor)),
    "callable": Callable,
    "function-in-config": lambda factor: Configured(functools.partial(scaled, factor=factor)),
}


@pytest.mark.parametrize("made", LOSSES.values(), ids=LOSSES)
def test_losses_that_differ_in_a_value_only_are_told_apart_and_equal_ones_are_not(
    made, monkeypatch
):
    monkeypatch.setattr(keras.losses.MeanSquaredError, "get_config", lambda self: vars(self))
    texts = [text_of(made(factor)) for factor in (1.0, 2.0, 1.0)]
    assert texts[0] == texts[2] != texts[1]
    assert " at 0x" not in "".join(texts)


def test_lambdas_of_one_module_are_told_apart():
    losses = (lambda y, p: p - y, lambda y, p: p + y, lambda y, p: 2 * p - y)
    assert len({text_of(loss) for loss in losses}) == 3


def test_a_function_that_encloses_itself_is_described():
    def again(y, p):
        return again(y, p)

    assert text_of(again).endswith('again {"again": "itself"}')
