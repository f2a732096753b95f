import importlib.util
import json

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras
from scipy import stats

from cxr_models.networks.augmentation import RandomRotation
from tests.helpers.fresh_process import run_code

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed"
)

SIDE = 41
# Trains the classifier of a tiny backbone and tells how often Python went through its layers.
_STEPS = """
import functools, json, warnings
import keras, numpy as np
from cxr_models.networks import classifier
from cxr_models.training.step import training_step
from tests.helpers.tiny_backbone import tiny_application, tiny_config
warnings.filterwarnings("error", message="Model doesn't support")
keras.applications.NASNetMobile = tiny_application
calls, dropout = [], keras.layers.Dropout.call
@functools.wraps(dropout)
def counted(self, *args, **options):
    calls.append(self.name)
    return dropout(self, *args, **options)
keras.layers.Dropout.call = counted
step = training_step(tiny_config(), 3)
batch = np.zeros((4, 32, 40, 1), "uint8"), np.arange(4) % 3
told = []
for _ in range(4):
    step(batch)
    told.append(len(calls))
print(json.dumps(told))
"""
_ROTATE = """
import sys
import keras, numpy as np
from cxr_models.networks.augmentation import RandomRotation
from tests.cxr_models.networks.test_augmentation import ramps
given, out = sys.argv[1:]
images = np.load(given)
inputs = keras.Input(images.shape[1:])
by_a_tenth = keras.Model(inputs, RandomRotation((0.1, 0.1))(inputs))
at_random = keras.Model(inputs, RandomRotation(0.1, seed=3)(inputs))
import jax
def run(model, images):
    state = [variable.value for variable in model.variables]
    got = jax.jit(lambda x: model.stateless_call([], state, x, training=True)[0])(images)
    return np.asarray(got)
np.savez(out, fixed=run(by_a_tenth, images), ramps=run(at_random, ramps(2000)))
"""


def ramps(count):
    """Make images whose pixels are their column, so that a rotated one tells its angle."""
    return np.broadcast_to(np.arange(SIDE, dtype=np.float32)[:, None], (count, SIDE, SIDE, 1))


def angles_of(rotated):
    """Return the angles, in turns, at which `ramps` were rotated: from the middle of the top."""
    middle = SIDE // 2
    return np.arcsin((rotated[:, 10, middle, 0] - middle) / (middle - 10)) / (2 * np.pi)


def assert_uniform(angles):
    """Compare with angles that are equally probable up to a tenth of a turn to either side."""
    assert stats.kstest(angles, stats.uniform(-0.1, 0.2).cdf).pvalue > 0.05


def test_pixels_are_those_of_kerass_own_layer_for_the_same_seed(rng):
    images = rng.uniform(0, 255, (50, 31, 45, 3)).astype(np.float32)
    ours, kerass = RandomRotation(0.1, seed=5), keras.layers.RandomRotation(0.1, seed=5)
    for _ in range(2):
        np.testing.assert_array_equal(ours(images, training=True), kerass(images, training=True))
    np.testing.assert_array_equal(ours(images, training=False), images)


def test_angles_are_uniform_up_to_the_share_of_a_turn_that_is_set():
    assert_uniform(angles_of(np.asarray(RandomRotation(0.1, seed=3)(ramps(2000), training=True))))


def test_the_layer_is_rebuilt_from_its_settings():
    config = keras.saving.serialize_keras_object(RandomRotation(0.2, seed=5, name="turn"))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is RandomRotation
    assert (again.factor, again.seed, again.name) == ((-0.2, 0.2), 5, "turn")


@needs_jax
@pytest.mark.slow
def test_on_jax_it_rotates_as_keras_does_on_tensorflow_and_by_the_same_angles(rng, tmp_path):
    images = rng.uniform(0, 255, (3, 31, 45, 1)).astype(np.float32)
    expected = np.asarray(keras.layers.RandomRotation((0.1, 0.1))(images, training=True))
    np.save(tmp_path / "images.npy", images)
    run_code(_ROTATE, tmp_path / "images.npy", tmp_path / "got.npz", env={"KERAS_BACKEND": "jax"})
    with np.load(tmp_path / "got.npz") as got:
        np.testing.assert_allclose(got["fixed"], expected, atol=0.02)  # of levels
        assert_uniform(angles_of(got["ramps"]))


@needs_jax
@pytest.mark.slow
def test_on_jax_the_training_step_is_traced_once_and_then_runs_compiled():
    done = run_code(_STEPS, env={"KERAS_BACKEND": "jax"})
    first, *later = json.loads(done.stdout.splitlines()[-1])
    assert first > 0
    assert later == [first] * 3
