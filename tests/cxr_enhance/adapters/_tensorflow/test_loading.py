"""From files: batches of names or contents to batches of enhanced images of one size."""

from __future__ import annotations

import logging
import pathlib

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

tf = pytest.importorskip("tensorflow", reason='needs pip install "cxr-enhance[tf]"')
tf_data = pytest.importorskip("cxr_enhance.adapters.tf_data")

PARAMS = cxe.EnhanceParams(tile_grid_size=(4, 8))
RGB = cxe.EnhanceParams(output="rgb", channel_order="bgr")


def run(dataset):
    return list(dataset.as_numpy_iterator())


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


@pytest.mark.parametrize("resize", ["after", "before"])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_file_is_what_the_public_step_makes_of_it(files, fit, resize, dtype):
    paths, images = files
    op = tf_data.load_and_enhance_op(
        (24, 32), PARAMS, fit=fit, resize=resize, crop_border=True, dtype=dtype
    )
    preparation = cxe.Preparation(
        params=PARAMS,
        size=(24, 32),
        fit=fit,
        crop_border=True,
        order={"after": "enhance-first", "before": "resize-first"}[resize],
        interpolation="linear",
        dtype=dtype,
    )
    expected = [cxe.prepare(image, preparation).image[..., None] for image in images]
    assert_same_image(op(tf.constant(paths)).numpy(), np.stack(expected))


def test_12_bits_in_16_fill_the_type_asked_for(tmp_path):
    pytest.importorskip("cv2", reason='needs pip install "cxr-enhance[cli]"')
    path = str(tmp_path / "deep.png")
    cxe.write_image(path, np.arange(4096, dtype=np.uint16).reshape(64, 64))
    params = cxe.EnhanceParams(percentiles=None, clip_limit=None, bits=12)
    for dtype, white in (("uint8", 255), ("uint16", 65535)):
        op = tf_data.load_and_enhance_op((64, 64), params, dtype=dtype)
        expected = (np.arange(4096) * white + 2047) // 4095
        np.testing.assert_array_equal(op(tf.constant([path])).numpy().reshape(-1), expected)


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
        ({"fit": "stretch"}, ValueError, "`fit` must be 'squash' or 'pad' or 'crop'"),
        ({"crop_border": 1}, TypeError, "`crop_border` must be a bool"),
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
