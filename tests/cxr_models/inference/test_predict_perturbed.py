import dataclasses

import numpy as np
import pytest

from cxr_enhance import EnhanceParams, read_image, rgb_to_gray, write_image
from cxr_models import DataConfig
from cxr_models.audit.perturbations import PERTURBATIONS, inverted, random_of
from cxr_models.inference.predict_perturbed import (
    enhanced_otherwise,
    perturbed_views,
    predict_perturbed,
)
from cxr_models.inputs.loader import ImageLoader
from tests.helpers.radiographs import draw

CONFIG = DataConfig(image_size=(40, 48))
NAMES = [one.name for one in PERTURBATIONS]


def views_of(image, data, **key):
    views = perturbed_views(image, data, **{"file": "a.png", "seed": 0, **key})
    return dict(zip(["whole", *NAMES, "enhancement"], views, strict=True))


@pytest.mark.parametrize("order", ["resize-first", "enhance-first"])
def test_an_image_is_changed_before_anything_else_is_done_to_it(order):
    image, data = draw(0, 60), dataclasses.replace(CONFIG, order=order, fit="pad", crop_border=True)
    views, load = views_of(image, data), ImageLoader(data)
    np.testing.assert_array_equal(views["whole"], load.prepare(image))
    for one in PERTURBATIONS:
        changed = one.change(image, white=255, random=random_of(0, "a.png", one.name))
        np.testing.assert_array_equal(views[one.name], load.prepare(changed))


def test_levels_of_twelve_bits_stay_levels_of_twelve_bits():
    image = draw(0, 60).astype(np.uint16) * 16
    data = dataclasses.replace(CONFIG, enhance=EnhanceParams(bits=12))
    views = views_of(image, data)
    expected = ImageLoader(data).prepare(inverted(image, white=4095))
    np.testing.assert_array_equal(views["inverted"], expected)


def test_noise_follows_the_name_in_the_split_and_the_seed():
    image = draw(0, 60)
    views = views_of(image, CONFIG)
    for key in ({"file": "b.png"}, {"seed": 1}):
        others = views_of(image, CONFIG, **key)
        assert not np.array_equal(views["noise-15"], others["noise-15"])
        for name in ("whole", "jpeg-50", "inverted", "enhancement"):
            np.testing.assert_array_equal(views[name], others[name])


@pytest.mark.parametrize("order", ["resize-first", "enhance-first"])
def test_a_run_with_enhancement_is_given_the_gray_image(order):
    data = dataclasses.replace(CONFIG, order=order)
    colour = np.stack([draw(0, 60), draw(1, 60), draw(2, 60)], axis=-1)
    gray = rgb_to_gray(colour)
    bare = ImageLoader(dataclasses.replace(data, enhance=None)).prepare(gray)
    np.testing.assert_array_equal(enhanced_otherwise(gray, data), bare[..., :1])
    if order == "enhance-first":  # gray before it is resized
        np.testing.assert_array_equal(enhanced_otherwise(colour, data), bare[..., :1])


def test_a_run_without_enhancement_is_given_the_studys():
    data, image = dataclasses.replace(CONFIG, enhance=None), draw(0, 60)
    expected = ImageLoader(CONFIG).prepare(image).repeat(3, axis=-1)
    np.testing.assert_array_equal(enhanced_otherwise(image, data), expected)


def test_twelve_bits_are_as_bright_without_enhancement():
    image = draw(0, 60)
    data = dataclasses.replace(CONFIG, enhance=EnhanceParams(bits=12))
    deep = np.rint(image * (4095 / 255)).astype(np.uint16)
    difference = enhanced_otherwise(deep, data).astype(int) - enhanced_otherwise(image, CONFIG)
    assert np.abs(difference).max() <= 1


@pytest.fixture
def served(tmp_path):
    """Give a function that makes a run, with a colour and a deep image beside its split's."""
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    from cxr_models.runs.finished import read_run
    from tests.helpers.runs import make_run, write_small_split

    split = write_small_split(tmp_path / "images")
    gray = draw(7, 60)
    write_image(tmp_path / "images/colour.png", np.stack([gray, gray // 2, gray], axis=-1))
    write_image(tmp_path / "images/deep.png", gray.astype(np.uint16) * 257)
    return lambda **settings: read_run(make_run(tmp_path / "run", split, **settings))


@pytest.mark.usefixtures("tiny_backbone")
@pytest.mark.parametrize("settings", [{}, {"data__enhance": None}])
def test_logits_are_those_of_the_changed_images_one_by_one(served, settings, monkeypatch):
    from cxr_models.inference import predict_perturbed as module
    from cxr_models.inference.logits import logits_model, predict_logits
    from cxr_models.networks.load import load_classifier

    run = served(**settings)
    root = run.split.manifest.root
    files = ["colour.png", "deep.png", *(record.file for record in run.split.manifest.records[:3])]
    paths = [str(root / file) for file in files]
    monkeypatch.setattr(module, "_MOST_IMAGES", 2)
    steps = []
    whole, changed = predict_perturbed(run, files, paths, seed=5, progress=steps.append)
    assert steps == [2, 2, 1]
    assert [one.name for one in changed] == [*NAMES, "enhancement"]
    titles = {one.name: one.title for one in changed}
    assert titles["enhancement"] == ("with enhancement" if settings else "without enhancement")
    model = logits_model(load_classifier(run))
    views = [
        perturbed_views(read_image(path), run.config.data, file=file, seed=5)
        for file, path in zip(files, paths, strict=True)
    ]
    for place, logits in enumerate([whole, *(one.logits for one in changed)]):
        images = np.stack([view[place] for view in views])
        expected = predict_logits(model, images, multilabel=False)
        np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("tiny_backbone")
def test_an_image_that_the_settings_do_not_fit_is_named(served):
    run = served()
    data = dataclasses.replace(run.config.data, enhance=EnhanceParams(bits=6))
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, data=data))
    with pytest.raises(ValueError, match=r"values from 0 to 63 for bits=6; .* File: '.*deep\.png'"):
        predict_perturbed(run, ["deep.png"], [str(run.split.manifest.root / "deep.png")], seed=0)
