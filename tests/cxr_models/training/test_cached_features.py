import dataclasses

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

import keras

from cxr_models.inputs.loader import ImageLoader
from cxr_models.training.train import train
from tests.helpers.tiny_backbone import tiny_config
from tests.helpers.trained import assert_best_weights_are_kept, trained_model

pytestmark = pytest.mark.usefixtures("tiny_backbone")


def validation_predictions(split, config, out):
    model = trained_model(split, config, out)
    images = ImageLoader(config.data)(split.select("val").paths())
    return model.predict(images, verbose=0)


def without_augmentation(config):
    return dataclasses.replace(
        config, data=dataclasses.replace(config.data, flip=False, rotation=0.0)
    )


def test_cached_features_give_the_predictions_of_training_without_them(small_split, tmp_path):
    plain = without_augmentation(tiny_config(epochs_head=4, epochs_fine_tune=0))
    cached = plain.with_setting("training.cache_features", 1)
    expected = validation_predictions(small_split, plain, tmp_path / "plain")
    got = validation_predictions(small_split, cached, tmp_path / "cached")
    np.testing.assert_allclose(got, expected, atol=1e-5, rtol=0)


def test_views_differ_with_augmentation_and_the_head_trains_on_them(small_split, tmp_path):
    from cxr_models.inputs.pipeline import evaluation_batches
    from cxr_models.networks.classifier import build_classifier
    from cxr_models.training.cached_features import FeatureExtractor

    config = tiny_config(epochs_head=3, epochs_fine_tune=1, cache_features=2)
    model = build_classifier(config, 3)
    paths = small_split.select("train").paths()
    batches = evaluation_batches(config.data, paths, np.zeros(len(paths), np.int32), 5)
    views = FeatureExtractor(model).compute(batches, views=2, seed=0, augment=True)
    again = FeatureExtractor(model).compute(batches, views=2, seed=0, augment=True)
    assert views.shape == (2, len(paths), 6)
    plain = FeatureExtractor(model).compute(batches, views=1, seed=0, augment=False)
    images = ImageLoader(config.data)(paths)
    to_features = keras.Model(model.input, model.get_layer("features").output)
    np.testing.assert_allclose(plain[0], to_features.predict(images, verbose=0), atol=1e-4)
    assert not np.array_equal(views[0], views[1])
    np.testing.assert_array_equal(views, again)
    train(small_split, config, tmp_path / "run")
    assert_best_weights_are_kept(tmp_path / "run", small_split, config)


def test_features_do_not_depend_on_how_images_fall_into_batches(small_split):
    from cxr_models.inputs.pipeline import evaluation_batches
    from cxr_models.networks.classifier import build_classifier
    from cxr_models.training.cached_features import FeatureExtractor

    config = tiny_config()
    extractor = FeatureExtractor(build_classifier(config, 3))
    paths = small_split.select("train").paths()[:7]

    def features(batch_size):
        batches = evaluation_batches(config.data, paths, np.zeros(7, np.int32), batch_size)
        return extractor.compute(batches, views=1, seed=0, augment=False)[0]

    np.testing.assert_allclose(features(3), features(7), atol=1e-5, rtol=0)


def test_from_scratch_there_is_nothing_to_cache(small_split, tmp_path):
    config = tiny_config(cache_features=1).with_setting("model.weights", "none")
    with pytest.raises(ValueError, match="`cache_features` must be 0 with weights none"):
        train(small_split, config, tmp_path / "run")
