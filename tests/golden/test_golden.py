"""The package against stored results of OpenCV and NumPy; runs where OpenCV is not installed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.golden import generate
from tests.helpers import images
from tests.helpers.compare import assert_same_image

MANIFEST = json.loads(generate.MANIFEST.read_text())


def is_fast_in_plain_python(case):
    """Whether a case has few pixels, tiles and levels, at about a microsecond each."""
    pixels = case["input"]["height"] * case["input"]["width"]
    if case["input"]["kind"] == "uint8" or case["function"] == "rgb_to_gray":
        return pixels <= 48 * 64
    return case["function"] == "clahe" and case["input"]["kind"] == "uint16-12bit" and pixels < 50


CASES = [
    pytest.param(
        case,
        id=case["name"],
        marks=[pytest.mark.nojit] if is_fast_in_plain_python(case) else [],
    )
    for case in MANIFEST["cases"]
]


@pytest.fixture(scope="module")
def stored_arrays():
    with np.load(generate.ARRAYS) as arrays:
        return dict(arrays)


def make_input(case):
    source = {key: value for key, value in case["input"].items() if key != "sha256"}
    return images.make_image(**source)


def run_package(case, image):
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in case["params"].items()}
    if case["function"] == "enhance":
        return cxe.enhance(image, cxe.EnhanceParams.from_dict(options))
    return getattr(cxe, case["function"])(image, **options)


@pytest.mark.parametrize("case", CASES)
def test_the_package_gives_the_stored_bytes(case, stored_arrays):
    image = make_input(case)
    assert generate.digest(image) == case["input"]["sha256"], "the test image itself has changed"
    result = run_package(case, image)
    if case["stored"]:
        assert_same_image(result, stored_arrays[case["name"]])
    assert (list(result.shape), result.dtype.name) == (case["shape"], case["dtype"])
    assert generate.digest(result) == case["sha256"]


def test_stored_arrays_are_those_of_the_manifest(stored_arrays):
    hashes = {case["name"]: case["sha256"] for case in MANIFEST["cases"] if case["stored"]}
    assert {name: generate.digest(array) for name, array in stored_arrays.items()} == hashes


def test_golden_files_stay_small():
    assert generate.MANIFEST.stat().st_size + generate.ARRAYS.stat().st_size < 1_500_000


@pytest.mark.opencv
def test_installed_opencv_still_gives_the_stored_results():
    import cv2

    differing = []
    has_bit_shift = hasattr(cv2.createCLAHE(), "setBitShift")
    stored = {case["name"]: case["sha256"] for case in MANIFEST["cases"]}
    for function, source, options in generate.cases():
        if "bit_shift" in options and not has_bit_shift:
            continue
        name = generate.case_name(function, source, options)
        result = generate.oracle(function, images.make_image(**source), options)
        if generate.digest(result) != stored[name]:
            differing.append(name)
    assert differing == []
