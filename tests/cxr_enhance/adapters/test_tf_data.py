"""tf.data: the kernels' bytes, static shapes, errors when the graph is built, and no state."""

from __future__ import annotations

import logging
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxr_enhance as cxe
from tests.helpers import strategies
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_fresh
from tests.helpers.images import make_image

tf = pytest.importorskip("tensorflow", reason='needs pip install "cxr-enhance[tf]"')
tf_data = pytest.importorskip("cxr_enhance.adapters.tf_data")

PARAMS = cxe.EnhanceParams(tile_grid_size=(4, 8))
RGB = cxe.EnhanceParams(tile_grid_size=(4, 8), output="rgb", channel_order="bgr")


def stack(count=6, height=33, width=47, kind="uint8", channels=None):
    return np.stack(
        [make_image("radiograph", height, width, kind, channels, seed=i) for i in range(count)]
    )


def run(dataset):
    return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("params", [None, PARAMS, RGB], ids=["study", "grid", "rgb"])
class TestParity:
    def test_single_images_give_the_bytes_and_shape_of_enhance(self, kind, channels, params):
        images = stack(kind=kind, channels=channels)
        data = tf.data.Dataset.from_tensor_slices(images).map(tf_data.enhance_op(params))
        expected = [cxe.enhance(image, params) for image in images]
        assert data.element_spec == tf.TensorSpec(expected[0].shape, images.dtype)
        for actual, one in zip(run(data), expected, strict=True):
            assert_same_image(actual, one)

    def test_batches_give_the_bytes_and_shape_of_enhance_batch(self, kind, channels, params):
        images = stack(kind=kind, channels=channels)
        data = tf.data.Dataset.from_tensor_slices(images).batch(4).map(tf_data.enhance_op(params))
        expected = cxe.enhance_batch(images, params)
        assert data.element_spec.shape.as_list() == [None, *expected.shape[1:]]
        assert_same_image(np.concatenate(run(data)), expected)


def test_unknown_sizes_stay_unknown_and_channels_known():
    def images():
        yield make_image("noise", 20, 31, channels=3)
        yield make_image("noise", 9, 17, channels=3)

    spec = tf.TensorSpec((None, None, 3), tf.uint8)
    data = tf.data.Dataset.from_generator(images, output_signature=spec)
    data = data.map(tf_data.enhance_op(RGB))
    assert data.element_spec.shape.as_list() == [None, None, 3]
    for actual, image in zip(run(data), images(), strict=True):
        assert_same_image(actual, cxe.enhance(image, RGB))


@pytest.mark.parametrize(
    ("spec", "error", "sentence"),
    [
        (tf.TensorSpec((8, 8), tf.float32), TypeError, "dtype uint8 or uint16; got float32"),
        (tf.TensorSpec(None, tf.uint8), ValueError, "unknown rank. Set it with tf.ensure_shape"),
        (tf.TensorSpec((2, 8, 8, 4), tf.uint8), ValueError, r"got \(2, 8, 8, 4\)"),
        (tf.TensorSpec((8, 8, None), tf.uint8), ValueError, "last size known"),
        (tf.TensorSpec((8,), tf.uint8), ValueError, r"got \(8,\)"),
        (tf.TensorSpec((8, 8), tf.uint8), ValueError, "`bit_shift` must be from 0 to 7 for uint8"),
    ],
    ids=["float", "rank", "channels", "last", "vector", "bit-shift"],
)
def test_what_cannot_be_enhanced_is_refused_when_the_graph_is_built(spec, error, sentence):
    op = tf_data.enhance_op(cxe.EnhanceParams(bit_shift=8))
    with pytest.raises(error, match=sentence):
        tf.function(op).get_concrete_function(spec)


