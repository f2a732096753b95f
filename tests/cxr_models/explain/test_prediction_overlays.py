import cv2
import numpy as np
import pytest

pytest.importorskip("keras", reason="keras is not installed")

import cxr_enhance
from cxr_models._heat import over_source
from cxr_models.explain.gradcam import GradCam, normalised
from cxr_models.explain.panels import panel
from cxr_models.explain.prediction_overlays import (
    Explanations,
    mean_overlay,
    mean_picture,
    shown,
)
from cxr_models.inference.predict_files import Batch, Source
from tests.cxr_models.explain.test_gradcam import tiny_cam_model


def watched(folder, class_names, images, said, originals=None, transforms=None, **options):
    """Give what was written of images that were said to be of classes."""
    sources = tuple(Source(path=f"{i}.png", name=f"{i}.png") for i in range(len(images)))
    explanations = Explanations(
        tiny_cam_model(), class_names, folder, sources=sources, calibrated=True, **options
    )
    batch = Batch(
        sources=sources,
        errors=("",) * len(images),
        images=images,
        originals=tuple(images if originals is None else originals),
        transforms=transforms or tuple(cxr_enhance.prepare(image).transform for image in images),
    )
    explanations.watch(batch, np.eye(len(class_names))[said])
    return explanations.finish()


def test_the_mean_of_a_class_is_that_of_the_maps_and_images_said_to_be_of_it(tmp_path, rng):
    images = rng.integers(0, 256, (5, 4, 6, 1), np.uint8)
    said = np.array([2, 0, 2, 2, 0])
    written = watched(tmp_path / "shown", ("a", "b", "c"), images, said)
    assert [path.name for path in written] == ["mean-a.png", "mean-c.png"]
    maps = normalised(GradCam(tiny_cam_model())(images, said))
    for path, place in zip(written, (0, 2), strict=True):
        of_class = said == place
        mean = mean_picture(images[of_class].mean(axis=0), maps[of_class].mean(axis=0))
        caption = f"mean of {of_class.sum()} images said to be {'abc'[place]}"
        expected = panel(*mean, caption)
        drawn = cv2.imread(str(path))[..., ::-1]
        np.testing.assert_allclose(drawn.astype(int), expected.astype(int), atol=1)
    assert len(list((tmp_path / "shown/images").iterdir())) == 5


def test_a_picture_tells_label_and_probability_beside_the_plain_image(tmp_path, rng):
    images = rng.integers(0, 256, (2, 4, 6, 1), np.uint8)
    watched(tmp_path / "shown", ("a", "b"), images, np.array([1, 0]))
    heat = normalised(GradCam(tiny_cam_model())(images, np.array([1, 0])))
    for i, label in enumerate("ba"):
        expected = panel(shown(images[i]), heat[i], f"1.000 calibrated: {label}")
        drawn = cv2.imread(str(tmp_path / f"shown/images/{i}.png"))[..., ::-1]
        np.testing.assert_array_equal(drawn, expected)


def test_of_findings_the_one_that_is_named_is_explained_in_every_image(tmp_path, rng):
    images = rng.integers(0, 256, (2, 4, 6, 1), np.uint8)
    options = {"multilabel": True, "finding": "c"}
    (mean,) = watched(tmp_path / "s", ("a", "b", "c"), images, np.array([1, 2]), **options)
    assert mean.name == "mean-c.png"
    heat = normalised(GradCam(tiny_cam_model(), multilabel=True)(images, np.array([2, 2])))
    for i, share in enumerate(("0.000", "1.000")):
        expected = panel(shown(images[i]), heat[i], f"{share} calibrated: c")
        drawn = cv2.imread(str(tmp_path / f"s/images/{i}.png"))[..., ::-1]
        np.testing.assert_array_equal(drawn, expected)


def test_a_map_is_brought_back_from_a_padded_image_to_the_whole_one(tmp_path, rng):
    original = rng.integers(0, 256, (300, 600), np.uint8)
    preparation = cxr_enhance.Preparation(params=None, size=(4, 6), fit="pad")
    seen, transform = cxr_enhance.prepare(original, preparation)
    images = seen[None, ..., None]
    watched(tmp_path / "shown", ("a", "b"), images, np.array([1]), [original], (transform,))
    heat = normalised(GradCam(tiny_cam_model())(images, np.array([1])))[0]
    back = over_source(heat, transform, (300, 600))
    assert back.shape == (300, 600)
    expected = panel(shown(original), back, "1.000 calibrated: b")
    drawn = cv2.imread(str(tmp_path / "shown/images/0.png"))[..., ::-1]
    np.testing.assert_array_equal(drawn, expected)


def test_classes_that_look_the_same_as_names_of_files_have_files_of_their_own(tmp_path, rng):
    images = rng.integers(0, 256, (3, 4, 6, 1), np.uint8)
    names = ("pneumonia/any", "pneumonia any", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 300)
    written = watched(tmp_path / "shown", names, images, np.arange(3))
    assert [path.relative_to(tmp_path / "shown").as_posix() for path in written] == [
        "mean-pneumonia_any.png",
        "mean-pneumonia_any-2.png",
        f"mean-{names[2][:50]}.png",
    ]
    assert sorted((tmp_path / "shown").glob("mean-*.png")) == sorted(written)


def test_a_mean_without_any_heat_is_the_mean_image_itself(rng):
    image = rng.uniform(0, 255, (100, 120, 1))
    drawn = mean_overlay(image, np.zeros((3, 4)))
    assert drawn.shape == (200, 240, 3)
    seen = shown(np.rint(image).astype(np.uint8))
    np.testing.assert_array_equal(drawn[::2, ::2], np.repeat(seen, 3, axis=-1))
