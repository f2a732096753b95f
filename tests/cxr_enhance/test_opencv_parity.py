"""Every operation against OpenCV and NumPy themselves, byte for byte, with no tolerance.

The full cross product of sizes, grids, clip limits, contents and kinds of pixel is over 20,000
cases; `clahe_matrix` is a fixed selection of it in which every (size, grid, clip limit), every
(size, grid, kind), every (grid, clip limit, kind) and every (content, kind, clip limit) occurs.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import cxr_enhance as cxe
from tests import reference
from tests.helpers.compare import assert_same_image
from tests.helpers.images import CONTENTS, KINDS, make_image

pytestmark = pytest.mark.opencv

# Divisible by the grids in both axes, in one, in none; smaller than the grids; one pixel wide.
SIZES = [
    *[(1, 1), (1, 2), (2, 1), (1, 97), (113, 1), (3, 5), (37, 53), (67, 71), (96, 160)],
    *[(129, 128), (128, 130), (224, 224), (257, 511)],
]
LARGE_SIZES = [(1001, 777), (2048, 2500)]
GRIDS = [(1, 1), (8, 8), (16, 16), (4, 7), (16, 4), (32, 8), (8, 64), (131, 3)]
CLIPS = [0.0, 0.01, 0.5, 1.0, 2.0, 3.7, 5.0, 10.0, 40.0, 62.0, 300.0]
PERCENTILES = [
    *[(0.05, 99.95), (0.0, 100.0), (2.0, 98.0), (0.0, 0.01), (99.99, 100.0), (0.1, 50.0)],
    *[(25.0, 75.0), (49.9, 50.1), (100 / 3, 200 / 3), (5.0, 5.5), (1e-12, 100 - 1e-12)],
]
CHANNEL_ORDERS = ["rgb", "bgr"]


def clahe_matrix():
    """Give distinct (size, grid, clip limit, content, kind) cases, in a fixed order."""
    cases = []
    # 1. Every (size, grid, clip limit) in uint8; contents take turns.
    contents = itertools.cycle(CONTENTS)
    for size, grid, clip in itertools.product(SIZES, GRIDS, CLIPS):
        cases.append((size, grid, clip, next(contents), "uint8"))
    # 2. Every (size, grid) in both kinds of uint16; clip limits and contents take turns.
    clips = itertools.cycle(CLIPS)
    for size, grid, kind in itertools.product(SIZES, GRIDS, KINDS[1:]):
        cases.append((size, grid, next(clips), next(contents), kind))
    # 3. Every (grid, clip limit) in every kind, on a size that no grid but (1, 1) divides.
    for grid, clip, kind in itertools.product(GRIDS, CLIPS, KINDS):
        cases.append(((67, 71), grid, clip, next(contents), kind))
    # 4. Every (content, kind, clip limit), with and without padding.
    for content, kind, clip in itertools.product(CONTENTS, KINDS, CLIPS):
        cases.append(((96, 160), (8, 8), clip, content, kind))
        cases.append(((129, 128), (4, 7), clip, content, kind))
    # 5. Large images: every grid in one kind each, the study's grid in all kinds.
    kinds = itertools.cycle(KINDS)
    for size, grid in itertools.product(LARGE_SIZES, GRIDS):
        cases.append((size, grid, 2.0, "radiograph", next(kinds)))
    for size, kind in itertools.product(LARGE_SIZES, KINDS):
        cases.append((size, (16, 16), 3.7, "radiograph", kind))
    return list(dict.fromkeys(cases))


def clahe_id(case):
    (height, width), (columns, rows), clip, content, kind = case
    return f"h{height}w{width}-grid{columns}x{rows}-clip{clip}-{content}-{kind}"


@functools.lru_cache(maxsize=64)
def shared_image(content, size, kind, channels=None):
    image = make_image(content, *size, kind, channels)
    image.flags.writeable = False
    return image


def opencv_clahe(image, clip_limit, tile_grid_size, bit_shift=0):
    import cv2

    engine = cv2.createCLAHE(clip_limit, tile_grid_size)
    if bit_shift:
        if not hasattr(engine, "setBitShift"):
            pytest.skip(f"OpenCV {cv2.__version__} has no setBitShift")
        engine.setBitShift(bit_shift)
    return engine.apply(image)


def test_matrix_has_at_least_1500_distinct_cases():
    assert len(set(map(clahe_id, clahe_matrix()))) == len(clahe_matrix()) >= 1500


@pytest.mark.parametrize("case", clahe_matrix(), ids=clahe_id)
def test_clahe_equals_opencv(case):
    size, grid, clip, content, kind = case
    image = shared_image(content, size, kind)
    actual = cxe.clahe(image, clip_limit=clip, tile_grid_size=grid)
    assert_same_image(actual, opencv_clahe(image, clip, grid))


@pytest.mark.parametrize("size", [(1, 1), (37, 53), (128, 130), (224, 224)])
@pytest.mark.parametrize(
    ("kind", "bit_shift"),
    [
        *[("uint8", n) for n in (1, 2, 4, 6, 7)],
        *[("uint16-12bit", n) for n in (1, 4, 8, 11)],
        *[("uint16", n) for n in (1, 2, 3, 4, 6, 8, 12, 15)],
    ],
)
@pytest.mark.parametrize("clip", [0.0, 2.0, 40.0])
def test_clahe_with_bit_shift_equals_opencv(size, kind, bit_shift, clip):
    image = shared_image("radiograph", size, kind)
    expected = opencv_clahe(image, clip, (4, 7), bit_shift)
    actual = cxe.clahe(image, clip_limit=clip, tile_grid_size=(4, 7), bit_shift=bit_shift)
    assert_same_image(actual, expected)


@pytest.mark.parametrize("clip", [1e-300, 1 / 3, 1e3, 1e6])
@pytest.mark.parametrize("kind", KINDS)
def test_clahe_with_extreme_clip_limits_equals_opencv(clip, kind):
    image = shared_image("saturated", (67, 71), kind)
    actual = cxe.clahe(image, clip_limit=clip, tile_grid_size=(4, 7))
    assert_same_image(actual, opencv_clahe(image, clip, (4, 7)))


def test_clahe_takes_grids_as_columns_then_rows_like_opencv():
    image = shared_image("radiograph", (67, 71), "uint8")
    wide = cxe.clahe(image, tile_grid_size=(16, 4))
    assert_same_image(wide, opencv_clahe(image, 2.0, (16, 4)))
    assert not np.array_equal(wide, cxe.clahe(image, tile_grid_size=(4, 16)))


def notebook_white_balance(channel, low, high):
    mi, ma = (np.percentile(channel, low), np.percentile(channel, high))
    if mi == ma:  # 0 / 0 in the notebook; defined as unchanged
        return channel
    full = float(np.iinfo(channel.dtype).max)
    return channel.dtype.type(np.clip((channel - mi) * full / (ma - mi), 0, full))


WHITE_BALANCE_SIZES = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 5), (37, 53), (67, 71), (224, 224)]


@pytest.mark.parametrize("percentiles", PERCENTILES, ids=lambda pair: "q{:g}-{:g}".format(*pair))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_white_balance_equals_the_percentile_formula(percentiles, kind, channels):
    for size, content in itertools.product(WHITE_BALANCE_SIZES, CONTENTS):
        image = shared_image(content, size, kind, channels)
        planes = image.reshape(*size, -1)
        expected = np.stack(
            [notebook_white_balance(plane, *percentiles) for plane in np.moveaxis(planes, 2, 0)],
            axis=2,
        ).reshape(image.shape)
        assert_same_image(cxe.white_balance(image, percentiles=percentiles), expected)


def test_white_balance_equals_the_percentile_formula_at_random_percentiles(rng):
    for _ in range(300):
        size = rng.integers(1, 40, 2)
        dtype, top = [(np.uint8, 256), (np.uint16, 4096), (np.uint16, 65536), (np.uint8, 3)][
            rng.integers(4)
        ]
        image = rng.integers(0, top, size).astype(dtype)
        low, high = np.sort(rng.uniform(0, 100, 2)).tolist()
        expected = notebook_white_balance(image, low, high)
        assert_same_image(cxe.white_balance(image, percentiles=(low, high)), expected)


def opencv_gray(image, channel_order):
    import cv2

    return cv2.cvtColor(image, getattr(cv2, f"COLOR_{channel_order.upper()}2GRAY"))


@pytest.mark.parametrize("channel_order", CHANNEL_ORDERS)
def test_gray_equals_opencv_on_every_uint8_triple(channel_order):
    triples = np.arange(1 << 24, dtype=np.uint32).reshape(4096, 4096)
    image = triples.view(np.uint8).reshape(4096, 4096, 4)[..., :3]
    actual = cxe.rgb_to_gray(image, channel_order=channel_order)
    assert_same_image(actual, opencv_gray(np.ascontiguousarray(image), channel_order))


@pytest.mark.parametrize("channel_order", CHANNEL_ORDERS)
def test_gray_equals_opencv_on_uint16(channel_order, rng):
    edges = [0, 1, 2, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65533, 65534, 65535]
    extremes = np.array(list(itertools.product(edges, repeat=3)), np.uint16)[np.newaxis]
    for image in (
        extremes,
        rng.integers(0, 65536, (1024, 1021, 3), np.uint16),
        rng.integers(0, 4096, (512, 509, 3), np.uint16),
        rng.integers(65000, 65536, (256, 253, 3), np.uint16),
    ):
        actual = cxe.rgb_to_gray(image, channel_order=channel_order)
        assert_same_image(actual, opencv_gray(image, channel_order))


@pytest.mark.parametrize("largest", [255, 65535])
def test_gray_of_equal_channels_is_that_channel(largest):
    dtype = np.uint8 if largest == 255 else np.uint16
    values = np.arange(largest + 1).astype(dtype).reshape(1, -1)
    image = np.repeat(values[..., np.newaxis], 3, axis=2)
    assert_same_image(cxe.rgb_to_gray(image), values)
    assert_same_image(opencv_gray(image, "rgb"), values)


@pytest.mark.parametrize("channel_order", CHANNEL_ORDERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 97), (3, 5), (67, 71), (224, 224), (257, 511)])
def test_enhance_equals_the_notebook_chain(size, channels, kind, channel_order):
    forms = zip(CONTENTS, itertools.cycle([((16, 16), 2.0), ((4, 7), 40.0)]))
    for content, (grid, clip) in forms:
        image = shared_image(content, size, kind, channels)
        expected = reference.notebook_chain(image, clip, grid, channel_order=channel_order)
        if channels == 1:
            expected = expected[..., np.newaxis]
        params = cxe.EnhanceParams(
            clip_limit=clip, tile_grid_size=grid, channel_order=channel_order, num_bins=None
        )
        assert_same_image(cxe.enhance(image, params), expected)


@pytest.mark.parametrize("grid", [(64, 64), (65, 64), (4097, 1), (1, 513), (1, 4097), (250, 250)])
@pytest.mark.parametrize("channels", [None, 3])
def test_enhance_equals_the_notebook_chain_with_more_tiles_than_are_kept(grid, channels):
    """Fine grids are white-balanced before their tiles are counted, coarse ones in one go."""
    image = make_image("radiograph", 67, 71, "uint8", channels)
    options = {"tile_grid_size": grid, "clip_limit": 3.0}
    expected = reference.notebook_chain(image, channel_order="rgb", **options)
    assert_same_image(cxe.enhance(image, cxe.EnhanceParams(**options)), expected)
    if channels:
        equal = np.dstack([image[..., 0]] * 3)
        expected = reference.notebook_chain(equal, channel_order="rgb", **options)
        assert_same_image(cxe.enhance(equal, cxe.EnhanceParams(**options)), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [None, 3])
def test_enhance_equals_the_notebook_chain_on_a_real_size_image(kind, channels):
    image = make_image("radiograph", 1201, 1009, kind, channels)
    params = cxe.EnhanceParams(num_bins=None)
    assert_same_image(cxe.enhance(image, params), reference.notebook_chain(image))


def test_enhance_equals_the_notebook_chain_on_three_equal_channels():
    """As a gray radiograph read in colour has them: a likely case for a shortcut."""
    gray = make_image("radiograph", 259, 251)
    image = np.repeat(gray[..., np.newaxis], 3, axis=2)
    assert_same_image(cxe.enhance(image), reference.notebook_chain(image))
    image[200, 100, 2] ^= 1  # equal but for one pixel
    assert_same_image(cxe.enhance(image), reference.notebook_chain(image))


@pytest.mark.parametrize("constant", [(0, 1, 2), (0,), (1,), (2,), (0, 2)])
@pytest.mark.parametrize("value", [0, 77, 255])
def test_enhance_leaves_constant_channels_to_the_later_steps(constant, value):
    image = make_image("noise", 45, 52, channels=3)
    image[..., constant] = value
    assert_same_image(cxe.enhance(image), reference.notebook_chain(image))


@pytest.mark.real_images
def test_enhance_equals_the_notebook_chain_on_real_radiographs():
    """On each decodable file below the folders that CXR_REAL_IMAGES names."""
    import os
    from pathlib import Path

    import cv2

    seen = 0
    folders = os.environ["CXR_REAL_IMAGES"].split(os.pathsep)
    for path in (path for folder in folders for path in sorted(Path(folder).rglob("*"))):
        if not path.is_file():
            continue
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
        if image is None or image.dtype not in (np.uint8, np.uint16):
            continue
        for channel_order in CHANNEL_ORDERS:
            expected = reference.notebook_chain(image, channel_order=channel_order)
            params = cxe.EnhanceParams(channel_order=channel_order, num_bins=None)
            actual = cxe.enhance(image, params)
            assert_same_image(actual, expected)
        seen += 1
    assert seen > 0


ORACLE_SIZES = [(1, 1), (1, 23), (3, 5), (37, 53), (64, 48)]


@pytest.mark.parametrize("size", ORACLE_SIZES, ids=lambda size: "h{}w{}".format(*size))
@pytest.mark.parametrize("grid", [(1, 1), (4, 7), (16, 4), (8, 8)])
def test_opencv_and_the_numpy_twin_agree_on_clahe(size, grid):
    for content, kind, clip in itertools.product(CONTENTS, ("uint8", "uint16-12bit"), (0.0, 2.0)):
        image = shared_image(content, size, kind)
        assert_same_image(reference.clahe(image, clip, grid), opencv_clahe(image, clip, grid))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channel_order", CHANNEL_ORDERS)
def test_opencv_and_the_numpy_twins_agree_on_gray_and_the_chain(kind, channel_order):
    for size, content in itertools.product(ORACLE_SIZES, CONTENTS):
        image = shared_image(content, size, kind, 3)
        twin = reference.rgb_to_gray(image, channel_order)
        assert_same_image(twin, opencv_gray(image, channel_order))
        twin = reference.enhance(
            image, tile_grid_size=(4, 7), channel_order=channel_order, num_bins=None
        )
        expected = reference.notebook_chain(image, 2.0, (4, 7), channel_order=channel_order)
        assert_same_image(twin, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percentiles", PERCENTILES, ids=lambda pair: "q{:g}-{:g}".format(*pair))
def test_percentiles_of_the_histogram_are_those_of_numpy(kind, percentiles):
    for size, content in itertools.product(ORACLE_SIZES, CONTENTS):
        image = shared_image(content, size, kind, 3)
        expected = reference.white_balance(image, percentiles)
        assert_same_image(reference.white_balance_from_histogram(image, percentiles), expected)
