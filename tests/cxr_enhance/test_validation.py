"""What a user reads after a wrong call: the argument, the rule, what was received, the cure."""

from __future__ import annotations

import dataclasses
import inspect
import re
import warnings
from fractions import Fraction

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from tests.helpers.compare import assert_same_image
from tests.helpers.fresh_process import run_code
from tests.helpers.images import make_image

pytestmark = pytest.mark.nojit  # nothing here has more than a few hundred pixels

GRAY = np.arange(48, dtype=np.uint8).reshape(6, 8)
GRAY16 = GRAY.astype(np.uint16) * 1000
COLOUR = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
for _shared in (GRAY, GRAY16, COLOUR):
    _shared.flags.writeable = False

OPERATIONS = {
    "white_balance": cxe.white_balance,
    "rgb_to_gray": cxe.rgb_to_gray,
    "clahe": cxe.clahe,
    "enhance": cxe.enhance,
}
TAKE_GRAY = ("white_balance", "clahe", "enhance")
TAKE_COLOUR = ("white_balance", "rgb_to_gray", "enhance")


def u8(*shape):
    return np.ones(shape, np.uint8)


# (name, image, exception, pattern of the whole message); wrong for every operation
BAD_IMAGES = [
    ("None", None, TypeError, r"`image` must be a NumPy array; got NoneType\. .*[Rr]ead"),
    (
        "list",
        [[1, 2], [3, 4]],
        TypeError,
        r"`image` must be a NumPy array; got list\. .*np\.asarray",
    ),
    ("path", "a.png", TypeError, r"`image` must be a NumPy array; got str\. .*read_image"),
    ("bytes", b"\x89PNG", TypeError, r"`image` must be a NumPy array; got bytes\. .*read_image"),
    ("int", 3, TypeError, r"`image` must be a NumPy array; got int"),
    ("numpy scalar", np.uint8(3), TypeError, r"`image` must be a NumPy array; got uint8"),
    ("float 0..1", u8(6, 8) / 2, TypeError, r"dtype uint8 or uint16; got float64\. .*0\.\.1.*255"),
    ("float32", u8(6, 8).astype("f4"), TypeError, r"dtype uint8 or uint16; got float32\. .*astype"),
    ("float16", u8(6, 8).astype("f2"), TypeError, r"dtype uint8 or uint16; got float16\. .*astype"),
    ("bool", u8(6, 8) > 0, TypeError, r"dtype uint8 or uint16; got bool\. .*255"),
    ("int8", u8(6, 8).astype("i1"), TypeError, r"dtype uint8 or uint16; got int8\. .*astype"),
    ("int16", u8(6, 8).astype("i2"), TypeError, r"dtype uint8 or uint16; got int16\. .*astype"),
    ("int64", u8(6, 8).astype("i8"), TypeError, r"dtype uint8 or uint16; got int64\. .*astype"),
    ("uint32", u8(6, 8).astype("u4"), TypeError, r"dtype uint8 or uint16; got uint32\. .*astype"),
    ("complex", u8(6, 8).astype("c8"), TypeError, r"dtype uint8 or uint16; got complex64"),
    ("object", u8(6, 8).astype("O"), TypeError, r"dtype uint8 or uint16; got object"),
    ("str array", np.array([["a", "b"]]), TypeError, r"dtype uint8 or uint16; got <U1"),
    ("record array", np.zeros((2, 2), "u1,u1"), TypeError, r"dtype uint8 or uint16; got \["),
    ("RGBA", u8(6, 8, 4), ValueError, r"shape .*; got \(6, 8, 4\)\. .*alpha.*\[\.\.\., :3\]"),
    ("two channels", u8(6, 8, 2), ValueError, r"shape .*; got \(6, 8, 2\)"),
    ("no channels", u8(6, 8, 0), ValueError, r"; got .*\(6, 8, 0\)"),
    ("channels first", u8(3, 60, 80), ValueError, r"; got \(3, 60, 80\)\. .*moveaxis"),
    ("one channel first", u8(1, 60, 80), ValueError, r"; got \(1, 60, 80\)\. .*moveaxis"),
    ("0-dimensional", np.array(3, np.uint8), ValueError, r"shape .*; got \(\)"),
    ("1-dimensional", u8(8), ValueError, r"shape .*; got \(8,\)"),
    ("batch", u8(2, 6, 8, 3), ValueError, r"shape .*; got \(2, 6, 8, 3\)\. .*enhance_batch"),
    ("5-dimensional", u8(1, 2, 6, 8, 3), ValueError, r"shape .*; got \(1, 2, 6, 8, 3\)"),
]
EMPTY_SHAPES = [(0, 8), (6, 0), (0, 0)]