@pytest.mark.parametrize(
    ("elements", "sentence"),
    [
        (
            lambda z: (z, [0, 1]),
            r"got elements of 2 components. Take it out, for instance data.map",
        ),
        (lambda z: {"x": z}, "got elements of a dict"),
        (lambda z: ((z, z),), "got elements of a tuple"),
        (
            lambda z: tf.RaggedTensor.from_tensor(tf.constant(z), ragged_rank=2),
            "dense tensor; got RaggedTensor. Use `to_tensor`",
        ),
        (
            lambda z: tf.sparse.from_dense(tf.constant(z)),
            "dense tensor; got SparseTensor. Use `tf.sparse.to_dense`",
        ),
        (lambda z: z[:, :0], r"at least one pixel each; got shape \(0, 8\)"),
    ],
    ids=["pair", "dict", "nested", "ragged", "sparse", "no-pixels"],
)
def test_elements_that_are_not_one_image_are_refused_with_what_to_write(elements, sentence):
    data = tf.data.Dataset.from_tensor_slices(elements(np.zeros((2, 8, 8), np.uint8)))
    with pytest.raises((TypeError, ValueError), match=sentence):
        data.map(tf_data.enhance_op())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(0, 8, 9), (0, 8, 9, 1)], ids=str)
def test_empty_batches_stay_empty(dtype, shape):
    result = tf_data.enhance_op()(np.zeros(shape, dtype))
    assert result.shape == shape
    assert result.dtype == dtype


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_image_and_options_give_the_bytes_of_enhance(data):
    image = data.draw(strategies.images(channels=(1, 3)))
    params = cxe.EnhanceParams(**data.draw(strategies.options(image.dtype)))
    wanted = cxe.enhance(image, params)
    op = tf_data.enhance_op(params)
    assert_same_image(op(image).numpy(), wanted)
    assert_same_image(op(np.stack([image, image])).numpy(), np.stack([wanted, wanted]))


def test_wrong_options_are_refused_at_once():
    with pytest.raises(TypeError, match="`params` must be EnhanceParams or None; got dict"):
        tf_data.enhance_op({"clip_limit": 2})
    with pytest.raises(ValueError, match="`num_threads` must be at least 1"):
        tf_data.enhance_op(num_threads=0)


def test_no_operation_in_the_graph_has_a_state():
    for spec in (tf.TensorSpec((8, 8), tf.uint8), tf.TensorSpec((8, 8, 3), tf.uint8)):
        graph = tf.function(tf_data.enhance_op()).get_concrete_function(spec).graph
        assert not any(operation.op_def.is_stateful for operation in graph.get_operations())


@pytest.mark.parametrize("channels", [None, 3], ids=["compiled", "python"])
def test_results_do_not_share_memory_even_where_tensorflow_adopts_them(channels):
    images = stack(
        8, 64, 64, channels=channels
    )  # rows of 64 bytes: aligned arrays are taken over without a copy
    data = tf.data.Dataset.from_tensor_slices(images).map(tf_data.enhance_op())
    results = list(data)  # all kept before any is looked at
    for tensor, image in zip(results, images, strict=True):
        assert_same_image(tensor.numpy(), cxe.enhance(image))


@pytest.mark.parametrize("channels", [None, 3], ids=["compiled", "python"])
def test_the_input_is_not_modified(channels):
    images = stack(4, 64, 64, channels=channels)
    op = tf_data.enhance_op()
    data = tf.data.Dataset.from_tensor_slices(images).map(lambda image: (op(image), image))
    for (_, after), before in zip(run(data), images, strict=True):
        assert_same_image(after, before)


@pytest.mark.parametrize("channels", [None, 3], ids=["compiled", "python"])
def test_cached_and_saved_datasets_hold_the_same_bytes(tmp_path, channels):
    images = stack(channels=channels)
    data = tf.data.Dataset.from_tensor_slices(images).map(tf_data.enhance_op(), tf.data.AUTOTUNE)
    data = data.cache()
    expected = cxe.enhance_batch(images)
    assert_same_image(np.stack(run(data)), expected)
    assert_same_image(np.stack(run(data)), expected)
    data.save(str(tmp_path / "saved"))
    assert_same_image(np.stack(run(tf.data.Dataset.load(str(tmp_path / "saved")))), expected)


