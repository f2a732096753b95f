import dataclasses
import itertools
import time

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")


from cxr_enhance import write_image
from cxr_models import DataConfig, ModelConfig
from cxr_models.inputs.loader import ImageLoader
from cxr_models.inputs.pipeline import (
    class_weights,
    evaluation_batches,
    training_batches,
)
from cxr_models.inputs.targets import targets_of
from tests.helpers.fresh_process import run_code
from tests.helpers.radiographs import draw

CONFIG = DataConfig(image_size=(32, 40), deterministic=True)


def take(batches, count):
    return list(itertools.islice(batches.as_numpy_iterator(), count))


@pytest.fixture
def part(small_split):
    manifest = small_split.select("train")
    return manifest.paths(), targets_of(manifest, small_split.class_names(), ModelConfig())


def test_evaluation_keeps_order_and_the_last_partial_batch(part):
    paths, targets = part
    batches = list(evaluation_batches(CONFIG, paths, targets, 5).as_numpy_iterator())
    assert [len(labels) for _, labels in batches] == [5, 5, 2]
    np.testing.assert_array_equal(
        np.concatenate([images for images, _ in batches]), ImageLoader(CONFIG)(paths)
    )
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), targets)


def test_each_epoch_shows_each_image_once_in_an_order_of_its_own(part):
    paths, _ = part
    places = np.arange(len(paths), dtype=np.int32)
    batches = take(training_batches(CONFIG, paths, places, 5, seed=3), 6)
    first, second = (
        np.concatenate([labels for _, labels in batches[start : start + 3]]) for start in (0, 3)
    )
    assert sorted(first) == sorted(second) == list(range(len(paths)))
    assert first.tolist() != second.tolist()
    images = ImageLoader(CONFIG)(paths)
    np.testing.assert_array_equal(batches[4][0], images[batches[4][1].astype(int)])


@pytest.mark.parametrize("container", ["webdataset", "tfrecord"])
def test_the_table_of_samples_is_a_split_whose_batches_are_those_of_the_files(
    small_split, tmp_path, container
):
    if container == "webdataset":
        pytest.importorskip("webdataset")
    pytest.importorskip("typer", reason="typer is not installed")
    from cxr_enhance.cli import main as enhance_main
    from cxr_models.records.splits import read_split, write_split

    table = small_split.manifest.root / "split.csv"
    write_split(table, small_split.manifest.records, {"seed": 1})
    raw = ["--preset", "study", "--size", "40", "32", "--no-white-balance", "--no-clahe"]
    words = ["run", "--records", str(table), "--out", str(tmp_path / "shards"), *raw]
    assert enhance_main([*words, "--format", container, "--samples-per-file", "10"]) == 0
    sampled = read_split(tmp_path / "shards" / "samples.csv")
    assert len({record.file.partition("::")[0] for record in sampled.manifest.records}) == 3
    parts = [split.select("train") for split in (small_split, sampled)]
    assert [record.label for record in parts[1].records] == [r.label for r in parts[0].records]
    targets = targets_of(parts[0], small_split.class_names(), ModelConfig())
    files, samples = (
        take(training_batches(CONFIG, part.paths(), targets, 5, seed=3), 4) for part in parts
    )
    for (images, labels), (expected, expected_labels) in zip(samples, files, strict=True):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, expected_labels)


@pytest.mark.parametrize("late", [0, 1])
def test_the_order_is_the_same_however_long_images_take_to_read(part, monkeypatch, late):
    paths, _ = part
    places = np.arange(len(paths), dtype=np.int32)
    config = dataclasses.replace(CONFIG, deterministic=False)
    expected = take(training_batches(config, paths, places, 3, seed=3), 8)
    read, calls = ImageLoader.__call__, itertools.count()

    def every_second_late(self, paths):
        if next(calls) % 2 == late:
            time.sleep(0.2)
        return read(self, paths)

    monkeypatch.setattr(ImageLoader, "__call__", every_second_late)
    got = take(training_batches(config, paths, places, 3, seed=3), 8)
    for (images, labels), (expected_images, expected_labels) in zip(got, expected, strict=True):
        np.testing.assert_array_equal(labels, expected_labels)
        np.testing.assert_array_equal(images, expected_images)


def test_an_epoch_begun_later_is_the_one_it_would_have_been(part):
    paths, targets = part
    through = take(training_batches(CONFIG, paths, targets, 5, seed=3), 9)
    later = take(training_batches(CONFIG, paths, targets, 5, seed=3, first_epoch=2), 3)
    for expected, got in zip(through[6:], later, strict=True):
        np.testing.assert_array_equal(expected[0], got[0])