# (name, value, exception, pattern); wrong wherever the option is taken
BAD_CLIP_LIMITS = [
    ("NaN", float("nan"), ValueError, r"`clip_limit` must be .*finite.*; got nan"),
    ("inf", float("inf"), ValueError, r"`clip_limit` must be .*finite.*; got inf"),
    ("minus inf", float("-inf"), ValueError, r"`clip_limit` must be .*; got -inf"),
    ("negative", -0.5, ValueError, r"`clip_limit` must be .*at least 0.*; got -0\.5"),
    ("huge int", 10**400, ValueError, r"`clip_limit` must be .*finite.*; got 10000"),
    ("bool", True, TypeError, r"`clip_limit` must be a number.*; got True"),
    ("NumPy bool", np.True_, TypeError, r"`clip_limit` must be a number.*; got .*True"),
    ("str", "2.0", TypeError, r"`clip_limit` must be a number.*; got '2\.0'"),
    ("complex", 2j, TypeError, r"`clip_limit` must be a number.*; got 2j"),
    ("array", np.array([2.0]), TypeError, r"`clip_limit` must be a number.*; got array"),
    ("list", [2.0], TypeError, r"`clip_limit` must be a number.*; got \[2\.0\]"),
]
_GRID = r"`tile_grid_size` must be two positive ints \(columns, rows\); got "
BAD_GRIDS = [
    ("zero columns", (0, 8), ValueError, _GRID + r"\(0, 8\)"),
    ("zero rows", (8, 0), ValueError, _GRID + r"\(8, 0\)"),
    ("negative", (8, -8), ValueError, _GRID + r"\(8, -8\)"),
    ("float", (8.0, 8.0), TypeError, _GRID + r"\(8\.0, 8\.0\)"),
    ("NaN", (float("nan"), 8), TypeError, _GRID + r"\(nan, 8\)"),
    ("bool", (True, 8), TypeError, _GRID + r"\(True, 8\)"),
    ("str elements", ("8", "8"), TypeError, _GRID + r"\('8', '8'\)"),
    ("str", "88", TypeError, _GRID + r"'88'"),
    ("one int", 8, TypeError, _GRID + r"8"),
    ("None", None, TypeError, _GRID + r"None"),
    ("one element", (8,), ValueError, _GRID + r"\(8,\)"),
    ("three elements", (8, 8, 1), ValueError, _GRID + r"\(8, 8, 1\)"),
    ("empty", (), ValueError, _GRID + r"\(\)"),
    ("set", {4, 8}, TypeError, _GRID + r"\{"),
    ("nested", ((8, 8), 8), TypeError, _GRID + r"\(\(8, 8\), 8\)"),
    (
        "absurd",
        (100_000, 100_000),
        ValueError,
        r"`tile_grid_size` must .*at most \d+ tiles; got \(100000",
    ),
    ("beyond 64 bits", (10**30, 1), ValueError, r"`tile_grid_size` must .*; got \(10{30}, 1\)"),
]
_PERCENTILES = r"`percentiles` must satisfy 0 <= low < high <= 100; got "
_TWO_NUMBERS = r"`percentiles` must be two numbers \(low, high\).*; got "
BAD_PERCENTILES = [
    ("reversed", (99.95, 0.05), ValueError, _PERCENTILES + r"\(99\.95, 0\.05\)"),
    ("equal", (50, 50), ValueError, _PERCENTILES + r"\(50, 50\)"),
    ("below 0", (-0.1, 99), ValueError, _PERCENTILES + r"\(-0\.1, 99\)"),
    ("above 100", (1, 100.1), ValueError, _PERCENTILES + r"\(1, 100\.1\)"),
    ("NaN low", (float("nan"), 99), ValueError, _PERCENTILES + r"\(nan, 99\)"),
    ("NaN high", (1, float("nan")), ValueError, _PERCENTILES + r"\(1, nan\)"),
    ("inf", (0, float("inf")), ValueError, _PERCENTILES + r"\(0, inf\)"),
    ("str", ("1", "99"), TypeError, _TWO_NUMBERS + r"\('1', '99'\)"),
    ("bool", (False, True), TypeError, _TWO_NUMBERS + r"\(False, True\)"),
    ("None within", (None, 99), TypeError, _TWO_NUMBERS + r"\(None, 99\)"),
    ("one number", 0.05, TypeError, _TWO_NUMBERS + r"0\.05"),
    ("one element", (1,), ValueError, _TWO_NUMBERS + r"\(1,\)"),
    ("three elements", (1, 50, 99), ValueError, _TWO_NUMBERS + r"\(1, 50, 99\)"),
]
BAD_BIT_SHIFTS = [
    ("negative", -1, ValueError, r"`bit_shift` must be from 0 to \d+.*; got -1"),
    ("too large", 16, ValueError, r"`bit_shift` must be from 0 to 15.*; got 16"),
    ("float", 4.0, TypeError, r"`bit_shift` must be an int.*; got 4\.0"),
    ("bool", True, TypeError, r"`bit_shift` must be an int.*; got True"),
    ("str", "4", TypeError, r"`bit_shift` must be an int.*; got '4'"),
    ("None", None, TypeError, r"`bit_shift` must be an int.*; got None"),
]
BAD_NUM_BINS = [
    ("one", 1, ValueError, r"`num_bins` must be from 2 to 65536; got 1\. None counts every"),
    ("too large", 65537, ValueError, r"`num_bins` must be from 2 to 65536; got 65537"),
    ("float", 256.0, TypeError, r"`num_bins` must be an int or None; got 256\.0"),
    ("bool", True, TypeError, r"`num_bins` must be an int or None; got True"),
    ("str", "256", TypeError, r"`num_bins` must be an int or None; got '256'"),
]
BAD_BITS = [
    ("zero", 0, ValueError, r"`bits` must be from 1 to 16; got 0\. None takes those of the dtype"),
    ("too large", 17, ValueError, r"`bits` must be from 1 to 16; got 17"),
    ("float", 12.0, TypeError, r"`bits` must be an int or None; got 12\.0"),
    ("bool", True, TypeError, r"`bits` must be an int or None; got True"),
    ("str", "12", TypeError, r"`bits` must be an int or None; got '12'"),
]
BAD_CHANNEL_ORDERS = [
    ("unknown", "grb", ValueError, r"`channel_order` must be 'rgb' or 'bgr'; got 'grb'"),
    ("capitals", "RGB", ValueError, r"`channel_order` must be 'rgb' or 'bgr'; got 'RGB'"),
    ("None", None, TypeError, r"`channel_order` must be 'rgb' or 'bgr'; got None"),
    ("int", 1, TypeError, r"`channel_order` must be 'rgb' or 'bgr'; got 1"),
]
BAD_OUTPUTS = [
    ("unknown", "bgr", ValueError, r"`output` must be 'gray' or 'rgb'; got 'bgr'"),
    ("None", None, TypeError, r"`output` must be 'gray' or 'rgb'; got None"),
]
BAD_NUM_THREADS = [
    ("zero", 0, ValueError, r"`num_threads` must be .*1.*; got 0"),
    ("negative", -1, ValueError, r"`num_threads` must be .*1.*; got -1"),
    ("float", 1.5, TypeError, r"`num_threads` must be an int.*; got 1\.5"),
    ("bool", True, TypeError, r"`num_threads` must be an int.*; got True"),
    ("str", "2", TypeError, r"`num_threads` must be an int.*; got '2'"),
]