@pytest.mark.parametrize("channels", [None, 3], ids=["compiled", "python"])
def test_an_iterator_resumes_from_its_checkpoint(tmp_path, channels):
    images = stack(channels=channels)
    data = tf.data.Dataset.from_tensor_slices(images).map(tf_data.enhance_op(), 2)
    iterator = iter(data)
    for _ in range(2):
        next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "at"))
    resumed = iter(data)
    tf.train.Checkpoint(iterator=resumed).restore(path)
    assert_same_image(next(resumed).numpy(), cxe.enhance(images[2]))


@pytest.mark.parametrize("channels", [None, 3], ids=["compiled", "python"])
def test_a_local_service_gives_the_same_images(channels):
    images = stack(channels=channels)
    dispatcher = tf.data.experimental.service.DispatchServer()
    address = dispatcher.target.split("://")[1]
    config = tf.data.experimental.service.WorkerConfig(dispatcher_address=address)
    worker = tf.data.experimental.service.WorkerServer(config)
    data = tf.data.Dataset.from_tensor_slices(images).map(tf_data.enhance_op())
    data = data.apply(
        tf.data.experimental.service.distribute(
            processing_mode=tf.data.experimental.service.ShardingPolicy.OFF,
            service=dispatcher.target,
        )
    )
    assert_same_image(np.stack(run(data)), cxe.enhance_batch(images))
    del worker, dispatcher


def test_determinism_mode_still_runs_calls_side_by_side():
    said = run_fresh(
        """
        import threading
        import numpy as np, tensorflow as tf, cxr_enhance as cxe
        from cxr_enhance.adapters.tf_data import enhance_op

        tf.keras.utils.set_random_seed(1)
        tf.config.experimental.enable_op_determinism()
        meeting, enhance = threading.Barrier(2, timeout=30), cxe.enhance

        def enhance_together(image, params, **options):
            meeting.wait()  # breaks where the second call waits for the first to end
            return enhance(image, params, **options)

        cxe.enhance = enhance_together
        images = np.random.default_rng(0).integers(0, 256, (4, 32, 40, 3), np.uint8)
        data = tf.data.Dataset.from_tensor_slices(images).map(enhance_op(), num_parallel_calls=2)
        done = np.stack(list(data.as_numpy_iterator()))
        print(np.array_equal(done, cxe.enhance_batch(images)))
        """
    )
    assert said == "True"


# --- From files -----------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    pytest.importorskip("cv2", reason='needs pip install "cxr-enhance[cli]"')
    images = [
        make_image("radiograph", 40, 60),
        make_image("radiograph", 50, 30, channels=3),
        make_image("radiograph", 40, 60, "uint16"),
    ]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, images, strict=True):
        cxe.write_image(path, image)
    return [str(path) for path in paths], images


