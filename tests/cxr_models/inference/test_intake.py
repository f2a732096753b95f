import dataclasses

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv is not installed")

import cxr_enhance
from cxr_enhance import EnhanceParams
from cxr_models import DataConfig
from cxr_models.inference.intake import Intake, settle_intake, steps_before
from cxr_models.inputs.loader import ImageLoader, _opencvs_own_code

PARAMS = EnhanceParams(percentiles=(1.0, 98.0), bits=12, tile_grid_size=(4, 2))


def taken(steps, image):
    """Return `image` after the calls that a message names, without IPP, as in the pipeline."""
    with _opencvs_own_code():
        for step in steps:
            image = eval(step, {"cxr_enhance": cxr_enhance, "image": image})
    return image


@pytest.fixture
def image(rng):
    """Give a 12-bit image with a border."""
    image = np.zeros((90, 70), np.uint16)
    image[10:80, 5:60] = rng.integers(500, 3000, (70, 55))
    return image


@pytest.mark.parametrize("order", ["resize-first", "enhance-first"])
@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
@pytest.mark.parametrize("crop_border", [False, True])
def test_the_steps_before_a_model_without_white_balance_give_the_pixels_of_the_run(
    image, order, fit, crop_border
):
    data = DataConfig(
        image_size=(32, 40), order=order, fit=fit, crop_border=crop_border, enhance=PARAMS
    )
    intake = Intake(bit_depth=16, size=(70, 55), border_cropped=crop_border, white_balanced=True)
    if order == "resize-first":
        intake = dataclasses.replace(intake, size=None)
    intake = settle_intake(data, intake, "litert")
    inside = dataclasses.replace(
        data, enhance=dataclasses.replace(PARAMS, percentiles=None), crop_border=False
    )
    changed = taken(steps_before(data, intake), image)
    expected = ImageLoader(data).prepare(image)
    np.testing.assert_array_equal(ImageLoader(inside).prepare(changed), expected)


def test_litert_is_refused_with_the_white_balance_of_the_run(image):
    data = DataConfig(image_size=(32, 40), order="enhance-first", enhance=PARAMS)
    with pytest.raises(ValueError, match="LiteRT has no float64") as caught:
        settle_intake(data, Intake(bit_depth=16), "litert")
    step = str(caught.value).split("before with ")[1].split(";")[0]
    balanced = cxr_enhance.white_balance(image, percentiles=(1.0, 98.0), bits=12)
    np.testing.assert_array_equal(taken([step], image), balanced)


def test_a_model_that_does_everything_needs_no_step_before():
    assert steps_before(DataConfig(), Intake()) == []
    assert steps_before(DataConfig(enhance=None), Intake()) == []
