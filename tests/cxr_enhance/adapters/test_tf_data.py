"""tf.data: the kernels' bytes, static shapes, errors when the graph is built, and no state."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.adapter_contract import AdapterContract, StaticShapeContract
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code
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


class TestContract(AdapterContract, StaticShapeContract):
    adapter, framework, extra = "tf_data", "tensorflow", "tf"
    forms = ("eager", "dataset", "batches")
    channels = (None, 1, 3)
    channels_drawn = (1, 3)  # (N, H, W) of narrow images reads as one image with channels
    knows_subnormals = False
    keeps_axis = False
    sentences: ClassVar = {
        "dtype": (
            lambda: tf_data.enhance_op()(np.zeros((8, 8), np.int64)),
            "`images` must have dtype uint8 or uint16; got int64. For values 0..255, use "
            "tf.cast(images, tf.uint8); for 0..65535, tf.cast(images, tf.uint16).",
        ),
        "shape": (
            lambda: tf_data.enhance_op()(np.zeros((2, 8, 8, 4), np.uint8)),
            "`images` must have shape (H, W), (H, W, C), (N, H, W) or (N, H, W, C), C being 1 or "
            "3; got (2, 8, 8, 4).",
        ),
        "params": (
            lambda: tf_data.enhance_op({"clip_limit": 2}),
            "`params` must be EnhanceParams or None; got dict. Use EnhanceParams.from_dict.",
        ),
    }

    copies: ClassVar = {}  # what is made is a function, which nobody writes and reads again
    test_a_copy_has_the_same_options_and_gives_the_same_bytes = None

    def make(self, params, form):
        return tf_data.enhance_op(params)

    def make_for_floats(self, params, form):
        return tf_data.enhance_op(params, value_range=(0, 1))

    def call(self, made, image, form):
        if form == "eager":
            return made(image).numpy()
        images = tf.data.Dataset.from_tensors(image)
        if form == "batches":
            images = tf.data.Dataset.from_tensor_slices(np.stack([image[::-1], image])).batch(2)
        result = next(images.map(made).as_numpy_iterator())
        return result[1] if form == "batches" else result

    def static(self, shape, dtype, params):
        spec = tf.TensorSpec(shape, dtype)
        result = tf.function(tf_data.enhance_op(params)).get_concrete_function(spec)
        return tuple(result.output_shapes.as_list()), result.output_dtypes.name


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("params", [None, PARAMS, RGB], ids=["study", "grid", "rgb"])
def test_datasets_give_the_bytes_and_shapes_of_enhance_batch(kind, channels, params):
    images = stack(kind=kind, channels=channels)
    data, expected = tf.data.Dataset.from_tensor_slices(images), cxe.enhance_batch(images, params)
    one_by_one = data.map(tf_data.enhance_op(params))
    assert one_by_one.element_spec == tf.TensorSpec(expected.shape[1:], images.dtype)
    assert_same_image(np.stack(run(one_by_one)), expected)
    in_batches = data.batch(4).map(tf_data.enhance_op(params))
    assert in_batches.element_spec.shape.as_list() == [None, *expected.shape[1:]]
    assert_same_image(np.concatenate(run(in_batches)), expected)


def test_images_of_any_size_are_enhanced_where_sizes_are_unknown():
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
        (
            tf.TensorSpec((8, 8), tf.float32),
            TypeError,
            r"got float32. For floats, pass the values of black and white: enhance_op\(value_range",
        ),
        (tf.TensorSpec((8, 8), tf.string), TypeError, "dtype uint8 or uint16; got string.$"),
        (tf.TensorSpec(None, tf.uint8), ValueError, "unknown rank. Set it with tf.ensure_shape"),
        (tf.TensorSpec((8, 8, None), tf.uint8), ValueError, "last size known"),
        (tf.TensorSpec((8,), tf.uint8), ValueError, r"got \(8,\)"),
        (tf.TensorSpec((8, 8), tf.uint8), ValueError, "`bit_shift` must be from 0 to 7 for uint8"),
    ],
    ids=["float", "string", "rank", "last", "vector", "bit-shift"],
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
            "dense tensor; got RaggedTensor. Map images before they are put",
        ),
        (
            lambda z: tf.sparse.from_dense(tf.constant(z)),
            "dense tensor; got SparseTensor. Use tf.sparse.to_dense",
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
    assert_same_image(result.numpy(), np.zeros(shape, dtype))


def test_a_wrong_number_of_threads_is_refused_at_once():
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
    done = run_code(
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
    assert done.stdout == "True\n"


@pytest.mark.parametrize("images", ["(64, 512, 512)", "(64, 512, 512, 3)", "(8, 16, 128, 128)"])
def test_a_program_that_fails_while_images_are_read_ahead_ends(images):
    done = run_code(
        f"""
        import numpy as np, tensorflow as tf
        from cxr_enhance.adapters.tf_data import enhance_op
        images = tf.data.Dataset.from_tensor_slices(np.zeros({images}, np.uint8)).repeat()
        ahead = iter(images.map(enhance_op(), 2).prefetch(8))
        next(ahead)
        raise RuntimeError("stopped here")
        """,
        status=1,
        timeout=120,
    )
    assert "stopped here" in done.stderr


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize("form", ["eager", "dataset", "batches"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_floats_in_a_range_have_the_levels_of_the_library(limits, form, channels):
    low, high = limits
    bits = 8 if high == 255 else 16
    levels = stack(3, kind=f"uint{bits}", channels=channels)
    top = 2**bits - 1
    values = (levels * (high - low) / top + low).astype(np.float32)
    wanted = (cxe.enhance_batch(levels) * (high - low) / top + low).astype(np.float32)
    op = tf_data.enhance_op(value_range=limits)
    if form == "eager":
        result = op(values).numpy()
    else:
        data = tf.data.Dataset.from_tensor_slices(values)
        data = data.batch(3).map(op) if form == "batches" else data.map(op)
        assert data.element_spec.dtype == tf.float32
        result = np.concatenate(run(data)) if form == "batches" else np.stack(run(data))
    assert_same_image(result, wanted)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
# TensorFlow asks its own tensors of bfloat16 for arrays in the way of NumPy 1.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_half_precision_is_taken_where_it_holds_the_levels(dtype):
    image = make_image("radiograph", 33, 40)
    result = tf_data.enhance_op(value_range=(0, 255))(tf.cast(image, dtype))
    assert result.dtype == dtype
    assert_same_image(tf.cast(result, tf.uint8).numpy(), cxe.enhance(image))
    with pytest.raises(TypeError, match=r"Use tf.cast\(images, tf.float32\)\.$"):
        tf_data.enhance_op(value_range=(0, 1))(tf.cast(image, dtype))


def test_floats_are_refused_unless_their_range_is_said_and_out_of_it():
    values = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    data = tf.data.Dataset.from_tensor_slices(values)
    with pytest.raises(TypeError, match=r"enhance_op\(value_range=\(0, 1\)\) or "):
        data.map(tf_data.enhance_op())
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Pass value_range=\(0, 1\), or"):
        run(data.map(tf_data.enhance_op(value_range=(0, 255))))
    wide = data.map(lambda images: images * 1.2 - 0.1).map(tf_data.enhance_op(value_range=(0, 1)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"tf.clip_by_value\(images, 0, 1\)"):
        run(wide)


def test_elements_of_more_than_an_image_are_taken_out_by_the_cure():
    images, op = stack(2), tf_data.enhance_op()
    wanted = cxe.enhance_batch(images)
    elements = [
        (images, [1, 2]),
        (images, [1, 2], ["a", "b"]),
        {"label": [1, 2], "scan": images},
    ]
    for sliced in elements:
        data = tf.data.Dataset.from_tensor_slices(sliced)
        with pytest.raises(TypeError, match="must be one tensor; got elements of") as caught:
            data.map(op)
        cure = re.search(r"data\.map\(.+\)(?=\.$)", str(caught.value), re.MULTILINE)[0]
        cured = eval(cure, {"data": data, "op": op})
        items = [item if isinstance(item, dict) else dict(enumerate(item)) for item in run(cured)]
        image, label = ("scan", "label") if isinstance(sliced, dict) else (0, 1)
        assert_same_image(np.stack([item[image] for item in items]), wanted)
        assert [int(item[label]) for item in items] == [1, 2]
        assert cured.element_spec.__class__ is data.element_spec.__class__
        assert len(cured.element_spec) == len(sliced)


def test_channels_that_are_not_known_are_set_by_the_cure():
    images = stack(2, channels=1)
    spec = tf.TensorSpec((None,) * 4, tf.uint8)
    data = tf.data.Dataset.from_generator(lambda: iter([images]), output_signature=spec)
    with pytest.raises(ValueError, match=r"Set it with tf.ensure_shape") as caught:
        data.map(tf_data.enhance_op())
    cure = re.search(r"tf\.ensure_shape\(images, \([^()]*\)\)", str(caught.value))[0]
    shaped = data.map(lambda images: eval(cure, {"tf": tf, "images": images}))
    assert_same_image(run(shaped.map(tf_data.enhance_op()))[0], cxe.enhance_batch(images))


@pytest.mark.parametrize("dtype", [tf.bool, tf.int32])
def test_other_dtypes_are_refused_and_the_cure_keeps_the_values(dtype):
    images = tf.constant(make_image("noise", 20, 31) // (255 if dtype == tf.bool else 1))
    images = tf.cast(images, dtype)
    cure = "tf.cast(images, tf.uint8)" + (" * 255" if dtype == tf.bool else "")
    with pytest.raises(TypeError, match="got " + dtype.name) as caught:
        tf_data.enhance_op()(images)
    assert cure in str(caught.value)
    tf_data.enhance_op()(eval(cure, {"tf": tf, "images": images}))


@pytest.mark.parametrize(
    "lines",
    [
        "return enhance_op()(image)",
        "return enhance_op(cxe.EnhanceParams(tile_grid_size=(2, 2)), value_range=(0, 1))(image)",
        "return enhance_op(num_threads=2)(image[None])",
        "return Enhance()(image)",
        "return Enhance(cxe.EnhanceParams(tile_grid_size=(2, 2)))(tf.cast(image, tf.float32))",
    ],
)
def test_what_is_made_inside_a_mapped_function_is_quiet(lines, tmp_path):
    program = tmp_path / "program.py"  # AutoGraph rewrites what has a file
    program.write_text(
        "import numpy as np, tensorflow as tf, cxr_enhance as cxe\n"
        "from cxr_enhance.adapters.tf_data import enhance_op\n"
        "from cxr_enhance.adapters.keras_layers import Enhance\n"
        f"def prepare(image):\n    {lines}\n"
        "data = tf.data.Dataset.from_tensor_slices(np.zeros((2, 24, 24, 1), np.uint8))\n"
        "next(iter(data.map(prepare)))\n"
    )
    done = run_code("import runpy; runpy.run_path(sys.argv[1])", program)
    for word in ("AutoGraph", "report this", "could not be transformed"):
        assert word not in done.stdout + done.stderr
