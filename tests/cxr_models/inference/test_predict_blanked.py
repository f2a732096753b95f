import dataclasses

import numpy as np
import pytest

import cxr_enhance
from cxr_models import DataConfig
from cxr_models.inference.predict_blanked import blank, logits_of_blanked, views_of
from cxr_models.inputs.loader import ImageLoader
from tests.helpers.radiographs import draw

CONFIG = DataConfig(image_size=(40, 48))


def test_an_image_is_blanked_before_anything_else_is_done_to_it():
    image = draw(0, 60)
    views = views_of(image, CONFIG, [None, "border", "centre"])
    expected = [blank(image, region) for region in (None, "border", "centre")]
    for view, wanted in zip(views, expected, strict=True):
        np.testing.assert_array_equal(view, ImageLoader(CONFIG).prepare(wanted))


@pytest.mark.parametrize("region", ["border", "centre", None])
def test_a_border_that_the_run_crops_is_cropped_before_it_is_blanked(region):
    image = np.pad(draw(0, 60), 20)
    config = dataclasses.replace(CONFIG, crop_border=True)
    (view,) = views_of(image, config, [region])
    border = cxr_enhance.Preparation(params=None, crop_border=True)
    inside = cxr_enhance.prepare(image, border).image
    assert inside.shape < image.shape
    expected = ImageLoader(CONFIG).prepare(blank(inside, region))
    np.testing.assert_array_equal(view, expected)


@pytest.mark.usefixtures("tiny_backbone")
def test_an_image_that_the_settings_do_not_fit_is_named(tmp_path):
    from cxr_models.runs.finished import read_run
    from tests.helpers.runs import make_run, write_small_split

    split = write_small_split(tmp_path / "images")
    run = read_run(make_run(tmp_path / "run", split, data__enhance__bits=6))
    deep = tmp_path / "deep.png"
    cxr_enhance.write_image(deep, draw(7, 60).astype(np.uint16) * 257)
    with pytest.raises(ValueError, match=r"values from 0 to 63 for bits=6; .* File: '.*deep\.png'"):
        logits_of_blanked(run, [str(deep)], ["border"])
