"""Self-check: compare results computed on this machine with stored digests.

The check needs neither OpenCV nor the tests. The expected digests in ``_golden/self_check.json``
were computed with OpenCV and NumPy alone. For operations that OpenCV does not have, they were
computed with a slow reference implementation. Digests of the inputs are stored too. They show
whether the synthetic input or the enhancement differs on this machine.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cxr_enhance._enhance import enhance
from cxr_enhance._params import EnhanceParams
from cxr_enhance.synthetic import synthetic_radiograph

if TYPE_CHECKING:
    from cxr_enhance._types import Image

Verdict = Literal["same", "input differs", "result differs", "error"]


class CheckResult(NamedTuple):
    """The result of one stored case; `detail` is empty where `verdict` is "same"."""

    name: str
    verdict: Verdict
    detail: str


def run_self_check() -> list[CheckResult]:
    """Enhance every stored case and compare digests.

    Returns
    -------
    list of CheckResult
        One result for each case, in the stored order.
    """
    return [_check(case) for case in stored_cases()]


def stored_cases() -> list[dict[str, Any]]:
    """Return the stored cases, which are part of the package."""
    file = importlib.resources.files("cxr_enhance") / "_golden" / "self_check.json"
    cases: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["cases"]
    return cases


def make_input(spec: dict[str, Any]) -> Image:
    """Draw the input that `spec` describes.

    `spec` holds ``content`` ("radiograph" or "pattern"), ``height``, ``width``, ``bits``, ``seed``
    and ``channels`` (1, or 3 for an RGB image whose channels differ).
    """
    height, width, bits, seed = (spec[name] for name in ("height", "width", "bits", "seed"))
    if spec["content"] == "radiograph":
        image = synthetic_radiograph(height, width, seed=seed, bits=bits)
    else:
        image = _pattern(height, width, bits, seed)
    if spec["channels"] == 1:
        return image
    wide = image.astype(np.int64)
    largest = 2**bits - 1
    tinted = np.stack([wide, wide * 7 // 8 + largest // 16, wide * 3 // 4], axis=-1)
    return tinted.astype(image.dtype)


def digest(image: Image) -> str:
    """Return the SHA-256, in hexadecimal, of dtype, shape and little-endian pixels."""
    little = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("<"))
    head = f"{image.dtype.name} {'x'.join(map(str, image.shape))}\n"
    return hashlib.sha256(head.encode() + little.tobytes()).hexdigest()


def _pattern(height: int, width: int, bits: int, seed: int) -> Image:
    """Return pseudo-random gray levels, computed with integer arithmetic only."""
    index = np.arange(height * width, dtype=np.uint64).reshape(height, width)
    mixed = (index * np.uint64(2_654_435_761) + np.uint64(seed)) % np.uint64(2**32)
    mixed = (mixed >> np.uint64(9)) ^ mixed
    ramp = index * np.uint64(2**bits) // np.uint64(height * width)
    levels = (ramp + mixed % np.uint64(2 ** (bits - 2))) % np.uint64(2**bits)
    return levels.astype(np.uint8 if bits == 8 else np.uint16)


def _check(case: dict[str, Any]) -> CheckResult:
    name = case["name"]
    try:
        image = make_input(case["input"])
        if digest(image) != case["input_sha256"]:
            return CheckResult(name, "input differs", "its input is drawn differently here")
        result = enhance(image, EnhanceParams.from_dict(case["params"]))
        if digest(result) != case["output_sha256"]:
            return CheckResult(name, "result differs", "other bytes than those stored")
    except Exception as error:  # every failure becomes a line of the report
        return CheckResult(name, "error", f"{type(error).__name__}: {error}")
    return CheckResult(name, "same", "")
