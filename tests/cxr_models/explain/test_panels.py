import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv is not installed")
pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from cxr_models._heat import colour_bar, overlay
from cxr_models.explain.overlay_files import overlay_names
from cxr_models.explain.panels import panel, written

LINE, GAP = 26, 8


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (300, 260), np.uint8)


@pytest.fixture
def heat(rng):
    return rng.uniform(0, 1, (7, 7)).astype(np.float32)


def test_a_panel_holds_the_plain_image_the_overlay_and_the_bar_side_by_side(image, heat):
    drawn = panel(image, heat, "0.932 calibrated: covid")
    plain = np.repeat(image[..., None], 3, axis=-1)
    rows = slice(LINE, LINE + 300)
    np.testing.assert_array_equal(drawn[rows, GAP : GAP + 260], plain)
    second = GAP + 260 + GAP
    np.testing.assert_array_equal(drawn[rows, second : second + 260], overlay(image, heat))
    bar = drawn[rows, second + 260 + GAP]
    np.testing.assert_array_equal(bar, colour_bar(1, 300)[0, ::-1])  # hottest at the top
    words = drawn[rows, second + 260 + GAP + 14 :]
    for text, place in (("most", words[:LINE]), ("none", words[-LINE:])):
        np.testing.assert_array_equal(place, written(text, 200, LINE)[:, : words.shape[1]])


def test_the_bar_begins_with_the_gray_below_and_ends_as_the_hottest_place_over_it():
    bar = colour_bar(3, 50)
    gray = np.full((1, 1), 128, np.uint8)
    np.testing.assert_array_equal(bar[0, 0], [128, 128, 128])
    np.testing.assert_array_equal(bar[2, -1], overlay(gray, np.ones((1, 1), np.float32))[0, 0])


def test_the_caption_stands_above_and_says_what_it_is_told(image, heat):
    one, other = (panel(image, heat, f"0.9{k} calibrated: covid") for k in (1, 2))
    assert (one[:LINE] != other[:LINE]).any()
    np.testing.assert_array_equal(one[LINE:], other[LINE:])


def test_a_caption_that_is_too_long_is_shortened_to_the_width():
    long = written("a" * 300, 200, LINE)
    assert long.shape == (LINE, 200, 3)
    assert (long[:, -GAP // 2 :] == long[0, 0]).all()  # nothing is written to the very edge


@pytest.mark.parametrize("text", ["$x_", "\N{CJK UNIFIED IDEOGRAPH-80BA}", "\N{ARABIC LETTER BEH}"])
def test_captions_may_be_of_any_script_and_hold_any_sign(text):
    drawn = written(text, 100, LINE)
    assert (drawn != drawn[0, 0]).any()


def test_small_images_are_enlarged_by_a_whole_number(heat):
    image = np.arange(100 * 60, dtype=np.int64).reshape(100, 60).astype(np.uint8)
    drawn = panel(image, heat, "")
    np.testing.assert_array_equal(drawn[LINE : LINE + 200 : 2, GAP : GAP + 120 : 2, 0], image)


@pytest.mark.parametrize("height", [1, 20, 26, 51, 52])
def test_an_image_that_is_lower_than_the_bar_stands_above_background(rng, heat, height):
    image = rng.integers(0, 256, (height, 600, 3), np.uint8)
    drawn = panel(image, heat, "0.932 calibrated: covid")
    assert len(drawn) == LINE + 2 * LINE + GAP
    for part, left in ((image, GAP), (overlay(image, heat), GAP + 600 + GAP)):
        columns = drawn[LINE:, left : left + 600]
        np.testing.assert_array_equal(columns[:height], part)
        assert (columns[height:] == drawn[-1, 0]).all()
    labels = drawn[LINE : 3 * LINE, -64:]
    most, none = (written(text, 64, LINE) for text in ("most", "none"))
    np.testing.assert_array_equal(labels, np.concatenate([most, none]))


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["a/x.png", "y.dcm", "IM0001"], ["a/x.png", "y.png", "IM0001.png"]),
        (["x.png", "x.dcm", "y.png"], ["x-png.png", "x-dcm.png", "y.png"]),
        (["x.png", "X.dcm"], ["x-png.png", "X-dcm.png"]),
        (["x.PNG", "x.PNG-2"], ["x-PNG.png", "x-PNG-2.png"]),
        (["IM.0001", "IM.0002"], ["IM-0001.png", "IM-0002.png"]),
        (["x.png", "x.dcm", "x-png.jpg"], ["x-png-2.png", "x-dcm.png", "x-png.png"]),
        (["x", "x.png"], ["x.png", "x-png.png"]),
    ],
)
def test_pictures_have_one_suffix_and_no_two_of_them_one_name(names, files):
    assert [overlay_names(names)[name] for name in names] == files
    reversed_names = list(reversed(names))
    assert [overlay_names(reversed_names)[name] for name in names] == files