def read_only(*shape):
    array = u8(*shape)
    array.flags.writeable = False
    return array


# (name, out for a (6, 8) uint8 result, exception, pattern)
BAD_OUTS = [
    ("list", [0] * 48, TypeError, r"`out` must be a NumPy array; got list"),
    ("dtype", u8(6, 8).astype("u2"), TypeError, r"`out` must have .*dtype uint8; got uint16"),
    ("signed", u8(6, 8).astype("i1"), TypeError, r"`out` must have .*dtype uint8; got int8"),
    ("shape", u8(8, 6), ValueError, r"`out` must have shape \(6, 8\); got \(8, 6\)"),
    ("channel axis", u8(6, 8, 1), ValueError, r"`out` must have shape \(6, 8\); got \(6, 8, 1\)"),
    ("read-only", read_only(6, 8), ValueError, r"`out` must be writeable; got a read-only array"),
    ("strided", u8(6, 16)[:, ::2], ValueError, r"`out` must be C-contiguous; got "),
    ("Fortran", np.asfortranarray(u8(6, 8)), ValueError, r"`out` must be C-contiguous; got "),
]


def table(*groups):
    """Flatten (label, call, rows) into parameters; `call` receives the bad value of each row."""
    return [
        pytest.param(call, value, exception, pattern, id=f"{label}-{name}")
        for label, call, rows in groups
        for name, value, exception, pattern in rows
    ]


def option_groups(option, rows):
    """Calls that hand `option` to every surface that takes it."""
    groups = [(f"EnhanceParams.{option}", lambda v: EnhanceParams(**{option: v}), rows)]
    image = {"rgb_to_gray": COLOUR}
    for name, operation in OPERATIONS.items():
        if option in inspect.signature(operation).parameters:
            picture = image.get(name, GRAY)
            groups.append(
                (f"{name}.{option}", lambda v, f=operation, p=picture: f(p, **{option: v}), rows)
            )
    return groups


BAD_CALLS = table(
    *[(f"{name}.image", operation, BAD_IMAGES) for name, operation in OPERATIONS.items()],
    *option_groups("clip_limit", BAD_CLIP_LIMITS),
    *option_groups("tile_grid_size", BAD_GRIDS),
    *option_groups("percentiles", BAD_PERCENTILES),
    *option_groups("bit_shift", BAD_BIT_SHIFTS),
    *option_groups("num_bins", BAD_NUM_BINS),
    *option_groups("bits", BAD_BITS),
    *option_groups("channel_order", BAD_CHANNEL_ORDERS),
    *option_groups("output", BAD_OUTPUTS),
    ("white_balance.out", lambda v: cxe.white_balance(GRAY, out=v), BAD_OUTS),
    ("rgb_to_gray.out", lambda v: cxe.rgb_to_gray(COLOUR, out=v), BAD_OUTS),
    ("clahe.out", lambda v: cxe.clahe(GRAY, out=v), BAD_OUTS),
    ("enhance.out", lambda v: cxe.enhance(COLOUR, out=v), BAD_OUTS),
    (
        "enhance_batch.num_threads",
        lambda v: cxe.enhance_batch(GRAY[np.newaxis], num_threads=v),
        BAD_NUM_THREADS,
    ),
)

