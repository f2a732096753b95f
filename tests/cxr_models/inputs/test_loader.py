import dataclasses

import cv2
import numpy as np
import pytest

import cxr_enhance
from cxr_models import DataConfig
from cxr_models.inputs.loader import ImageLoader, cache_key, cached_images
from tests.cxr_models.test_files import full_disk
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


def test_the_other_order_enhances_at_full_size(paths):
    config = dataclasses.replace(CONFIG, order="enhance-first")
    image = ImageLoader(config).load(paths[0])
    enhanced = cxr_enhance.enhance(cxr_enhance.read_image(paths[0]))
    np.testing.assert_array_equal(image[..., 0], cv2.resize(enhanced, (40, 48)))


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
def test_a_folder_of_16_bit_png_is_enhanced_at_16_bits_with_the_limit_of_8(tmp_path, order):
    """The order of the steps: resize, enhance at the depth of the file, then 8 bits."""
    config = dataclasses.replace(CONFIG, order=order)
    narrow = [draw(seed, 96) for seed in range(3)]
    for name, factor in (("narrow", 1), ("deep", 257)):
        (tmp_path / name).mkdir()
        for seed, image in enumerate(narrow):
            scaled = image if factor == 1 else image.astype(np.uint16) * factor
            cxr_enhance.write_image(tmp_path / name / f"{seed}.png", scaled)
    deep, flat = (
        ImageLoader(config)([str(tmp_path / name / f"{seed}.png") for seed in range(3)])
        for name in ("deep", "narrow")
    )
    assert deep.dtype == np.uint8
    if order == "enhance-first":
        # What 8 bits cut off in white balance, as often as CLAHE may stretch it. Resized before, 8
        # bits have gaps between their levels once stretched, which the limit cuts deeper.
        assert np.abs(deep.astype(int) - flat).mean() < 1
        assert np.abs(deep.astype(int) - flat).max() <= 10
    path = str(tmp_path / "deep" / "0.png")
    image = cxr_enhance.read_image(path)
    uses_ipp = hasattr(cv2, "ipp") and cv2.ipp.useIPP()
    if uses_ipp:  # which rounds a resize of 16 bits otherwise, and is kept out of the loader
        cv2.ipp.setUseIPP(False)
    if order == "resize-first":
        expected = cxr_enhance.enhance(cv2.resize(image, (40, 48)))
    else:
        expected = cv2.resize(cxr_enhance.enhance(image), (40, 48))
    if uses_ipp:
        cv2.ipp.setUseIPP(True)
    expected = (expected.astype(np.uint32) + 128) // 257
    np.testing.assert_array_equal(deep[0, ..., 0], expected)


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
    }
    cxr_enhance.write_image(paths[0], draw(77, 70))
    assert len(keys | {cache_key(CONFIG, paths)}) == 5


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
