import itertools
import pickle

import numpy as np
import pytest

from cxr_models import RunConfig
from cxr_models.inputs.loader import ImageLoader
from cxr_models.inputs.targets import targets_of
from tests.helpers.fresh_process import run_code

SMALL = {"data.image_size": (32, 40), "training.batch_size": 5}
CONFIG = RunConfig.made_of(SMALL)


def images_of(split, part, config=CONFIG):
    return ImageLoader(config.data)(split.select(part).paths())


# --- tf.data -------------------------------------------------------------------------------------


@pytest.fixture
def tensorflow():
    return pytest.importorskip("tensorflow", reason="tensorflow is not installed")


def test_without_a_seed_each_image_comes_once_in_the_order_of_the_split(small_split, tensorflow):
    images, labels = zip(*small_split.to_tf("train", config=SMALL), strict=True)
    assert [len(batch) for batch in images] == [5, 5, 2]
    np.testing.assert_array_equal(np.concatenate(images), images_of(small_split, "train"))
    names = small_split.class_names()
    told = [names[int(place)] for place in np.concatenate(labels)]
    assert told == [record.label for record in small_split.select("train").records]


def test_with_a_seed_the_batches_are_those_of_the_training(small_split, tensorflow):
    from cxr_models.inputs.pipeline import training_batches

    manifest = small_split.select("train")
    targets = targets_of(manifest, small_split.class_names(), CONFIG.model)
    trained = training_batches(CONFIG.data, manifest.paths(), targets, 4, seed=7)
    given = small_split.to_tf("train", config=CONFIG, batch_size=4, seed=7)
    for expected, got in itertools.islice(zip(trained, given, strict=True), 7):  # two epochs
        np.testing.assert_array_equal(expected[0], got[0])
        np.testing.assert_array_equal(expected[1], got[1])


def test_the_task_and_the_enhancement_are_those_of_the_settings(small_split, tensorflow):
    settings = {**SMALL, "model.task": "binary", "model.positive_class": "virus"}
    settings["data.enhance"] = None
    images, labels = next(iter(small_split.to_tf("val", config=settings, batch_size=6)))
    assert images.shape == (6, 32, 40, 3)
    virus = [float(record.label == "virus") for record in small_split.select("val").records]
    assert labels.numpy().tolist() == virus


@pytest.mark.parametrize(
    ("part", "options", "error", "sentence"),
    [
        (
            "training",
            {},
            ValueError,
            "`part` must be one of 'train', 'val', 'test'; got 'training'",
        ),
        ("val", {"config": 3}, TypeError, r"`config` must be a RunConfig, a mapping .*; got 3\."),
        ("val", {"config": {"data.size": 3}}, ValueError, "`name` must be section.setting"),
        ("val", {"batch_size": 0}, ValueError, "`batch_size` must be an int of at least 1"),
        ("val", {"seed": -1}, ValueError, "`seed` must be an int of at least 0, or None; got -1"),
    ],
)
def test_wrong_arguments_are_told_before_a_framework_is_loaded(
    small_split, part, options, error, sentence
):
    with pytest.raises(error, match=sentence):
        small_split.to_tf(part, **options)


def test_an_empty_part_is_told(small_split):
    import dataclasses

    records = tuple(r for r in small_split.manifest.records if r.split != "test")
    manifest = dataclasses.replace(small_split.manifest, records=records)
    split = dataclasses.replace(small_split, manifest=manifest)
    with pytest.raises(ValueError, match="`split` must have records in test; got none"):
        split.to_torch("test")


# --- PyTorch -------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="torch is not installed")


def test_an_item_is_the_loaders_image_from_0_to_1_and_the_place_of_its_label(small_split, torch):
    dataset = small_split.to_torch("train", config=SMALL)
    records = small_split.select("train").records
    assert len(dataset) == len(records)
    for place, image in enumerate(images_of(small_split, "train")):
        got, label = dataset[place]
        assert (got.dtype, got.shape, label.dtype) == (torch.float32, (1, 32, 40), torch.int64)
        np.testing.assert_array_equal(got.numpy(), image.transpose(2, 0, 1) / np.float32(255))
        assert small_split.class_names()[label] == records[place].label
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_levels_colours_and_a_transform_are_given_where_asked_for(small_split, torch):
    settings = {**SMALL, "data.enhance": None}
    dataset = small_split.to_torch(
        "val", config=settings, dtype="uint8", transform=lambda image: image.flip(-1)
    )
    image, _ = dataset[1]
    assert (image.dtype, image.shape) == (torch.uint8, (3, 32, 40))
    (_, expected, *_) = images_of(small_split, "val", RunConfig.made_of(settings))
    np.testing.assert_array_equal(image.numpy(), expected.transpose(2, 0, 1)[..., ::-1])


def test_images_of_a_cache_are_the_same_and_are_not_pickled(small_split, torch, tmp_path):
    plain = small_split.to_torch("train", config=SMALL)
    cached = small_split.to_torch("train", config={**SMALL, "data.cache_dir": str(tmp_path / "c")})
    stored = pickle.dumps(cached)
    assert len(stored) < 12 * 32 * 40  # less than the images take
    again = pickle.loads(stored)
    for place in range(len(plain)):
        np.testing.assert_array_equal(plain[place][0], again[place][0])
        np.testing.assert_array_equal(plain[place][0], cached[place][0])


def test_spawned_workers_give_the_same_batches_without_tensorflow(small_split, torch, tmp_path):
    (tmp_path / "split.pickle").write_bytes(pickle.dumps(small_split))
    run_code(
        """
        import pickle, torch
        split = pickle.load(open(sys.argv[1], "rb"))
        images = split.to_torch("train", config={"data.image_size": (32, 40)})
        whole = torch.stack([image for image, _ in images])
        loader = torch.utils.data.DataLoader(
            images, batch_size=5, num_workers=1, multiprocessing_context="spawn"
        )
        batches, labels = zip(*loader)
        assert torch.equal(torch.cat(batches), whole)
        assert torch.cat(labels).dtype == torch.int64
        """,
        tmp_path / "split.pickle",
        without=("tensorflow", "keras", "jax"),
    )


def test_arguments_of_the_dataset_are_checked(small_split):
    with pytest.raises(
        ValueError, match="`dtype` must be one of 'float32', 'uint8'; got 'float16'"
    ):
        small_split.to_torch("train", dtype="float16")
    with pytest.raises(TypeError, match="`transform` must be callable or None; got 3"):
        small_split.to_torch("train", transform=3)