# Calls wrong in a way of their own: (id, call, exception, pattern)
OTHER_BAD_CALLS = [
    (
        "clahe-colour",
        lambda: cxe.clahe(COLOUR),
        ValueError,
        r"`image` must have shape \(H, W\) or \(H, W, 1\); got \(6, 8, 3\)\. .*rgb_to_gray",
    ),
    (
        "rgb_to_gray-gray",
        lambda: cxe.rgb_to_gray(GRAY),
        ValueError,
        r"`image` must have shape \(H, W, 3\); got \(6, 8\)\. .*gray",
    ),
    (
        "rgb_to_gray-one-channel",
        lambda: cxe.rgb_to_gray(GRAY[..., np.newaxis]),
        ValueError,
        r"`image` must have shape \(H, W, 3\); got \(6, 8, 1\)",
    ),
    (
        "white_balance-percentiles-None",
        lambda: cxe.white_balance(GRAY, percentiles=None),
        TypeError,
        _TWO_NUMBERS + "None",
    ),
    (
        "clahe-clip_limit-None",
        lambda: cxe.clahe(GRAY, clip_limit=None),
        TypeError,
        r"`clip_limit` must be a number.*; got None",
    ),
    (
        "clahe-clip_limit-overflows-opencv's-int",
        lambda: cxe.clahe(GRAY, clip_limit=1e30),
        ValueError,
        r"`clip_limit` must be below .*; got 1e\+30\. .*0 .*off",
    ),
    (
        "enhance-clip_limit-overflows-opencv's-int",
        lambda: cxe.enhance(GRAY, EnhanceParams(clip_limit=1e30)),
        ValueError,
        r"`clip_limit` must be below .*; got 1e\+30",
    ),
    (
        "clahe-bit_shift-too-large-for-uint8",
        lambda: cxe.clahe(GRAY, bit_shift=8),
        ValueError,
        r"`bit_shift` must be from 0 to 7 for uint8.*; got 8",
    ),
    (
        "enhance-bit_shift-too-large-for-uint8",
        lambda: cxe.enhance(GRAY, EnhanceParams(bit_shift=8)),
        ValueError,
        r"`bit_shift` must be from 0 to 7 for uint8.*; got 8",
    ),
    (
        "clahe-num_bins-beside-bit_shift",
        lambda: cxe.clahe(GRAY, num_bins=256, bit_shift=4),
        ValueError,
        r"`num_bins` must be None where `bit_shift` is above 0; got num_bins=256 and bit_shift=4\. "
        r"Use num_bins=None",
    ),
    (
        "enhance-num_bins-beside-bit_shift",
        lambda: EnhanceParams(num_bins=256, bit_shift=4),
        ValueError,
        r"`num_bins` must be None where `bit_shift` is above 0; got num_bins=256 and bit_shift=4",
    ),
    (
        "clahe-bits-beyond-uint8",
        lambda: cxe.clahe(GRAY, bits=9),
        ValueError,
        r"`bits` must be from 1 to 8 for uint8 images; got 9\. None takes those of the dtype",
    ),
    (
        "clahe-bit_shift-leaves-nothing-of-bits",
        lambda: cxe.clahe(GRAY.astype(np.uint16) % 16, bits=4, bit_shift=4),
        ValueError,
        r"`bit_shift` must be from 0 to 3 for bits=4; got 4",
    ),
    *[
        (
            f"{name}-values-beyond-bits",
            lambda f=function: f(np.full((6, 8), 4096, np.uint16)),
            ValueError,
            r"`image` must hold values from 0 to 4095 for bits=12; got 4096\. Use bits=13, or None",
        )
        for name, function in (
            ("clahe", lambda image: cxe.clahe(image, bits=12)),
            ("white_balance", lambda image: cxe.white_balance(image, bits=12)),
            ("enhance", lambda image: cxe.enhance(image, EnhanceParams(bits=12))),
            ("CLAHE", lambda image: cxe.CLAHE(bits=12).apply(image)),
        )
    ],
    (
        "enhance_batch-values-beyond-bits-in-a-stack",
        lambda: cxe.enhance_batch(np.full((2, 6, 8), 4096, np.uint16), EnhanceParams(bits=12)),
        ValueError,
        r"`images` must hold values from 0 to 4095 for bits=12; got 4096",
    ),
    (
        "enhance_batch-values-beyond-bits-in-a-list",
        lambda: cxe.enhance_batch([GRAY, GRAY], EnhanceParams(bits=1)),
        ValueError,
        r"`images\[0\]` must hold values from 0 to 1 for bits=1; got \d+\. Use bits=\d",
    ),
    (
        "enhance-params-dict",
        lambda: cxe.enhance(GRAY, {"clip_limit": 2.0}),
        TypeError,
        r"`params` must be .*EnhanceParams.*; got .*dict",
    ),
    (
        "enhance-params-class",
        lambda: cxe.enhance(GRAY, EnhanceParams),
        TypeError,
        r"`params` must be .*EnhanceParams.*; got .*type",
    ),
    (
        "enhance_batch-params-dict",
        lambda: cxe.enhance_batch(GRAY[np.newaxis], {"clip_limit": 2.0}),
        TypeError,
        r"`params` must be .*EnhanceParams.*; got .*dict",
    ),
    (
        "enhance-out-big-endian",
        lambda: cxe.enhance(GRAY16, out=np.empty((6, 8), ">u2")),
        TypeError,
        r"`out` must have .*dtype uint16; got >u2",
    ),
    (
        "enhance-out-of-rgb-output",
        lambda: cxe.enhance(GRAY, EnhanceParams(output="rgb"), out=u8(6, 8)),
        ValueError,
        r"`out` must have shape \(6, 8, 3\); got \(6, 8\)",
    ),
    (
        "from_json-int",
        lambda: EnhanceParams.from_json(3),
        TypeError,
        r"`text` must be a str; got int",
    ),
    (
        "from_json-no-json",
        lambda: EnhanceParams.from_json("clip_limit: 2"),
        ValueError,
        r"`text` must be one JSON object; got ",
    ),
    (
        "from_json-list",
        lambda: EnhanceParams.from_json("[]"),
        ValueError,
        r"`text` must be one JSON object; got list",
    ),
    (
        "from_json-unknown-name",
        lambda: EnhanceParams.from_json('{"cliplimit": 2}'),
        ValueError,
        r"must have only the names .*clip_limit.*; got cliplimit",
    ),
    (
        "from_json-bad-value",
        lambda: EnhanceParams.from_json('{"clip_limit": -2}'),
        ValueError,
        r"`clip_limit` must be .*at least 0.*; got -2",
    ),
    (
        "from_json-NaN",
        lambda: EnhanceParams.from_json('{"clip_limit": NaN}'),
        ValueError,
        r"`clip_limit` must be .*finite.*; got nan",
    ),
    (
        "batch-None",
        lambda: cxe.enhance_batch(None),
        TypeError,
        r"`images` must be .*; got None",
    ),
    (
        "batch-str",
        lambda: cxe.enhance_batch("folder"),
        TypeError,
        r"`images` must be .*; got (str|'folder')",
    ),
    (
        "batch-generator",
        lambda: cxe.enhance_batch(image for image in [GRAY]),
        TypeError,
        r"`images` must be .*; got generator.*list",
    ),
    (
        "batch-dict",
        lambda: cxe.enhance_batch({"a": GRAY}),
        TypeError,
        r"`images` must be .*; got dict",
    ),
    (
        "batch-no-pixels",
        lambda: cxe.enhance_batch(u8(2, 0, 8)),
        ValueError,
        r"`images` must .*at least one.*; got .*\(2, 0, 8\)",
    ),
    (
        "batch-single-image",
        lambda: cxe.enhance_batch(GRAY),
        ValueError,
        r"`images` must have shape \(N, H, W.*; got \(6, 8\)\. .*enhance",
    ),
    (
        "batch-RGBA",
        lambda: cxe.enhance_batch(u8(2, 6, 8, 4)),
        ValueError,
        r"`images` must have shape .*; got \(2, 6, 8, 4\)\. .*alpha",
    ),
    (
        "batch-channels-first",
        lambda: cxe.enhance_batch(u8(2, 3, 60, 80)),
        ValueError,
        r"`images` must have shape .*; got \(2, 3, 60, 80\)\. .*moveaxis",
    ),
    (
        "batch-5-dimensional",
        lambda: cxe.enhance_batch(u8(1, 2, 6, 8, 3)),
        ValueError,
        r"`images` must have shape .*; got \(1, 2, 6, 8, 3\)",
    ),
    (
        "batch-float",
        lambda: cxe.enhance_batch(u8(2, 6, 8) / 2),
        TypeError,
        r"`images` must have dtype uint8 or uint16; got float64\. .*255",
    ),
    (
        "batch-list-with-None",
        lambda: cxe.enhance_batch([GRAY, None]),
        TypeError,
        r"`images\[1\]` must be a NumPy array; got NoneType",
    ),
    (
        "batch-list-with-float",
        lambda: cxe.enhance_batch([GRAY, GRAY, GRAY / 2]),
        TypeError,
        r"`images\[2\]` must have dtype uint8 or uint16; got float64",
    ),
    (
        "batch-list-with-RGBA",
        lambda: cxe.enhance_batch([u8(6, 8, 4), GRAY]),
        ValueError,
        r"`images\[0\]` must have shape .*; got \(6, 8, 4\)\. .*alpha",
    ),
    (
        "batch-list-with-empty-image",
        lambda: cxe.enhance_batch([GRAY, u8(0, 8)]),
        ValueError,
        r"`images\[1\]` must have at least one pixel; got .*\(0, 8\)",
    ),
    (
        "batch-out-shape",
        lambda: cxe.enhance_batch(u8(2, 6, 8, 3), out=u8(2, 6, 8, 3)),
        ValueError,
        r"`out` must have shape \(2, 6, 8\); got \(2, 6, 8, 3\)",
    ),
    (
        "batch-out-dtype",
        lambda: cxe.enhance_batch(u8(2, 6, 8), out=np.empty((2, 6, 8), np.uint16)),
        TypeError,
        r"`out` must have .*dtype uint8; got uint16",
    ),
    (
        "batch-out-read-only",
        lambda: cxe.enhance_batch(u8(2, 6, 8), out=read_only(2, 6, 8)),
        ValueError,
        r"`out` must be writeable",
    ),
]


