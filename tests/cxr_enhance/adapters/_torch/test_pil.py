"""PIL's images give PIL's images, or a sentence whose cure leaves their values as they are."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.compare import assert_same_image
from tests.helpers.images import make_image

pytest.importorskip("torch", reason='needs pip install "cxr-enhance[torch]"')
image_module = pytest.importorskip("PIL.Image", reason="needs pip install pillow")
from cxr_enhance.adapters.torch_transform import EnhanceTransform  # noqa: E402 - after the skips

GRAY = make_image("radiograph", 33, 40)
DEEP = make_image("radiograph", 33, 40, "uint16")
RGB = cxe.EnhanceParams(output="rgb")


@pytest.mark.parametrize(
    ("image", "mode"),
    [(GRAY, "L"), (DEEP, "I;16"), (make_image("radiograph", 33, 40, channels=3), "RGB")],
)
def test_an_image_gives_an_image_with_the_bytes_of_enhance(image, mode):
    result = EnhanceTransform()(image_module.fromarray(image))
    assert (result.mode, result.size) == ("I;16" if mode == "I;16" else "L", (40, 33))
    assert_same_image(np.asarray(result), cxe.enhance(image))


def test_other_byte_orders_and_32_bits_give_the_bytes_of_sixteen():
    wanted = cxe.enhance(DEEP)
    foreign = image_module.frombytes("I;16B", (40, 33), DEEP.astype(">u2").tobytes())
    assert_same_image(np.asarray(EnhanceTransform()(foreign)), wanted)
    wide = EnhanceTransform()(image_module.fromarray(DEEP.astype(np.int32)))
    assert wide.mode == "I"
    assert_same_image(np.asarray(wide), wanted.astype(np.int32))


def test_floats_are_read_in_the_value_range():
    image = image_module.fromarray(GRAY.astype(np.float32))
    result = EnhanceTransform(value_range=(0, 255))(image)
    assert result.mode == "F"
    assert_same_image(np.asarray(result), cxe.enhance(GRAY).astype(np.float32))


def test_three_channels_are_an_image_of_colour_where_they_have_eight_bits():
    result = EnhanceTransform(RGB)(image_module.fromarray(GRAY))
    assert result.mode == "RGB"
    assert_same_image(np.asarray(result), cxe.enhance(GRAY, RGB))
    with pytest.raises(ValueError, match=r"`params.output` must be 'gray' .* Pass np.asarray"):
        EnhanceTransform(RGB)(image_module.fromarray(DEEP))
    assert_same_image(EnhanceTransform(RGB)(np.asarray(DEEP)), cxe.enhance(DEEP, RGB))


@pytest.mark.parametrize("mode", ["1", "LA", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV"])
def test_other_modes_are_refused_and_the_cure_keeps_the_values(mode):
    source = GRAY // 255 * 255 if mode == "1" else GRAY
    start = image_module.fromarray(source)
    start = start.convert("P") if mode == "PA" else start
    start = start.convert("RGB") if mode not in ("1", "LA", "P", "PA") else start
    image = start.convert(mode)
    with pytest.raises(TypeError, match="as a PIL image; got " + mode) as caught:
        EnhanceTransform()(image)
    cure = re.search(r"Use (.+)\.$", str(caught.value))[1]
    cured = eval(cure, {"image": image})
    if mode != "CMYK":
        gray = np.asarray(cured.convert("L")).astype(int)
        assert np.abs(gray - source).max() <= (4 if mode == "YCbCr" else 0)
    assert_same_image(np.asarray(EnhanceTransform()(cured)), cxe.enhance(np.asarray(cured)))


def test_premultiplied_images_need_two_cures():
    image = image_module.fromarray(np.dstack([GRAY, np.full_like(GRAY, 255)]), "LA").convert("La")
    for _ in range(2):
        with pytest.raises(TypeError, match=r"Use image.convert") as caught:
            EnhanceTransform()(image)
        image = eval(re.search(r"Use (.+)\.$", str(caught.value))[1], {"image": image})
    assert_same_image(np.asarray(image), GRAY)


def test_values_of_32_bits_beyond_sixteen_are_refused_and_the_cure_takes_them():
    image = image_module.fromarray(DEEP.astype(np.int32) * 2)
    with pytest.raises(ValueError, match=r'use image.convert\("F"\)|Use image.convert\("F"\)'):
        EnhanceTransform()(image)
    result = EnhanceTransform(value_range=(0, 2 * 65535))(image.convert("F"))
    assert_same_image(np.asarray(result), (cxe.enhance(DEEP).astype(np.float64) * 2).astype("f4"))
