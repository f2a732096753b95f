import numpy as np
import pytest

pytest.importorskip("cv2", reason="cv2 is not installed")

import cv2

from cxr_models.audit.perturbations import (
    PERTURBATIONS,
    cropped,
    inverted,
    noisy,
    random_of,
    recompressed,
    rotated,
    white_of,
    with_gamma,
    without_corners,
)

SHAPES = [(41, 30), (30, 41, 3)]
WHITES = {np.uint8: 255, np.uint16: 65535}


def draw(rng, shape, dtype):
    image = rng.integers(0, WHITES[dtype] + 1, shape, dtype)
    image.flat[:2] = 0, WHITES[dtype]
    image.setflags(write=False)
    return image


def everything(image, *, seed=0, file="a.png", white=None):
    white = white_of(image) if white is None else white
    return {
        one.name: one.change(image, white=white, random=random_of(seed, file, one.name))
        for one in PERTURBATIONS
    }


def test_the_changes_are_those_of_the_table():
    assert [one.title for one in PERTURBATIONS] == [
        "JPEG, quality 90", "JPEG, quality 50", "JPEG, quality 20",
        "gamma 0.7", "gamma 1.4",
        "noise, sigma 5 of 255", "noise, sigma 15 of 255",
        "turned by 2 degrees", "turned by 5 degrees",
        "2 % cut off each side", "5 % cut off each side", "10 % cut off each side",
        "inverted", "corners painted black",
    ]  # fmt: skip
    assert [one.name for one in PERTURBATIONS][3:6] == ["gamma-0.7", "gamma-1.4", "noise-5"]