def assert_well_formed(message):
    """Check the form all messages share: one rule, one value, full stops."""
    assert re.match(r"`[a-z_]+(\[\d+\])?` must ", message), message
    assert "; got " in message, message
    assert message.endswith((".", "?")), message
    assert "\n" not in message, message


@pytest.mark.parametrize(("call", "value", "exception", "pattern"), BAD_CALLS)
def test_names_argument_rule_value_and_cure(call, value, exception, pattern):
    with pytest.raises(exception, match=pattern) as caught:
        call(value)
    assert_well_formed(str(caught.value))


@pytest.mark.parametrize(
    ("call", "exception", "pattern"),
    [pytest.param(*row[1:], id=row[0]) for row in OTHER_BAD_CALLS],
)
def test_names_argument_rule_value_and_cure_of_other_calls(call, exception, pattern):
    with pytest.raises(exception, match=pattern) as caught:
        call()
    assert_well_formed(str(caught.value))


@pytest.mark.parametrize("shape", EMPTY_SHAPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_refuses_images_without_pixels_where_opencv_hangs(name, shape):
    shape = (*shape, 3) if name == "rgb_to_gray" else shape
    message = rf"`image` must have at least one pixel; got .*{re.escape(str(shape))}"
    with pytest.raises(ValueError, match=message):
        OPERATIONS[name](u8(*shape))


@pytest.mark.parametrize("name", OPERATIONS)
def test_out_may_not_overlap_the_input(name):
    colour = name == "rgb_to_gray"
    memory = np.zeros(6 * 8 * 4, np.uint8)
    image = memory[: 6 * 8 * 3].reshape(6, 8, 3) if colour else memory[:48].reshape(6, 8)
    for start in (0, 10):
        out = memory[start : start + 48].reshape(6, 8)
        with pytest.raises(ValueError, match=r"`out` must not overlap the input; got .* new array"):
            OPERATIONS[name](image, out=out)


def test_out_of_a_batch_may_not_overlap_any_input():
    batch = u8(3, 6, 8)
    with pytest.raises(ValueError, match=r"`out` must not overlap"):
        cxe.enhance_batch(batch, out=batch)
    with pytest.raises(ValueError, match=r"`out\[1\]` must not overlap the input"):
        cxe.enhance_batch([GRAY, batch[1]], out=[u8(6, 8), batch[1]])
    with pytest.raises(ValueError, match=r"`out\[0\]` must not overlap the input"):
        cxe.enhance_batch([GRAY, batch[1]], out=[batch[1], u8(6, 8)])


def test_outs_of_a_list_may_not_overlap_each_other():
    memory = u8(9, 8)
    with pytest.raises(ValueError, match=r"`out` must not overlap itself; got out\[0\] and"):
        cxe.enhance_batch([GRAY, GRAY], out=[memory[:6], memory[3:]])


def test_a_batch_of_no_images_gives_no_images():
    assert cxe.enhance_batch([]) == []
    assert_same_image(cxe.enhance_batch(u8(0, 6, 8)), u8(0, 6, 8))
    assert_same_image(cxe.enhance_batch(u8(0, 6, 8, 3)), u8(0, 6, 8))
    colour = EnhanceParams(output="rgb")
    assert_same_image(cxe.enhance_batch(u8(0, 6, 8), colour), u8(0, 6, 8, 3))


def test_outs_of_a_list_are_checked_one_by_one():
    images = [GRAY, COLOUR]
    with pytest.raises(ValueError, match=r"`out` must .*2.*; got .*1"):
        cxe.enhance_batch(images, out=[u8(6, 8)])
    with pytest.raises(ValueError, match=r"`out\[1\]` must have shape \(6, 8\); got \(6, 8, 3\)"):
        cxe.enhance_batch(images, out=[u8(6, 8), u8(6, 8, 3)])
    with pytest.raises(TypeError, match=r"`out` must be .*; got ndarray"):
        cxe.enhance_batch(images, out=u8(2, 6, 8))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_failed_call_writes_nothing_into_out(name):
    picture = COLOUR if name == "rgb_to_gray" else GRAY
    out = np.full((6, 8), 99, np.uint8)
    with pytest.raises((TypeError, ValueError)):
        OPERATIONS[name](picture.astype(np.float32), out=out)
    assert (out == 99).all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_out_is_filled_and_returned(name):
    picture = COLOUR if name == "rgb_to_gray" else GRAY
    out = np.full((6, 8), 99, np.uint8)
    assert OPERATIONS[name](picture, out=out) is out
    assert_same_image(out, OPERATIONS[name](picture))


@pytest.mark.parametrize("name", OPERATIONS)
def test_options_are_keyword_only(name):
    parameters = list(inspect.signature(OPERATIONS[name]).parameters.values())
    positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    assert positional == (["image", "params"] if name == "enhance" else ["image"])


@pytest.mark.parametrize(
    "options",
    [
        {"tile_grid_size": [8, 4]},
        {"tile_grid_size": np.array([8, 4])},
        {"tile_grid_size": (np.int64(8), np.uint8(4))},
    ],
)
def test_grids_of_other_integers_mean_the_same(options):
    expected = EnhanceParams(tile_grid_size=(8, 4))
    params = EnhanceParams(**options)
    assert params == expected
    assert hash(params) == hash(expected)
    assert_same_image(cxe.clahe(GRAY, **options), cxe.clahe(GRAY, tile_grid_size=(8, 4)))


@pytest.mark.parametrize("value", [2, np.float32(2), np.float64(2), np.int8(2), Fraction(2)])
def test_clip_limits_of_other_number_types_mean_the_same(value):
    assert EnhanceParams(clip_limit=value) == EnhanceParams(clip_limit=2.0)
    assert_same_image(cxe.clahe(GRAY, clip_limit=value), cxe.clahe(GRAY, clip_limit=2.0))


@pytest.mark.parametrize("value", [[2, 98], np.array([2.0, 98.0]), (np.float32(2), np.uint8(98))])
def test_percentiles_of_other_number_types_mean_the_same(value):
    assert EnhanceParams(percentiles=value) == EnhanceParams(percentiles=(2.0, 98.0))
    expected = cxe.white_balance(GRAY, percentiles=(2.0, 98.0))
    assert_same_image(cxe.white_balance(GRAY, percentiles=value), expected)


def test_every_surface_has_the_defaults_of_the_params_record():
    defaults = {field.name: field.default for field in dataclasses.fields(EnhanceParams)}
    for operation in OPERATIONS.values():
        for name, parameter in inspect.signature(operation).parameters.items():
            if name == "num_bins":  # OpenCV's bytes where the call is OpenCV's
                assert parameter.default is None
            elif name in defaults:
                assert parameter.default == defaults[name], (operation.__name__, name)
    assert defaults == {
        "percentiles": (0.05, 99.95),
        "clip_limit": 2.0,
        "tile_grid_size": (16, 16),
        "bit_shift": 0,
        "num_bins": 256,
        "bits": None,
        "channel_order": "rgb",
        "output": "gray",
    }


def test_the_command_line_has_the_defaults_of_the_params_record():
    """Its options default to None (not given) or to the record's value, under the same names."""
    typer = pytest.importorskip("typer")
    app = pytest.importorskip("cxr_enhance.cli._app").app
    run = typer.main.get_command(app).commands["run"]
    options = {option.name: option for option in run.params}
    defaults = {field.name: field.default for field in dataclasses.fields(EnhanceParams)}
    for name in ("clip_limit", "tile_grid_size", "percentiles", "bit_shift"):
        assert f"--{name.replace('_', '-')}" in options[name].opts
        assert options[name].default in (None, defaults[name]), name
        words = defaults[name] if isinstance(defaults[name], tuple) else [defaults[name]]
        assert f"[default: {' '.join(map(str, words))}]" in options[name].help


@pytest.mark.parametrize(
    ("params", "size", "dtype", "pattern"),
    [
        ({"bits": 12, "num_bins": None}, (8, 8), np.uint8, "`bits` must be from 1 to 8 for uint8"),
        ({"bit_shift": 8}, (8, 8), "uint8", "`bit_shift` must be from 0 to 7 for uint8 images"),
        ({"tile_grid_size": (2000, 1)}, (8, 8), np.uint16, "at most 1024 columns for uint16"),
        ({"clip_limit": 1e30}, (8, 8), np.uint8, "`clip_limit` must be below"),
        ({"tile_grid_size": (1, 1)}, (2**16, 2**16), np.uint8, r"less than 2\*\*31 pixels"),
        ({}, (0, 8), np.uint8, "`height` must be at least 1; got 0"),
        ({}, (8, -1), np.uint8, "`width` must be at least 1; got -1"),
    ],
)
def test_params_are_checked_for_a_size_without_an_image(params, size, dtype, pattern):
    with pytest.raises(ValueError, match=pattern):
        EnhanceParams(**params).check_for(*size, dtype)


@pytest.mark.parametrize(("size", "dtype"), [((8.0, 8), np.uint8), ((8, 8), float), ((8, 8), None)])
def test_params_are_checked_for_images_of_a_size_and_a_dtype(size, dtype):
    with pytest.raises(
        TypeError, match=r"must be an int; got 8\.0|must be np\.uint8 or np\.uint16"
    ):
        EnhanceParams().check_for(*size, dtype)


def test_params_that_fit_pass_as_they_do_in_enhance():
    params = EnhanceParams(bits=12)
    assert params.check_for(40, 30, np.uint16) is None
    assert cxe.enhance(np.full((40, 30), 4095, np.uint16), params).shape == (40, 30)


def test_params_or_the_defaults_are_a_record():
    params = EnhanceParams(clip_limit=3.0)
    assert EnhanceParams.or_default(params) is params
    assert EnhanceParams.or_default(None) == EnhanceParams()
    with pytest.raises(TypeError, match=r"`params` must be EnhanceParams or None; got dict\."):
        EnhanceParams.or_default({})


def test_public_names_are_these():
    expected = [
        *["CLAHE", "EnhanceParams", "Preparation", "Transform", "clahe", "enhance"],
        *["enhance_batch", "map_points", "prepare", "read_image", "rgb_to_gray", "tune"],
        *["usable_cpus", "warmup", "white_balance", "write_image"],
    ]
    assert [name for name in cxe.__all__ if not name.startswith("__")] == expected
    assert all(hasattr(cxe, name) for name in cxe.__all__)
    assert set(expected) <= set(dir(cxe))
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", cxe.__version__)


def test_every_public_function_is_documented_in_numpydoc_sections():
    for name in cxe.__all__:
        if not name.startswith("__"):
            text = inspect.getdoc(getattr(cxe, name))
            assert text, name
            assert text.splitlines()[0].endswith("."), name
            if name not in ("warmup", "usable_cpus"):
                assert "Parameters\n----------" in text, name
                assert "Raises\n------" in text, name


def test_import_loads_no_framework_and_no_opencv():
    done = run_code(
        """
        import cxr_enhance
        heavy = {"cv2", "tensorflow", "keras", "torch", "matplotlib", "typer", "tqdm"}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    assert done.stdout == "[]\n"


def test_one_colour_image_is_not_taken_for_a_batch_of_narrow_ones():
    for channels in (1, 3, 4):
        rule = rf"got \(6, 8, {channels}\), which reads as one image with channels"
        with pytest.raises(ValueError, match=rule):
            cxe.enhance_batch(u8(6, 8, channels))
    image = make_image("noise", 6, 8, channels=3)
    assert_same_image(cxe.enhance_batch(image[None]), cxe.enhance(image)[None])
    for narrow, one in zip(image, cxe.enhance_batch(list(image)), strict=True):
        assert_same_image(one, cxe.enhance(narrow))


def test_a_grid_of_very_many_columns_is_refused_for_uint16():
    assert_same_image(  # tiles of one value make it the greatest
        cxe.clahe(u8(6, 8), clip_limit=0, tile_grid_size=(1025, 1)), np.full((6, 8), 255, np.uint8)
    )
    with pytest.raises(ValueError, match=r"at most 1024 columns for uint16 images; got \(1025, 1"):
        cxe.clahe(u8(6, 8).astype(np.uint16), tile_grid_size=(1025, 1))


@pytest.mark.parametrize(
    ("dtypes", "got"),
    [(np.uint8, "class 'numpy.uint8'"), ("uint8", "'uint8'"), ([float], "float"), (["x"], "'x'")],
)
def test_warmup_says_which_dtypes_it_takes(dtypes, got):
    with pytest.raises(TypeError, match=rf"`dtypes` must be a list of .*; got .*{got}"):
        cxe.warmup(dtypes)


def test_a_matrix_is_not_taken_for_an_array():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.asmatrix(u8(6, 8))
    with pytest.raises(TypeError, match=r"`image` must be a plain array; got a matrix"):
        cxe.enhance(matrix)


def test_numbers_beyond_every_float_are_out_of_range():
    with pytest.raises(ValueError, match="`percentiles` must satisfy"):
        EnhanceParams(percentiles=(0, 10**400))
    with pytest.raises(ValueError, match="`clip_limit` must be finite"):
        EnhanceParams(clip_limit=10**400)


@pytest.mark.parametrize("value", [np.str_("2"), np.timedelta64(3, "D")])
def test_what_only_converts_to_a_number_is_no_clip_limit(value):
    with pytest.raises(TypeError, match="`clip_limit` must be a number"):
        EnhanceParams(clip_limit=value)


def test_deeply_nested_json_is_a_value_error():
    with pytest.raises(ValueError, match="`text` must be one JSON object"):
        EnhanceParams.from_json("[" * 100_000)


def test_a_stack_with_channels_first_is_told_which_axis_to_move():
    with pytest.raises(ValueError, match=r"np\.moveaxis\(images, 1, -1\)"):
        cxe.enhance_batch(u8(5, 3, 40, 50))


def cured(function, image, cure, **names):
    """Return what `cure` makes of the image that `function` refuses with a sentence that has it."""
    with pytest.raises((TypeError, ValueError)) as caught:
        function(image)
    assert cure in str(caught.value)
    return eval(cure, {"np": np, "image": image, "images": image, **names})


def test_a_list_of_numbers_keeps_them_in_the_array_that_is_advised():
    unit = np.linspace(0, 1, 64).reshape(8, 8).tolist()
    assert np.array_equal(cured(cxe.enhance, unit, "np.asarray(image)"), unit)


@pytest.mark.parametrize(
    ("mode", "cure"),
    [
        *((mode, "np.asarray(image)") for mode in ("L", "RGB", "I;16", "I", "F")),
        *((mode, 'np.asarray(image.convert("L"))') for mode in ("1", "LA")),
        *((mode, 'np.asarray(image.convert("RGB"))') for mode in ("RGBA", "P", "YCbCr")),
    ],
)
def test_an_image_of_pil_keeps_its_values_in_the_array_that_is_advised(mode, cure):
    module = pytest.importorskip("PIL.Image", reason="needs pip install pillow")
    wanted = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    if mode == "1":
        wanted = np.where(wanted > 99, 255, 0).astype(np.uint8)
    if mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = module.fromarray(wanted.astype(dtype) * 250)
        wanted = wanted.astype(dtype) * 250
    else:
        image = module.fromarray(wanted).convert(mode)
    array = cured(cxe.enhance, image, cure)
    array = array if array.ndim == 2 else array[..., 0]
    assert np.abs(array.astype(float) - wanted).max() <= (1 if mode == "YCbCr" else 0)


@pytest.mark.parametrize(
    ("dtype", "cure"),
    [
        ("uint8", "image.numpy(force=True)"),
        ("float32", "image.numpy(force=True)"),
        ("bfloat16", "image.float().numpy(force=True)"),
    ],
)
def test_a_tensor_of_torch_keeps_its_values_in_the_array_that_is_advised(dtype, cure):
    torch = pytest.importorskip("torch", reason="needs pip install torch")
    image = torch.linspace(0, 255, 64).reshape(8, 8).to(getattr(torch, dtype))
    image = image.requires_grad_() if dtype != "uint8" else image
    array = cured(cxe.enhance, image, cure)
    assert np.array_equal(array, image.detach().float().numpy())


def test_a_nested_tensor_is_taken_apart_by_the_cure():
    torch = pytest.importorskip("torch", reason="needs pip install torch")
    rows = torch.arange(64, dtype=torch.float32).reshape(8, 8)
    image = torch.nested.nested_tensor([rows, rows[:5]], layout=torch.jagged)
    with pytest.raises(
        TypeError, match=r"Enhance its tensors one by one: those of image\.unbind\(\)"
    ):
        cxe.enhance(image)
    for part, given in zip(image.unbind(), (rows, rows[:5]), strict=True):
        assert torch.equal(part, given)


def test_an_array_of_objects_becomes_numbers_or_a_list_of_images():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    array = cured(cxe.enhance, image.astype(object), "np.array(image.tolist())")
    assert np.array_equal(array, image)
    several = np.empty(2, object)
    several[:] = [image, image[:5]]
    done = cxe.enhance_batch(cured(cxe.enhance_batch, several, "list(images)"))
    for result, given in zip(done, (image, image[:5]), strict=True):
        assert_same_image(result, cxe.enhance(given))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("top", [1, 255])
def test_floats_of_eight_bits_come_back_from_the_array_that_is_advised(dtype, top):
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes", reason="TensorFlow and JAX bring it").bfloat16
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    cure = "np.rint(image).astype(np.uint8)"
    if top == 1:
        cure = "np.rint(image.astype(np.float32) * 255).astype(np.uint8)"
    image = (levels * (top / 255)).astype(dtype)
    assert_same_image(cured(cxe.enhance, image, cure), levels)


def test_bfloat16_as_numpy_reads_it_from_a_file_is_known_again(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="TensorFlow and JAX bring it")
    image = np.arange(256).reshape(16, 16).astype(ml_dtypes.bfloat16)
    np.save(tmp_path / "image.npy", image)
    stored = np.load(tmp_path / "image.npy")
    again = cured(cxe.enhance, stored, "image.view(ml_dtypes.bfloat16)", ml_dtypes=ml_dtypes)
    assert np.array_equal(again, image)


def test_the_alpha_channel_of_gray_images_is_dropped_by_the_cure():
    image = np.dstack([GRAY, GRAY[::-1]])
    assert_same_image(cured(cxe.enhance, image, "image[..., :1]"), image[..., :1])
    images = image[None]
    assert_same_image(cured(cxe.enhance_batch, images, "images[..., :1]"), images[..., :1])