def test_the_cache_gives_the_same_batches(part, tmp_path):
    paths, targets = part
    cached = dataclasses.replace(CONFIG, cache_dir=str(tmp_path / "cache"))
    for expected, got in zip(
        take(training_batches(CONFIG, paths, targets, 5, seed=1), 4),
        take(training_batches(cached, paths, targets, 5, seed=1), 4),
        strict=True,
    ):
        np.testing.assert_array_equal(expected[0], got[0])
        np.testing.assert_array_equal(expected[1], got[1])


def test_weights_of_classes_go_with_their_images(part):
    paths, targets = part
    targets = np.array([0] * 9 + [1] * 3, np.int32)
    weights = class_weights(targets)
    assert weights == {0: pytest.approx(12 / 18), 1: pytest.approx(2.0)}
    for _, labels, factors in take(
        training_batches(CONFIG, paths, targets, 5, seed=1, weights=weights), 3
    ):
        np.testing.assert_allclose(factors, [weights[int(label)] for label in labels])


def test_binary_targets_tell_one_label_from_the_rest(small_split):
    names = small_split.class_names()
    config = ModelConfig(task="binary", positive_class="virus")
    targets = targets_of(small_split.manifest, names, config)
    assert targets.sum() == 8
    with pytest.raises(ValueError, match="`positive_class` must be one of covid, normal, virus"):
        targets_of(small_split.manifest, names, ModelConfig(task="binary", positive_class="flu"))


def errors_of(part):
    """Return what reading raises: alone, and while a model predicts."""
    import keras

    from cxr_models.inference.logits import predict_logits
    from cxr_models.inputs.pipeline import plain_errors

    model = keras.Sequential([keras.Input((32, 40, 1)), keras.layers.GlobalAveragePooling2D()])
    told = []
    for read in (list, lambda batches: predict_logits(model, batches, multilabel=False)):
        with pytest.raises((ValueError, OSError)) as caught, plain_errors():
            read(evaluation_batches(CONFIG, *part, 100))  # in one batch: nothing is read later
        told.append(caught.value)
    return told


def test_what_is_no_image_is_a_value_error_that_names_it_wherever_it_is_read(part):
    with open(part[0][0], "wb") as file:
        file.write(b"x")
    for error in errors_of(part):
        assert type(error) is ValueError
        assert str(error).startswith("`source` must hold")
        assert part[0][0] in str(error)


@pytest.mark.parametrize("name", ["gone.png", "it's gone, schön.png", "a\nb.png"])
def test_a_file_that_cannot_be_opened_is_the_systems_error_wherever_it_is_read(part, name):
    paths, targets = part
    lost = f"{paths[0]}-{name}"
    for error in errors_of(([lost, *paths[1:]], targets)):
        assert type(error) is FileNotFoundError
        assert (error.errno, error.filename) == (2, lost)


def test_what_is_no_ones_error_but_tensorflows_stays_as_it_is():
    import tensorflow as tf

    from cxr_models.inputs.pipeline import plain_errors

    for words in ("out of memory", "FunnyError: of a library"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=words), plain_errors():
            raise tf.errors.InvalidArgumentError(None, None, words)


def test_shuffling_holds_places_and_reads_a_few_batches_ahead_however_many_images(monkeypatch):
    read = []

    def load(self, paths):
        read.extend(paths)
        return np.zeros((len(paths), *self.shape), np.uint8)

    monkeypatch.setattr(ImageLoader, "__call__", load)
    paths = [f"{number}.png" for number in range(100_000)]
    batches = training_batches(CONFIG, paths, np.zeros(len(paths), np.int32), 8, seed=1)
    source = iter(batches)
    next(source)
    time.sleep(0.5)
    assert len(set(read)) == len(read)
    assert len(read) <= 8 * (1 + 4 + 2)  # taken, kept ready, being read
    assert max(int(path.removesuffix(".png")) for path in read) > 1000  # from all of them


_LEAVE = """
import sys
import numpy as np
from cxr_models import DataConfig
from cxr_models.inputs.pipeline import training_batches
paths = sys.argv[1:] * 64
batches = training_batches(DataConfig(), paths, np.zeros(len(paths), np.int32), 64, seed=0)
source = iter(batches)
next(source)
raise SystemExit(3)
"""


def test_a_program_ends_though_images_are_still_being_read(tmp_path):
    path = str(tmp_path / "large.png")
    write_image(path, draw(1, 1024))
    run_code(_LEAVE, path, status=3, timeout=120)
