import dataclasses

import cv2
import numpy as np
import pytest

import cxr_enhance
from cxr_enhance.archive.job import Job
from cxr_enhance.archive.task import result_image
from cxr_enhance.io.dicom.decode import Decoded
from cxr_models import DataConfig
from cxr_models.inputs.loader import ImageLoader, _opencvs_own_code, cache_key, cached_images
from tests.cxr_enhance.io.test_atomic import full_disk
from tests.helpers.radiographs import draw

CONFIG = DataConfig(image_size=(48, 40))


@pytest.fixture
def paths(tmp_path):
    names = [str(tmp_path / f"{i}.png") for i in range(5)]
    for i, name in enumerate(names):
        cxr_enhance.write_image(name, draw(i, 60 + i))
    return names


def test_study_order_resizes_then_enhances(paths):
    images = ImageLoader(CONFIG)(paths)
    assert images.shape == (5, 48, 40, 1)
    for image, path in zip(images, paths, strict=True):
        resized = cv2.resize(cv2.imread(path, cv2.IMREAD_GRAYSCALE), (40, 48))
        np.testing.assert_array_equal(image[..., 0], cxr_enhance.enhance(resized))


def test_an_image_that_the_settings_do_not_fit_is_named(paths):
    config = dataclasses.replace(CONFIG, enhance=cxr_enhance.EnhanceParams(bits=12))
    with pytest.raises(ValueError, match=r"`bits` must be .*; got 12\..* Options are settings of "
                       r"the run \(data\.enhance\)\. File: '.*0\.png'\.$"):  # fmt: skip
        ImageLoader(config).load(paths[0])


def test_the_other_order_enhances_at_full_size(paths):
    config = dataclasses.replace(CONFIG, order="enhance-first")
    image = ImageLoader(config).load(paths[0])
    enhanced = cxr_enhance.enhance(cxr_enhance.read_image(paths[0]))
    np.testing.assert_array_equal(image[..., 0], cv2.resize(enhanced, (40, 48)))


@pytest.mark.parametrize("order", ["resize-first", "enhance-first"])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("crop_border", [False, True])
def test_an_image_is_what_the_public_step_makes_of_it(paths, order, fit, crop_border):
    config = dataclasses.replace(CONFIG, order=order, fit=fit, crop_border=crop_border)
    load = ImageLoader(config)
    images, transforms = load.with_transforms(paths)
    np.testing.assert_array_equal(images, load(paths))
    for image, transform, path in zip(images, transforms, paths, strict=True):
        preparation = cxr_enhance.Preparation(
            size=(48, 40), fit=fit, crop_border=crop_border, order=order, interpolation="linear"
        )
        expected = cxr_enhance.prepare(cxr_enhance.read_image(path), preparation)
        np.testing.assert_array_equal(image[..., 0], expected.image)
        assert transform == expected.transform


@pytest.mark.parametrize("order", ["resize-first", "enhance-first"])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_an_archive_of_8_bits_holds_the_same_bytes(paths, order, fit):
    config = dataclasses.replace(CONFIG, order=order, fit=fit, crop_border=True)
    job = Job(
        params=config.enhance,
        size_wh=(40, 48),
        fit=fit,
        crop_border=True,
        resize_first=order == "resize-first",
        interpolation="linear",
    )
    for image, path in zip(ImageLoader(config)(paths), paths, strict=True):
        decoded = Decoded(cxr_enhance.read_image(path))
        np.testing.assert_array_equal(image[..., 0], result_image(decoded, job, []).image)


def test_without_enhancement_gray_gives_three_equal_channels_and_colour_stays(paths, tmp_path):
    config = dataclasses.replace(CONFIG, enhance=None)
    image = ImageLoader(config).load(paths[0])
    resized = cv2.resize(cxr_enhance.read_image(paths[0]), (40, 48))
    np.testing.assert_array_equal(image, np.dstack([resized] * 3))
    colour = np.zeros((48, 40, 3), np.uint8)
    colour[..., 0] = 200
    cxr_enhance.write_image(tmp_path / "red.png", colour)
    np.testing.assert_array_equal(ImageLoader(config).load(str(tmp_path / "red.png")), colour)