@pytest.mark.parametrize("dtype", WHITES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_change_keeps_type_and_input_and_only_a_crop_changes_the_size(rng, shape, dtype):
    image = draw(rng, shape, dtype)
    before = image.copy()
    for name, changed in everything(image).items():
        assert changed.dtype == dtype, name
        assert not np.may_share_memory(changed, image), name
        assert (changed.shape == shape) == (not name.startswith("crop")), name
        assert not np.array_equal(changed, image), name
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_no_change_leaves_the_levels_that_the_bits_allow(rng, bits):
    white = (1 << bits) - 1
    image = rng.integers(0, white + 1, (40, 32)).astype(np.uint16)
    for name, changed in everything(image, white=white_of(image, bits)).items():
        assert changed.max() <= white, name
        if not name.startswith(("jpeg", "corners")):
            assert len(np.unique(changed & 15)) == 16, name  # the low bits are still in use


def test_white_is_that_of_the_type_or_of_the_bits():
    assert white_of(np.zeros((2, 2), np.uint8)) == 255
    assert white_of(np.zeros((2, 2), np.uint16)) == 65535
    assert white_of(np.zeros((2, 2), np.uint16), 12) == 4095


@pytest.mark.parametrize("dtype", WHITES)
@pytest.mark.parametrize("shape", SHAPES)
def test_neutral_changes_are_none(rng, shape, dtype):
    image = draw(rng, shape, dtype)
    white = WHITES[dtype]
    for same in (
        with_gamma(image, 1.0, white=white),
        noisy(image, 0.0, np.random.default_rng(0), white=white),
        rotated(image, 0.0),
        cropped(image, 0.0),
        without_corners(image, 0.0),
        inverted(inverted(image, white=white), white=white),
    ):
        assert same.dtype == dtype
        np.testing.assert_array_equal(same, image)


def test_gamma_is_a_power_of_the_share_of_white():
    image = np.array([[0, 51, 128, 255]], np.uint8)
    # 255 * (51 / 255) ** 0.5 = 114.04, 255 * (128 / 255) ** 0.5 = 180.67
    np.testing.assert_array_equal(with_gamma(image, 0.5, white=255), [[0, 114, 181, 255]])
    np.testing.assert_array_equal(with_gamma(image, 2.0, white=255), [[0, 10, 64, 255]])
    deep = np.array([[0, 819, 4095]], np.uint16)  # 4095 * 0.2 ** 2 = 163.8
    np.testing.assert_array_equal(with_gamma(deep, 2.0, white=4095), [[0, 164, 4095]])


def test_a_negative_is_white_minus_the_level():
    image = np.array([[0, 1, 254, 255]], np.uint8)
    np.testing.assert_array_equal(inverted(image, white=255), [[255, 254, 1, 0]])
    deep = np.array([[0, 4095, 95]], np.uint16)
    np.testing.assert_array_equal(inverted(deep, white=4095), [[4095, 0, 4000]])


def test_a_crop_takes_its_share_from_each_side(rng):
    image = rng.integers(0, 256, (40, 61), np.uint8)
    np.testing.assert_array_equal(cropped(image, 0.1), image[4:-4, 6:-6])
    np.testing.assert_array_equal(cropped(image, 0.02), image[1:-1, 1:-1])
    assert cropped(image[:1, :1], 0.1).shape == (1, 1)


def test_corners_are_black_and_the_rest_is_not_touched(rng):
    image = rng.integers(1, 256, (40, 20, 3), np.uint8)
    painted = without_corners(image)  # 6 rows and 3 columns of each corner
    black = np.zeros((40, 20), bool)
    for rows in (slice(0, 6), slice(34, 40)):
        for columns in (slice(0, 3), slice(17, 20)):
            black[rows, columns] = True
    assert not painted[black].any()
    np.testing.assert_array_equal(painted[~black], image[~black])


@pytest.mark.parametrize("dtype", WHITES)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_quarter_turn_is_that_of_numpy(rng, dtype, channels):
    image = draw(rng, (9, 9, *channels), dtype)
    np.testing.assert_array_equal(rotated(image, 90.0), np.rot90(image))
    np.testing.assert_array_equal(rotated(image, -90.0), np.rot90(image, -1))


def test_a_turn_brings_no_level_that_was_not_there():
    flat = np.full((50, 70), 37, np.uint16)
    np.testing.assert_array_equal(rotated(flat, 5.0), flat)


def test_turns_go_to_either_side_by_the_file(rng):
    image = rng.integers(0, 256, (40, 40), np.uint8)
    turn = next(one for one in PERTURBATIONS if one.name == "rotation-5")
    left, right = rotated(image, 5.0), rotated(image, -5.0)
    sides = []
    for number in range(40):
        random = random_of(0, f"{number}.png", turn.name)
        turned = turn.change(image, white=255, random=random)
        sides.append(np.array_equal(turned, left))
        assert sides[-1] or np.array_equal(turned, right)
    assert 8 < sum(sides) < 32


def test_noise_has_the_deviation_asked_for_at_every_depth_and_no_colour():
    for white, dtype in ((255, np.uint8), (4095, np.uint16), (65535, np.uint16)):
        image = np.full((200, 300, 3), white // 2, dtype)
        noise = noisy(image, 15.0, np.random.default_rng(3), white=white) / white * 255 - 127.5
        assert noise.std() == pytest.approx(15.0, rel=0.02)
        assert noise.mean() == pytest.approx(0.0, abs=0.8)
        np.testing.assert_array_equal(noise[..., 0], noise[..., 2])


def test_noise_is_clipped_at_black_and_at_white():
    for level in (0, 4095):
        image = np.full((64, 64), level, np.uint16)
        changed = noisy(image, 15.0, np.random.default_rng(0), white=4095)
        assert (changed == level).mean() == pytest.approx(0.5, abs=0.05)
        assert changed.max() <= 4095


@pytest.mark.parametrize("quality", [90, 20])
def test_a_jpeg_is_that_of_opencv(rng, quality):
    gray = rng.integers(0, 256, (40, 56), np.uint8)
    code = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    expected = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(recompressed(gray, quality, white=255), expected)
    colour = rng.integers(0, 256, (40, 56, 3), np.uint8)
    code = cv2.imencode(".jpg", colour[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    expected = cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(recompressed(colour, quality, white=255), expected)


@pytest.mark.parametrize("white", [255, 4095, 65535])
def test_a_jpeg_of_deeper_levels_is_that_of_their_eight_bits(rng, white):
    deep = rng.integers(0, white + 1, (40, 56)).astype(np.uint16)
    eight = np.floor(deep * 255.0 / white + 0.5).astype(np.uint8)
    expected = recompressed(eight, 50, white=255) * (white / 255.0)
    changed = recompressed(deep, 50, white=white)
    assert np.abs(changed - expected).max() <= 0.5
    black_and_white = np.array([[0, white]], np.uint16).repeat(16, axis=0).repeat(16, axis=1)
    np.testing.assert_array_equal(recompressed(black_and_white, 100, white=white), black_and_white)


def test_a_better_jpeg_is_nearer_to_the_image(rng):
    image = cv2.GaussianBlur(rng.integers(0, 256, (96, 96), np.uint8), (0, 0), 3)
    errors = [
        np.abs(recompressed(image, quality, white=255).astype(int) - image).mean()
        for quality in (90, 50, 20)
    ]
    assert errors == sorted(errors)


def test_random_numbers_depend_on_seed_file_and_change_alone():
    def first(*key):
        return random_of(*key).random()

    assert first(0, "a.png", "noise-5") == first(0, "a.png", "noise-5")
    others = [(1, "a.png", "noise-5"), (0, "b.png", "noise-5"), (0, "a.png", "noise-15")]
    assert len({first(*key) for key in [(0, "a.png", "noise-5"), *others]}) == 4
    assert 0 <= first(0, "not utf-8: \udcff.png", "noise-5") < 1


def test_equal_seeds_give_equal_images(rng):
    image = rng.integers(0, 256, (40, 32), np.uint8)
    for name, changed in everything(image).items():
        np.testing.assert_array_equal(changed, everything(image)[name])
    other = everything(image, seed=1)
    assert not np.array_equal(other["noise-5"], everything(image)["noise-5"])
