"""Golden results by OpenCV and NumPy alone: ``python -m tests.golden.generate [--check]``.

Writes ``manifest.json`` (one entry a case: how its input is made, options, shape, dtype, sha256 of
input and result) and ``arrays.npz`` (the small results, to look at when a hash differs). A result
is hashed as C-contiguous little-endian bytes. Run by hand, in a commit of its own, and only when a
case is added: a changed hash means changed output bytes. Needs OpenCV >= 4.13 for ``setBitShift``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from tests import reference
from tests.helpers import images

FOLDER = Path(__file__).parent
MANIFEST = FOLDER / "manifest.json"
ARRAYS = FOLDER / "arrays.npz"
LARGEST_STORED = 12_000  # bytes; of larger results only the hash is kept

# (height, width, (columns, rows), clip limit): all cases of padding, and 224 x 224 as studied.
CLAHE_FORMS = [
    (1, 1, (8, 8), 2.0),
    (1, 37, (4, 7), 3.7),
    (5, 3, (16, 4), 0.0),
    (48, 64, (8, 8), 2.0),
    (67, 71, (16, 4), 40.0),
    (64, 50, (4, 7), 0.5),
    (224, 224, (16, 16), 2.0),
]
PERCENTILES = [(0.05, 99.95), (0.0, 100.0), (2.0, 98.0), (0.0, 0.01), (100 / 3, 200 / 3)]
BIT_SHIFTS = [("uint8", 3), ("uint16-12bit", 4), ("uint16", 6)]


def cases():
    """Yield (function name, input, options) of every golden case."""
    for content in images.CONTENTS:
        for kind in images.KINDS:
            for number, (height, width, grid, clip) in enumerate(CLAHE_FORMS):
                source = {"content": content, "height": height, "width": width, "kind": kind}
                source |= {"channels": None, "seed": number}
                yield "clahe", source, {"clip_limit": clip, "tile_grid_size": grid}
            for number, percentiles in enumerate(PERCENTILES):
                source = {"content": content, "height": 31 + number, "width": 45, "kind": kind}
                source |= {"channels": 3 if number % 2 else None, "seed": number}
                yield "white_balance", source, {"percentiles": percentiles}
            for order in ("rgb", "bgr"):
                source = {"content": content, "height": 33, "width": 47, "kind": kind}
                source |= {"channels": 3, "seed": 11}
                yield "rgb_to_gray", source, {"channel_order": order}
                source = source | {"height": 150, "width": 131}
                options = {"channel_order": order, "tile_grid_size": (8, 4)}
                yield "enhance", source, {"clip_limit": 2.0, **options}
    for kind, bit_shift in BIT_SHIFTS:
        source = {"content": "radiograph", "height": 67, "width": 71, "kind": kind}
        source |= {"channels": None, "seed": 5}
        options = {"clip_limit": 2.0, "tile_grid_size": (4, 7), "bit_shift": bit_shift}
        yield "clahe", source, options
    source = {"content": "radiograph", "height": 1001, "width": 777, "kind": "uint8"}
    source |= {"channels": 3, "seed": 2}
    options = {"channel_order": "rgb", "clip_limit": 2.0, "tile_grid_size": (16, 16)}
    yield "enhance", source, options


def oracle(function, image, options):
    """Compute the golden result with cv2 and NumPy."""
    import cv2

    if function == "white_balance":
        return reference.white_balance(image, options["percentiles"])
    if function == "rgb_to_gray":
        name = options["channel_order"].upper()
        return cv2.cvtColor(image, getattr(cv2, f"COLOR_{name}2GRAY"))
    if function == "enhance":
        return reference.notebook_chain(image, **options)
    engine = cv2.createCLAHE(options["clip_limit"], options["tile_grid_size"])
    if "bit_shift" in options:
        engine.setBitShift(options["bit_shift"])
    return engine.apply(image)


def case_name(function, source, options):
    """Name a case by everything that makes it."""
    size = f"h{source['height']}w{source['width']}" + (
        f"c{source['channels']}" * bool(source["channels"])
    )
    values = []
    for key, value in options.items():
        value = "x".join(f"{v:g}" for v in value) if isinstance(value, tuple | list) else value
        values.append(f"{key.split('_')[0]}{value}")
    return "-".join([function, size, *values, source["content"], source["kind"]])


def digest(array):
    """Hash an array's pixels as C-contiguous little-endian bytes."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def build():
    """Compute all cases; return the manifest's entries and the small results by name."""
    entries, arrays = [], {}
    for function, source, options in cases():
        image = images.make_image(**source)
        result = oracle(function, image, options)
        name = case_name(function, source, options)
        if result.nbytes <= LARGEST_STORED:
            arrays[name] = result
        entries.append(
            {
                "name": name,
                "function": function,
                "input": {**source, "sha256": digest(image)},
                "params": options,
                "shape": list(result.shape),
                "dtype": result.dtype.name,
                "sha256": digest(result),
                "stored": name in arrays,
            }
        )
    names = [entry["name"] for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("two golden cases have one name")
    return json.loads(json.dumps(entries)), arrays


def main(arguments):
    """Write the golden files, or with ``--check`` compare them; return the exit code."""
    import cv2

    entries, arrays = build()
    if arguments == ["--check"]:
        equal = json.loads(MANIFEST.read_text())["cases"] == entries
        sys.stdout.write(f"{len(entries)} cases {'equal' if equal else 'DIFFER'}\n")
        return 0 if equal else 1
    versions = {"opencv": cv2.__version__, "numpy": np.__version__}
    lines = ",\n".join(
        json.dumps(entry) for entry in entries
    )  # one case a line: diffs stay readable
    MANIFEST.write_text(f'{{"made_with": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n')
    np.savez_compressed(ARRAYS, **arrays)
    size = MANIFEST.stat().st_size + ARRAYS.stat().st_size
    sys.stdout.write(f"{len(entries)} cases, {len(arrays)} stored, {size / 1e6:.2f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