def expected_images(images, size_wh=(32, 24), before=False):
    import cv2

    done = []
    for image in images:
        if before:
            image = cv2.resize(image, size_wh)
        image = cxe.enhance(image, PARAMS)
        if not before:
            image = cv2.resize(image, size_wh)
        if image.dtype == np.uint16:
            image = ((image.astype(np.int64) + 128) // 257).astype(np.uint8)
        done.append(image[..., None])
    return np.stack(done)


@pytest.mark.parametrize("resize", ["after", "before"])
@pytest.mark.parametrize("encoded", [False, True])
def test_files_are_enhanced_and_resized_in_their_own_depth(files, resize, encoded):
    paths, images = files
    sources = [pathlib.Path(path).read_bytes() for path in paths] if encoded else paths
    op = tf_data.load_and_enhance_op((24, 32), PARAMS, encoded=encoded, resize=resize)
    data = tf.data.Dataset.from_tensor_slices(sources).batch(3).map(op)
    assert data.element_spec == tf.TensorSpec((None, 24, 32, 1), tf.uint8)
    assert_same_image(run(data)[0], expected_images(images, before=resize == "before"))


def test_eight_bits_become_sixteen_by_multiplication(files):
    paths, images = files
    op = tf_data.load_and_enhance_op((40, 60), PARAMS, dtype="uint16")
    expected = cxe.enhance(images[0], PARAMS).astype(np.uint16) * 257
    assert_same_image(op(tf.constant(paths[:1])).numpy()[0, ..., 0], expected)


def test_a_bad_file_is_named_in_the_error(files, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    op = tf_data.load_and_enhance_op((24, 32))
    data = tf.data.Dataset.from_tensor_slices([str(bad)]).batch(1).map(op)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Cannot load '.*bad\.png'"):
        run(data)


@pytest.mark.parametrize("on_error", ["skip", "zeros"])
def test_bad_files_are_left_out_or_zero_marked_and_logged(files, tmp_path, caplog, on_error):
    paths, images = files
    missing = str(tmp_path / "missing.png")
    op = tf_data.load_and_enhance_op((24, 32), PARAMS, on_error=on_error)
    data = tf.data.Dataset.from_tensor_slices([paths[0], missing, *paths[1:]]).batch(4).map(op)
    with caplog.at_level(logging.WARNING, "cxr_enhance"):
        ((done, usable),) = run(data)
    assert usable.tolist() == [True, False, True, True]
    assert "missing.png" in caplog.text
    expected = expected_images(images)
    if on_error == "zeros":
        assert not done[1].any()
        done = done[usable]
    assert_same_image(done, expected)


def test_a_file_whose_name_is_no_text_is_left_out_like_any_other(files):
    paths, images = files
    op = tf_data.load_and_enhance_op((24, 32), PARAMS, on_error="skip")
    done, usable = op(tf.constant([paths[0].encode(), b"\xff.png"]))
    assert usable.numpy().tolist() == [True, False]
    assert_same_image(done.numpy(), expected_images(images[:1]))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"size": (0, 5)}, ValueError, "`size` must be two positive ints"),
        ({"size": 224}, TypeError, "`size` must be two positive ints"),
        ({"on_error": "ignore"}, ValueError, "`on_error` must be one of 'raise', 'skip', 'zeros'"),
        ({"resize": "never"}, ValueError, "`resize` must be one of"),
        ({"interpolation": "lanczos"}, ValueError, "`interpolation` must be one of"),
        ({"dtype": "float32"}, ValueError, "`dtype` must be one of"),
        ({"dtype": tf.uint8}, ValueError, "`dtype` must be one of"),
        ({"encoded": 1}, TypeError, "`encoded` must be a bool"),
        ({"params": RGB}, ValueError, "`params.channel_order` must be 'rgb'"),
    ],
)
def test_options_of_loading_are_checked_at_once(options, error, sentence):
    with pytest.raises(error, match=sentence):
        tf_data.load_and_enhance_op(**{"size": (8, 8), **options})


def test_loading_wants_a_batch_of_strings():
    with pytest.raises(TypeError, match="string tensor of shape"):
        tf_data.load_and_enhance_op((8, 8))(tf.constant("a.png"))


@pytest.mark.parametrize("images", ["(64, 512, 512)", "(64, 512, 512, 3)", "(8, 16, 128, 128)"])
def test_a_program_that_fails_while_images_are_read_ahead_ends(images):
    run_fresh(
        f"""
        import subprocess, textwrap
        program = textwrap.dedent('''
            import numpy as np, tensorflow as tf
            from cxr_enhance.adapters.tf_data import enhance_op
            images = tf.data.Dataset.from_tensor_slices(np.zeros({images}, np.uint8)).repeat()
            ahead = iter(images.map(enhance_op(), 2).prefetch(8))
            next(ahead)
            raise RuntimeError("stopped here")
        ''')
        ended = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, timeout=120)
        assert ended.returncode == 1, ended
        assert b"stopped here" in ended.stderr
        """
    )
