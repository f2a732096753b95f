import numpy as np
import pytest

from cxr_enhance import white_balance
from cxr_models.records.duplicates import near_pairs, perceptual_hash, pixel_digest
from tests.helpers.radiographs import draw, random_hashes


def distance(one, other):
    return int(np.bitwise_count(perceptual_hash(one) ^ perceptual_hash(other)).sum())


def all_near_pairs(hashes, max_distance):
    """Compare pair by pair, with Python's integers."""
    words = [[int(word) for word in row] for row in hashes]
    return [
        [i, j]
        for i in range(len(words))
        for j in range(i + 1, len(words))
        if sum((a ^ b).bit_count() for a, b in zip(words[i], words[j], strict=True)) <= max_distance
    ]


def test_digest_tells_pixels_and_shape_not_the_container():
    image = draw(1)
    assert pixel_digest(image) == pixel_digest(np.dstack([image] * 3))
    assert pixel_digest(image) != pixel_digest(image.T)
    changed = image.copy()
    changed[3, 4] ^= 1
    assert pixel_digest(image) != pixel_digest(changed)


def test_same_radiograph_made_smaller_brighter_or_stretched_is_near():
    image = draw(2, 256)
    half = image.reshape(128, 2, 132, 2).mean(axis=(1, 3)).astype(np.uint8)
    brighter = (image.astype(np.float64) * 0.6 + 60).astype(np.uint8)
    for other in (half, brighter, white_balance(image)):
        assert distance(image, other) <= 32


def test_other_radiographs_and_mirrored_ones_are_far():
    image = draw(3, 256)
    assert distance(image, np.ascontiguousarray(image[:, ::-1])) > 60
    assert min(distance(image, draw(seed, 256)) for seed in range(4, 12)) > 32


def test_images_smaller_than_the_hash_grid_are_hashed():
    image = draw(5, 9)[:8, :16]
    cells = image.repeat(4, axis=0).repeat(2, axis=1)  # 32 x 32
    assert perceptual_hash(image).tolist() == perceptual_hash(cells).tolist() != [0, 0, 0, 0]
    assert perceptual_hash(np.array([[7]], np.uint8)).tolist() == [0, 0, 0, 0]


def test_near_pairs_equal_a_slow_comparison_of_all(rng):
    hashes = random_hashes(rng, 300)
    hashes[200] = hashes[3] ^ np.uint64(0b1011)
    hashes[299] = hashes[4]
    for max_distance in (0, 12, 40, 100):
        expected = all_near_pairs(hashes, max_distance)
        assert near_pairs(hashes, max_distance=max_distance).tolist() == expected


def test_near_pairs_are_found_across_tiles(rng):
    hashes = random_hashes(rng, 3000)
    hashes[2999] = hashes[0]
    assert near_pairs(hashes).tolist() == [[0, 2999]]


def test_near_pairs_of_two_sets_equal_a_slow_comparison_of_all(rng):
    hashes, others = random_hashes(rng, 200), random_hashes(rng, 1500)
    others[1400] = hashes[150] ^ np.uint64(1)
    others[3] = hashes[199]
    for max_distance in (12, 100):
        expected = [
            [i, j]
            for i, one in enumerate(hashes)
            for j, other in enumerate(others)
            if int(np.bitwise_count(one ^ other).sum()) <= max_distance
        ]
        assert near_pairs(hashes, others, max_distance=max_distance).tolist() == expected
    assert near_pairs(hashes[:0], others).tolist() == near_pairs(hashes, others[:0]).tolist() == []


@pytest.mark.parametrize(
    ("hashes", "error", "sentence"),
    [
        (np.zeros((2, 4), np.int64), TypeError, "`hashes` must have dtype uint64; got int64"),
        (np.zeros((2, 3), np.uint64), ValueError, r"must have shape \(N, 4\); got \(2, 3\)"),
    ],
)
def test_rejects_other_hashes(hashes, error, sentence):
    with pytest.raises(error, match=sentence):
        near_pairs(hashes)
