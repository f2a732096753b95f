"""Images inside files of samples are read by name, through the index beside the file."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.io import image_info
from cxr_enhance.io.samples import Member, file_behind, index_path, member_of, read_index
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers.compare import assert_same_image

pytest.importorskip("cv2")
pytestmark = pytest.mark.opencv


@pytest.fixture
def image(tmp_path):
    image = synthetic_radiograph(48, 36, bits=12)
    cxe.write_image(tmp_path / "one.png", image)
    return image


@pytest.fixture
def shard(tmp_path, image):
    """Write a file that holds one image from its fourth byte on, with its index."""
    content = (tmp_path / "one.png").read_bytes()
    path = tmp_path / "000000.tar"
    path.write_bytes(b"abc" + content + b"abc")
    write_index(path, [{"key": "p1/0001", "offset": 3, "bytes": len(content)}])
    return path


def write_index(path, samples):
    with open(index_path(str(path)), "w") as file:
        json.dump({"samples": samples}, file)


def test_an_image_is_read_out_of_its_file(shard, image):
    assert_same_image(cxe.read_image(f"{shard}::p1/0001"), image)
    info = image_info(f"{shard}::p1/0001")
    assert (info.format, info.height, info.width, info.bits) == ("PNG", 48, 36, 16)


def test_a_rewritten_index_is_read_anew(shard, image):
    cxe.read_image(f"{shard}::p1/0001")
    index = read_index(index_path(str(shard)))
    write_index(shard, [{**index["samples"][0], "key": "another key"}])
    assert_same_image(cxe.read_image(f"{shard}::another key"), image)
    with pytest.raises(ValueError, match=r"got 'p1/0001', which is not in the index"):
        cxe.read_image(f"{shard}::p1/0001")


def test_a_file_of_that_very_name_comes_first(shard, tmp_path):
    other = np.full((5, 6), 7, np.uint8)
    (tmp_path / "000000.tar::p1").mkdir()
    cxe.write_image(tmp_path / "000000.tar::p1" / "0001.png", other)
    assert_same_image(cxe.read_image(tmp_path / "000000.tar::p1" / "0001.png"), other)


def test_folders_and_keys_may_hold_colons(tmp_path):
    (tmp_path / "a::b").mkdir()
    (tmp_path / "a::b" / "0.tar").touch()
    file = f"{tmp_path}/a::b/0.tar"
    assert member_of(f"{file}::c::d") == Member(file, "c::d")
    assert member_of(f"{tmp_path}/none.tar::c") is None
    assert member_of(f"{tmp_path}/a::b/0.tar") is None


def test_a_missing_file_is_missing_as_any_other(tmp_path):
    with pytest.raises(FileNotFoundError):
        cxe.read_image(tmp_path / "none.tar::0001")


def test_a_file_without_its_index_says_what_to_copy(shard):
    (shard.parent / "000000.tar.json").unlink()
    with pytest.raises(ValueError, match=r"its index '000000.tar.json' beside it; got no index"):
        cxe.read_image(f"{shard}::p1/0001")


@pytest.mark.parametrize("samples", [
    "none", [1], [{"key": 1}], [{"key": "k"}], [{"key": "k", "offset": -1, "bytes": 4}],
    [{"key": "k", "offset": 0, "bytes": -1}], [{"key": "k", "offset": 0.5, "bytes": 4}],
    [{"key": "k", "offset": True, "bytes": 4}],
])  # fmt: skip
def test_a_damaged_index_is_refused(shard, samples):
    write_index(shard, samples)
    with pytest.raises(ValueError, match=r"with its index beside it; got .*, which is damaged"):
        cxe.read_image(f"{shard}::k")


@pytest.mark.parametrize(("offset", "size"), [(3, 10**9), (200, 50), (90, 11)])
def test_an_image_beyond_the_end_of_its_file_says_what_to_copy(shard, offset, size):
    write_index(shard, [{"key": "k", "offset": offset, "bytes": size}])
    shard.write_bytes(shard.read_bytes()[:100])
    sentence = rf"got 100 bytes, where the image ends at {offset + size} by .*000000\.tar::k"
    with pytest.raises(ValueError, match=sentence):
        cxe.read_image(f"{shard}::k")


def test_the_file_behind_an_image_in_a_file_of_samples_is_that_file(tmp_path):
    shard = str(tmp_path / "0.tar")
    assert file_behind(f"{shard}::a") == f"{shard}::a"  # nothing is there
    (tmp_path / "0.tar").touch()
    assert file_behind(f"{shard}::a::b") == shard
    (tmp_path / "0.tar::a").touch()
    assert file_behind(f"{shard}::a") == f"{shard}::a"
    assert file_behind("plain.png") == "plain.png"