def test_sixteen_bits_are_enhanced_before_they_become_eight(tmp_path):
    deep = draw(9, 48).astype(np.uint16) * 16
    path = str(tmp_path / "deep.png")
    cxr_enhance.write_image(path, deep)
    enhanced = cxr_enhance.enhance(cv2.resize(deep, (40, 48))).astype(np.uint32)
    image = ImageLoader(CONFIG).load(path)
    np.testing.assert_array_equal(image[..., 0], (enhanced + 128) // 257)


@pytest.mark.parametrize("order", ["resize-first", "enhance-first"])
def test_a_folder_of_16_bit_png_is_enhanced_at_16_bits_and_then_cut_to_8(tmp_path, order):
    config = dataclasses.replace(CONFIG, order=order)
    paths = [str(tmp_path / f"{seed}.png") for seed in range(3)]
    rng = np.random.default_rng(0)
    for seed, path in enumerate(paths):
        image = draw(seed, 96).astype(np.uint16) * 250
        image += rng.integers(0, 257, image.shape).astype(np.uint16)  # what 8 bits would cut off
        cxr_enhance.write_image(path, image)
    images = ImageLoader(config)(paths)

    def resized(image):
        with _opencvs_own_code():  # IPP rounds 16 bits otherwise
            return cv2.resize(image, (40, 48))

    for path, image in zip(paths, images, strict=True):
        deep = cxr_enhance.read_image(path)
        if order == "resize-first":
            deep = cxr_enhance.enhance(resized(deep))
            narrow = (resized(cxr_enhance.read_image(path)) >> 8).astype(np.uint8)
            cut_first = cxr_enhance.enhance(narrow)
        else:
            cut_first = resized(cxr_enhance.enhance((deep >> 8).astype(np.uint8)))
            deep = resized(cxr_enhance.enhance(deep))
        np.testing.assert_array_equal(image[..., 0], (deep.astype(np.uint32) + 128) // 257)
        assert (image[..., 0] != cut_first).mean() > 0.1


def test_12_bits_in_16_fill_8_bits(tmp_path):
    params = cxr_enhance.EnhanceParams(percentiles=None, bits=12)
    config = dataclasses.replace(CONFIG, enhance=params)
    path = str(tmp_path / "deep.png")
    cxr_enhance.write_image(path, draw(9, 48).astype(np.uint16) * 16)
    resized = cv2.resize(cxr_enhance.read_image(path), (40, 48))
    enhanced = cxr_enhance.enhance(resized, params).astype(np.int64)
    image = ImageLoader(config).load(path)[..., 0]
    np.testing.assert_array_equal(image, (enhanced * 255 + 2047) // 4095)
    assert image.max() > 200


def test_cache_holds_the_same_pixels_and_is_read_again(paths, tmp_path):
    counts = []
    images = cached_images(CONFIG, paths, tmp_path / "cache", progress=counts.append)
    np.testing.assert_array_equal(images, ImageLoader(CONFIG)(paths))
    again = cached_images(CONFIG, paths, tmp_path / "cache", progress=counts.append)
    np.testing.assert_array_equal(images, again)
    assert counts == [5]
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_cache_is_another_for_other_settings_or_files(paths):
    keys = {
        cache_key(CONFIG, paths),
        cache_key(CONFIG, paths[1:]),
        cache_key(dataclasses.replace(CONFIG, enhance=None), paths),
        cache_key(dataclasses.replace(CONFIG, order="enhance-first"), paths),
        cache_key(dataclasses.replace(CONFIG, fit="pad"), paths),
        cache_key(dataclasses.replace(CONFIG, fit="crop"), paths),
        cache_key(dataclasses.replace(CONFIG, crop_border=True), paths),
    }
    cxr_enhance.write_image(paths[0], draw(77, 70))
    assert len(keys | {cache_key(CONFIG, paths)}) == 8


def test_an_unreadable_file_is_named_and_leaves_no_cache(paths, tmp_path):
    with open(paths[3], "wb") as file:
        file.write(b"no image")
    with pytest.raises(ValueError, match=r"3\.png"):
        cached_images(CONFIG, paths, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_full_disk_is_an_error_that_names_the_cache_and_leaves_nothing(paths, tmp_path):
    with full_disk(4000), pytest.raises(OSError, match=r"images-\w+\.npy"):
        cached_images(CONFIG, paths, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    cached = cached_images(CONFIG, paths, tmp_path / "cache")
    np.testing.assert_array_equal(cached, ImageLoader(CONFIG)(paths))


@pytest.mark.parametrize("left", [0, 40, 2000])
def test_a_cache_that_lost_its_end_is_made_anew(paths, tmp_path, left):
    config = DataConfig(image_size=(40, 48))
    expected = cached_images(config, paths, tmp_path / "cache").copy()
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:left])
    np.testing.assert_array_equal(cached_images(config, paths, tmp_path / "cache"), expected)


@pytest.mark.parametrize(
    ("container", "library", "ending"),
    [("webdataset", "webdataset", ".tar"), ("tfrecord", "tensorflow", ".tfrecord")],
)
def test_images_in_files_of_samples_are_those_of_their_files(
    paths, tmp_path, container, library, ending
):
    pytest.importorskip(library)
    from cxr_enhance.cli import main as enhance_main

    raw = ["--preset", "study", "--size", "40", "48", "--no-white-balance", "--no-clahe"]
    for name, words in (("raw", raw), ("enhanced", raw[:-2])):
        words = ["run", *paths, "--out", str(tmp_path / name), "--format", container, *words]
        assert enhance_main(words) == 0
    raw, enhanced = (
        [f"{tmp_path / name}/000000{ending}::{index}" for index in range(5)]
        for name in ("raw", "enhanced")
    )
    images = ImageLoader(CONFIG)(paths)
    np.testing.assert_array_equal(ImageLoader(CONFIG)(raw), images)
    without = dataclasses.replace(CONFIG, enhance=None)
    np.testing.assert_array_equal(ImageLoader(without)(enhanced), np.repeat(images, 3, axis=-1))
    np.testing.assert_array_equal(cached_images(CONFIG, raw, tmp_path / "cache"), images)
    assert cache_key(CONFIG, raw) != cache_key(CONFIG, enhanced)
