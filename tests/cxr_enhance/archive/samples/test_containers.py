"""Files of samples are those of the libraries: what they write here, they read, and we too."""

from __future__ import annotations

import errno
import hashlib
import json
import sys

import pytest

from cxr_enhance.archive.samples.containers import ENDINGS, Sample, load_library, open_container
from tests.helpers.fresh_process import run_code

SAMPLES = [
    Sample("p1/0001", b"\x89PNG first" * 50, "png", {"label": "é", "split": "train"}),
    Sample("p1/0002 with blanks", b"\x89PNG second", "png", {"label": "", "split": "val"}),
    Sample("p2/" + "long" * 60, b"\x89PNG third", "png", {"label": "x\udcff", "split": ""}),
]


def written(name, folder):
    """Write `SAMPLES`, and return the file and the places of the images."""
    path = folder / f"000000{ENDINGS[name]}"
    with open_container(name, str(path)) as container:
        for sample in SAMPLES:
            container.add(sample)
    return path, container.places()


@pytest.fixture(params=["webdataset", "tfrecord"])
def container(request):
    pytest.importorskip({"webdataset": "webdataset", "tfrecord": "tensorflow"}[request.param])
    return request.param


def test_every_image_lies_where_the_places_say(container, tmp_path):
    path, places = written(container, tmp_path)
    content = path.read_bytes()
    assert list(places) == [sample.key for sample in SAMPLES]
    for sample in SAMPLES:
        offset, size = places[sample.key]
        assert content[offset : offset + size] == sample.image


def test_equal_samples_give_equal_files(container, tmp_path):
    (tmp_path / "again").mkdir()
    first, again = (written(container, folder)[0] for folder in (tmp_path, tmp_path / "again"))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, again)}
    assert len(digests) == 1


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset's own
def test_webdataset_reads_its_tar_files(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    path, _ = written("webdataset", tmp_path)
    read = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in read] == [sample.key for sample in SAMPLES]
    assert [sample["png"] for sample in read] == [sample.image for sample in SAMPLES]
    assert [json.loads(sample["json"]) for sample in read] == [one.columns for one in SAMPLES]


def test_tf_data_reads_its_records(tmp_path):
    tf = pytest.importorskip("tensorflow")
    path, _ = written("tfrecord", tmp_path)
    features = dict.fromkeys(
        ("key", "image", "format", "label", "split"), tf.io.FixedLenFeature([], tf.string)
    )
    read = tf.data.TFRecordDataset(str(path)).map(
        lambda record: tf.io.parse_single_example(record, features)
    )
    for sample, example in zip(SAMPLES, read, strict=True):
        values = {name: value.numpy() for name, value in example.items()}
        assert values == {
            "key": sample.key.encode(),
            "image": sample.image,
            "format": b"png",
            "label": sample.columns["label"].encode("utf-8", "surrogateescape"),
            "split": sample.columns["split"].encode(),
        }


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
def test_a_full_disk_is_the_systems_error(container):
    def write():
        with open_container(container, "/dev/full") as file:
            file.add(SAMPLES[0]._replace(image=b"x" * 1_000_000))

    with pytest.raises(OSError, match="No space left on device") as raised:
        write()
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("webdataset", "webdataset", "shards"), ("tfrecord", "tensorflow", "tf")],
)
def test_a_missing_library_is_named_with_its_extra(name, module, extra):
    code = (
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"
        "from cxr_enhance.archive.samples.containers import load_library\n"
        "try:\n"
        f"    load_library({name!r})\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    assert run_code(code).stdout == (
        f"{module} is needed for --format {name}. Install it with: "
        f'pip install "cxr-enhance[{extra}]"\n'
    )


def test_libraries_are_loaded_when_they_are_needed_and_not_before():
    code = (
        "import sys, cxr_enhance.archive.samples.containers\n"
        "assert not {'webdataset', 'tensorflow'} & set(sys.modules)\n"
    )
    run_code(code)


def test_the_library_of_a_container_is_loaded_once(container):
    assert load_library(container) is load_library(container)
