"""The drawn radiograph: the same everywhere, of any size, and like a chest where it matters."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers.compare import assert_native_and_contiguous, assert_same_image
from tests.helpers.fresh_process import run_code


def part(image, top, bottom, left, right):
    """Mean gray level of a part, given in fractions of height and width."""
    height, width = image.shape
    rows = slice(int(top * height), int(bottom * height))
    return image[rows, int(left * width) : int(right * width)].mean()


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (37, 53), (224, 224), (1100, 30)]
)
@pytest.mark.parametrize("bits", [8, 12])
def test_a_drawing_has_the_size_and_depth_asked_for(size, bits):
    image = synthetic_radiograph(*size, bits=bits)
    assert image.shape == size
    assert image.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert image.max() < 2**bits
    assert_native_and_contiguous(image)


@pytest.mark.parametrize("bits", range(8, 17))
def test_a_drawing_uses_the_range_of_its_depth(bits):
    image = synthetic_radiograph(300, 260, bits=bits)
    assert image.min() < 0.02 * 2**bits
    assert 0.9 * 2**bits < image.max() < 2**bits


def test_equal_arguments_give_equal_bytes_in_another_process():
    done = run_code(
        """
        from cxr_enhance.synthetic import synthetic_radiograph as draw
        print(draw(150, 130, seed=5, bits=12, opacity=0.5).tobytes().hex())
        """
    )
    image = synthetic_radiograph(150, 130, seed=5, bits=12, opacity=0.5)
    assert bytes.fromhex(done.stdout) == image.tobytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"seed": 0}, "5b0d606d526a8b1c"),
        ({"seed": 11, "bits": 16, "opacity": 0.8}, "02e92125ee5742eb"),
        ({"seed": 3, "bits": 12, "opacity": 1, "opacity_pattern": "diffuse"}, "4e05b5ea78dacb01"),
    ],
)
def test_a_drawing_has_the_bytes_it_always_had(arguments, expected):
    image = synthetic_radiograph(120, 97, **arguments)
    little = image.astype(image.dtype.newbyteorder("<"))
    assert hashlib.sha256(little.tobytes()).hexdigest()[:16] == expected


def test_does_not_touch_numpys_global_random_state():
    np.random.seed(1)  # noqa: NPY002 - the state that must stay as it is
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    synthetic_radiograph(64, 64)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_seeds_differ_in_anatomy_not_only_in_grain():
    first, second = (synthetic_radiograph(256, 256, seed=seed) for seed in (1, 2))
    blurred = [image.reshape(32, 8, 32, 8).mean(axis=(1, 3)) for image in (first, second)]
    assert np.abs(blurred[0] - blurred[1]).max() > 20


@pytest.mark.parametrize("seed", range(6))
def test_lungs_are_dark_the_spine_bright_and_the_border_black(seed):
    image = synthetic_radiograph(512, 448, seed=seed)
    right_lung, left_lung = part(image, 0.3, 0.5, 0.2, 0.35), part(image, 0.3, 0.5, 0.68, 0.8)
    spine, abdomen = part(image, 0.5, 0.65, 0.47, 0.53), part(image, 0.9, 0.95, 0.3, 0.7)
    border = max(image[0].max(), image[-1].max(), image[:, 0].max(), image[:, -1].max())
    assert max(right_lung, left_lung) < 0.7 * min(spine, abdomen)
    assert border < 0.1 * 255
    assert part(image, 0.55, 0.65, 0.56, 0.64) > part(image, 0.55, 0.65, 0.26, 0.34)  # heart


@pytest.mark.parametrize("pattern", ["patchy", "diffuse"])
def test_opacity_brightens_lungs_and_nothing_else(pattern):
    options = {"seed": 4, "opacity_pattern": pattern}
    clear, half, full = (
        synthetic_radiograph(400, 400, opacity=strength, **options).astype(int)
        for strength in (0.0, 0.5, 1.0)
    )
    lungs = (slice(120, 270), slice(60, 340))
    assert clear[lungs].mean() < half[lungs].mean() < full[lungs].mean()
    assert (full - clear)[lungs].max() > 25
    assert np.abs((full - clear)[350:, :]).max() <= 4
    assert np.abs((full - clear)[:, :20]).max() <= 4


def test_clear_lungs_do_not_depend_on_the_pattern():
    patchy, diffuse = (
        synthetic_radiograph(90, 80, opacity_pattern=pattern) for pattern in ("patchy", "diffuse")
    )
    assert_same_image(patchy, diffuse)


def test_twelve_bits_show_the_same_chest_as_eight():
    eight, twelve = synthetic_radiograph(200, 180), synthetic_radiograph(200, 180, bits=12)
    assert np.abs(twelve / 4095 - eight / 255).max() < 0.003


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"height": 0}, ValueError, "`height` must be an int of at least 1; got 0."),
        ({"width": -3}, ValueError, "`width` must be an int of at least 1; got -3."),
        ({"height": 4.0}, TypeError, "`height` must be an int of at least 1; got 4.0."),
        ({"seed": -1}, ValueError, "`seed` must be an int of at least 0; got -1."),
        ({"seed": True}, TypeError, "`seed` must be an int of at least 0; got True."),
        ({"bits": 7}, ValueError, "`bits` must be an int from 8 to 16; got 7."),
        ({"bits": 17}, ValueError, "`bits` must be an int from 8 to 16; got 17."),
        ({"opacity": 1.1}, ValueError, "`opacity` must be from 0 to 1; got 1.1."),
        ({"opacity": float("nan")}, ValueError, "`opacity` must be from 0 to 1; got nan."),
        ({"opacity": "1"}, TypeError, "`opacity` must be a number; got '1'."),
        ({"opacity_pattern": "round"}, ValueError, "`opacity_pattern` must be 'patchy' or 'diff"),
    ],
)
def test_rejects_wrong_arguments(arguments, error, words):
    with pytest.raises(error) as caught:
        synthetic_radiograph(**{"height": 8, "width": 8, **arguments})
    assert str(caught.value).startswith(words)
