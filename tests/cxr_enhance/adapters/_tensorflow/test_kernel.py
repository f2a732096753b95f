"""Gray images of known size go through TensorFlow without Python; others, and where that cannot be
had, through Python, with the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxr_enhance as cxe
from tests.helpers import strategies
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code
from tests.helpers.images import make_image

tf = pytest.importorskip("tensorflow", reason='needs pip install "cxr-enhance[tf]"')
tf_data = pytest.importorskip("cxr_enhance.adapters.tf_data")
kernel = pytest.importorskip("cxr_enhance.adapters._tensorflow.kernel")

FINE = cxe.EnhanceParams(tile_grid_size=(64, 72))
PYTHON = {"PyFuncStateless"}


def kinds_of(shape, dtype, params=None):
    """Kinds of operations that call code of ours."""
    spec = tf.TensorSpec(shape, dtype)
    graph = tf.function(tf_data.enhance_op(params)).get_concrete_function(spec).graph
    kinds = {operation.type for operation in graph.get_operations()}
    return {kind for kind in kinds if kind.startswith(("CxrEnhance", "PyFunc", "EagerPyFunc"))}


def through_a_dataset(image, params=None):
    data = tf.data.Dataset.from_tensors(image).map(tf_data.enhance_op(params))
    return next(data.as_numpy_iterator())


@pytest.mark.parametrize("shape", [(40, 33), (40, 33, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gray_images_of_known_size_call_no_python(shape, dtype):
    every_value = cxe.EnhanceParams(num_bins=None)
    assert kinds_of(shape, dtype, every_value) == {f"CxrEnhance>{dtype.title()}"}
    assert kinds_of(shape, "uint8") == {"CxrEnhance>Uint8"}


def test_fewer_bins_and_bits_that_must_be_looked_at_go_through_python():
    assert kinds_of((40, 33), "uint16") == PYTHON
    assert kinds_of((40, 33), "uint8", cxe.EnhanceParams(num_bins=64)) == PYTHON
    assert kinds_of((40, 33), "uint16", cxe.EnhanceParams(num_bins=None, bits=12)) == PYTHON


@pytest.mark.parametrize(
    ("shape", "params"),
    [
        ((40, 33, 3), None),
        ((6, 40, 33), None),
        ((None, 33), None),
        ((None, None, 1), None),
        ((40, 33), cxe.EnhanceParams(output="rgb")),
        ((40, 33), cxe.EnhanceParams(clip_limit=None)),
        ((90, 80), FINE),
    ],
    ids=["colour", "batch", "height", "size", "rgb", "no-clahe", "many-tiles"],
)
def test_what_takes_more_than_one_kernel_goes_through_python(shape, params):
    assert kinds_of(shape, "uint8", params) == PYTHON


def test_many_tiles_need_python_only_where_white_balance_keeps_them():
    image = make_image("radiograph", 90, 80)
    alone = cxe.EnhanceParams(tile_grid_size=(64, 72), percentiles=None)
    assert kinds_of(image.shape, "uint8", alone) == {"CxrEnhance>Uint8"}
    assert_same_image(through_a_dataset(image, alone), cxe.enhance(image, alone))
    assert_same_image(through_a_dataset(image, FINE), cxe.enhance(image, FINE))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_gray_image_and_options_give_the_bytes_of_enhance(data):
    image = data.draw(strategies.images(channels=(1,)))
    params = cxe.EnhanceParams(**data.draw(strategies.options(image.dtype)))
    assert_same_image(through_a_dataset(image, params), cxe.enhance(image, params))


def test_many_workers_at_once_give_each_its_image():
    images = np.stack([make_image("noise", 97, 61, seed=seed) for seed in range(200)])
    data = tf.data.Dataset.from_tensor_slices(images).map(tf_data.enhance_op(), 8).prefetch(4)
    assert_same_image(np.stack(list(data.as_numpy_iterator())), cxe.enhance_batch(images))


def test_options_are_refused_when_the_graph_is_built():
    with pytest.raises(ValueError, match="`bit_shift` must be from 0 to 7 for uint8"):
        kinds_of((8, 8), "uint8", cxe.EnhanceParams(bit_shift=9))


@pytest.mark.parametrize("actual", [(3000, 20), (40, 34), (40,), (40, 33, 1)])
def test_an_image_of_another_size_than_claimed_never_reaches_the_kernel(actual):
    @tf.function
    def run():
        image = tf.numpy_function(lambda: np.zeros(actual, np.uint8), [], tf.uint8)
        image.set_shape((40, 33))
        return tf_data.enhance_op()(image)

    with pytest.raises(tf.errors.InvalidArgumentError, match="Shape of tensor PyFunc"):
        run()


def test_the_module_can_be_loaded_anew():
    done = run_code(
        """
        import gc, importlib
        import numpy as np, tensorflow as tf, cxr_enhance as cxe
        from cxr_enhance.adapters import tf_data

        image = np.random.default_rng(0).integers(0, 256, (32, 40), np.uint8)
        before = tf.function(tf_data.enhance_op())
        before(tf.constant(image))
        for name in ("_tensorflow.kernel", "_tensorflow", "tf_data"):
            del sys.modules[f"cxr_enhance.adapters.{name}"]
        del cxe.adapters._tensorflow, cxe.adapters.tf_data
        after = tf.function(importlib.import_module("cxr_enhance.adapters.tf_data").enhance_op())
        del tf_data
        gc.collect()
        for run in (before, after):
            print(np.array_equal(run(tf.constant(image)), cxe.enhance(image)))
        """
    )
    assert done.stdout.split() == ["True", "True"]


def test_without_tensorflows_c_interface_python_does_it(monkeypatch):
    monkeypatch.setattr(kernel, "_library", lambda: None)
    assert kinds_of((40, 33), "uint8") == PYTHON


@pytest.mark.parametrize(
    "names", [("libno_such_file.so",), ("libm.so.6",)], ids=["no-file", "lacks-functions"]
)
def test_a_library_that_lacks_anything_is_not_used(monkeypatch, names):
    monkeypatch.setattr(kernel, "_LIBRARIES", names)
    monkeypatch.setattr(kernel.tf.sysconfig, "get_lib", lambda: "")
    assert kernel._library.__wrapped__() is None


def test_graphs_built_at_the_same_time_register_once():
    done = run_code(
        """
        import threading
        import numpy as np, tensorflow as tf, cxr_enhance as cxe
        from cxr_enhance.adapters.tf_data import enhance_op

        image, done = np.random.default_rng(0).integers(0, 256, (32, 40), np.uint8), []

        def build():
            data = tf.data.Dataset.from_tensors(image).map(enhance_op())
            done.append(next(data.as_numpy_iterator()))

        threads = [threading.Thread(target=build) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(done), all(np.array_equal(one, cxe.enhance(image)) for one in done))
        """
    )
    assert done.stdout == "4 True\n"


def test_memory_that_runs_out_is_an_error_of_the_element():
    done = run_code(
        """
        import numba, numpy as np, tensorflow as tf
        from cxr_enhance._kernels import enhance as kernels

        @numba.njit(nogil=True)
        def out_of_memory(images, out, *fields):
            if images.shape[0] == 1 and images.shape[1] > 2:
                raise MemoryError
            return True

        kernels.enhance_u8 = out_of_memory
        from cxr_enhance.adapters.tf_data import enhance_op
        data = tf.data.Dataset.from_tensors(np.zeros((32, 40), np.uint8)).map(enhance_op())
        try:
            next(data.as_numpy_iterator())
        except tf.errors.ResourceExhaustedError as error:
            print("out of memory for the tables" in error.message)
        """
    )
    assert done.stdout == "True\n"
