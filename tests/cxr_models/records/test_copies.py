import cv2
import numpy as np
import pytest

from cxr_models.records.copies import KINDS, Copy, find_copies
from cxr_models.records.fingerprints import Fingerprint, fingerprint
from tests.helpers.radiographs import random_hashes

MIRRORED = sum(1 << bit for bit in range(0, 64, 2))
ALL = 2**64 - 1
MASKS = {"near": 0, "mirrored": MIRRORED, "inverted": ALL, "mirrored and inverted": ALL ^ MIRRORED}


def slow_copies(images, others, max_distance):
    """Compare every pair in every way, with Python's integers."""
    found = []
    for first, one in enumerate(images):
        for second, other in enumerate(images if others is None else others):
            if others is None and second <= first:
                continue
            if one.pixels == other.pixels:
                found.append(Copy(first, second, "equal", 0))
                continue
            for form, x, y in (
                ("", one.whole, other.whole),
                ("padded", *(p.trimmed for p in (one, other))),
            ):
                ways = [
                    (
                        sum(
                            (int(a) ^ int(b) ^ mask).bit_count() for a, b in zip(x, y, strict=True)
                        ),
                        kind,
                    )
                    for kind, mask in MASKS.items()
                ]
                bits, kind = min(ways, key=lambda way: way[0])
                if x.any() and y.any() and bits <= max_distance:
                    kind = form if form and kind == "near" else f"{form}, {kind}" if form else kind
                    found.append(Copy(first, second, kind, bits))
                    break
    return found


def random_fingerprints(rng, count):
    pixels = rng.integers(0, 40, count)
    whole, trimmed = random_hashes(rng, count), random_hashes(rng, count)
    whole[5] = trimmed[6] = 0
    for number, mask in enumerate(MASKS.values()):
        whole[30 + number] = whole[20] ^ np.uint64(mask) ^ np.uint64(number)
        trimmed[40 + number] = trimmed[21] ^ np.uint64(mask)
    return [Fingerprint(str(p), w, t) for p, w, t in zip(pixels, whole, trimmed, strict=True)]


@pytest.mark.parametrize("max_distance", [0, 32, 100])
def test_copies_equal_a_slow_comparison_of_all_pairs(rng, max_distance):
    images, others = random_fingerprints(rng, 60), random_fingerprints(rng, 50)
    within = find_copies(images, max_distance=max_distance)
    assert within == slow_copies(images, None, max_distance)
    between = find_copies(images, others, max_distance=max_distance)
    assert between == slow_copies(images, others, max_distance)
    assert {copy.kind for copy in (*within, *between)} <= set(KINDS)


def jpeg(image, quality):
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)


COPIES = {
    "equal": lambda image: image.copy(),
    "near": lambda image: jpeg(image, 40),
    "mirrored": lambda image: jpeg(image[:, ::-1], 70),
    "inverted": lambda image: jpeg(255 - image, 70),
    "mirrored and inverted": lambda image: 255 - image[:, ::-1],
    "padded": lambda image: jpeg(np.pad(image, 30, constant_values=200), 80),
    "padded, mirrored": lambda image: np.pad(image[:, ::-1], ((0, 0), (40, 40))),
    "padded, inverted": lambda image: np.pad(255 - image, ((25, 0), (0, 50))),
    "padded, mirrored and inverted": lambda image: np.pad(255 - image[:, ::-1], 20),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_made_by_hand_is_found_and_no_other_image(kind, rng):
    # Drawn chests are too alike, and too much like their mirror images.
    small = rng.integers(0, 256, (3, 16, 16)).astype(np.uint8)
    images = [cv2.resize(one, (250, 260), interpolation=cv2.INTER_CUBIC) for one in small]
    copy = np.ascontiguousarray(COPIES[kind](images[1]))
    found = find_copies([fingerprint(image) for image in images], [fingerprint(copy)])
    assert [(one.first, one.second, one.kind) for one in found] == [(1, 0, kind)]


def test_constant_images_are_no_near_copies_of_each_other():
    constant = [fingerprint(np.full((9, 9), value, np.uint8)) for value in (3, 4, 3)]
    assert find_copies(constant) == [Copy(0, 2, "equal", 0)]
    assert find_copies([]) == find_copies([], constant) == find_copies(constant, []) == []
