"""A record of options checks itself."""

from __future__ import annotations

import pickle
import re

import pytest

from cxr_enhance import EnhanceParams, Preparation


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"params": {}}, TypeError, "`params` must be EnhanceParams or None; got dict."),
        ({"size": 224}, TypeError, "`size` must be two positive ints (height, width); got 224."),
        ({"size": (0, 5)}, ValueError, "`size` must be two positive ints (height, width); got"),
        ({"size": (5, 65536)}, ValueError, "(height, width) of at most 65535; got (5, 65536)."),
        ({"size": (5, 5), "fit": "stretch"}, ValueError, "`fit` must be 'squash' or 'pad' or"),
        ({"fit": "pad"}, ValueError, "`fit` 'pad' is only allowed with `size`; got none."),
        ({"long_side": 8, "fit": "crop"}, ValueError, "`fit` 'crop' is only allowed with `size`"),
        ({"long_side": 0}, ValueError, "`long_side` must be from 1 to 65535; got 0."),
        ({"long_side": 8.0}, TypeError, "`long_side` must be an int; got 8.0."),
        ({"spacing": 0}, ValueError, "`spacing` must be a positive number of millimetres; got 0."),
        ({"spacing": float("nan")}, ValueError, "`spacing` must be a positive number"),
        ({"spacing": True}, TypeError, "`spacing` must be a number of millimetres; got True."),
        (
            {"size": (8, 8), "long_side": 8},
            ValueError,
            "`long_side` is only allowed without `size`; got both.",
        ),
        (
            {"spacing": 0.2, "long_side": 8},
            ValueError,
            "`spacing` is only allowed without `long_side`; got both.",
        ),
        ({"crop_border": 1}, TypeError, "`crop_border` must be a bool; got 1."),
        ({"order": "resize-first"}, ValueError, "`order` 'resize-first' is only allowed with"),
        ({"order": "before"}, ValueError, "`order` must be 'enhance-first' or 'resize-first'"),
        ({"interpolation": "lanczos"}, ValueError, "`interpolation` must be 'nearest' or"),
        ({"dtype": "float32"}, ValueError, "`dtype` must be 'uint8' or 'uint16'; got 'float32'."),
    ],
)
def test_an_option_that_does_not_fit_is_refused(options, error, sentence):
    with pytest.raises(error, match=re.escape(sentence)):
        Preparation(**options)


def test_equal_records_hash_alike_and_travel_between_processes():
    first = Preparation(size=[64, 48], fit="pad", spacing=None)
    second = Preparation(size=(64, 48), fit="pad", params=EnhanceParams())
    assert hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(first)) == second
