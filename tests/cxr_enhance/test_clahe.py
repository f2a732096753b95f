"""`CLAHE`: OpenCV's call and bytes from an object that threads and processes may share."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cxr_enhance as cxe
from tests import reference


def noise(dtype=np.uint8, shape=(61, 83)):
    return np.random.default_rng(11).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.opencv
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("arguments", [(), (2.0,), (3, (5, 2)), (0.0, (8, 8))])
def test_the_same_arguments_give_the_bytes_of_opencv(dtype, arguments):
    cv2 = pytest.importorskip("cv2")
    image = noise(dtype)
    expected = cv2.createCLAHE(*arguments).apply(image)
    np.testing.assert_array_equal(cxe.CLAHE(*arguments).apply(image), expected)


@pytest.mark.opencv
def test_the_defaults_are_those_of_opencv():
    cv2 = pytest.importorskip("cv2")
    theirs, ours = cv2.createCLAHE(), cxe.CLAHE()
    assert (ours.clip_limit, ours.tile_grid_size) == (
        theirs.getClipLimit(),
        theirs.getTilesGridSize(),
    )


def test_the_order_of_the_grid_is_columns_then_rows():
    image = noise()
    expected = reference.clahe(image, 2.5, (7, 3))
    np.testing.assert_array_equal(cxe.CLAHE(2.5, (7, 3)).apply(image), expected)


def test_out_may_be_given_in_the_place_of_dst():
    image = noise()
    out = np.empty_like(image)
    assert cxe.CLAHE(2.0).apply(image, out) is out
    np.testing.assert_array_equal(out, cxe.clahe(image, tile_grid_size=(8, 8)))


def test_one_object_shared_by_threads_gives_the_serial_bytes():
    shared = cxe.CLAHE(2.0)
    images = [noise(shape=(64 + n, 96 - n)) for n in range(40)]
    expected = [shared.apply(image).tobytes() for image in images]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(shared.apply, images * 4))
    assert [result.tobytes() for result in results] == expected * 4


def test_objects_are_equal_by_value_and_survive_copies_and_pickles():
    one = cxe.CLAHE(2, [8, 4])
    assert one == cxe.CLAHE(2.0, (8, 4)) != cxe.CLAHE(2.0, (4, 8))
    assert len({one, cxe.CLAHE(2.0, (8, 4)), cxe.CLAHE()}) == 2
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        if protocol >= 2:  # slots need it
            assert pickle.loads(pickle.dumps(one, protocol)) == one
    assert copy.deepcopy(one) == one
    assert repr(one) == ("CLAHE(clip_limit=2.0, tile_grid_size=(8, 4), num_bins=None, bits=None)")
    assert eval(repr(one), {"CLAHE": cxe.CLAHE}) == one


def test_an_object_cannot_be_changed():
    one = cxe.CLAHE()
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.clip_limit = 2.0
    assert dataclasses.replace(one, clip_limit=2.0) == cxe.CLAHE(2.0)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ((None,), TypeError, "`clip_limit` must be a number; got None. Use 0 to turn clipping"),
        (("2",), TypeError, "`clip_limit` must be a number; got '2'"),
        ((float("nan"),), ValueError, "`clip_limit` must be finite"),
        ((-1,), ValueError, "`clip_limit` must be finite and at least 0"),
        ((2.0, (8, 0)), ValueError, "must be two positive ints"),
        ((2.0, 8), TypeError, "`tile_grid_size` must be two positive ints"),
    ],
)
def test_arguments_are_checked_when_the_object_is_made(arguments, error, sentence):
    with pytest.raises(error) as caught:
        cxe.CLAHE(*arguments)
    assert sentence in str(caught.value)
