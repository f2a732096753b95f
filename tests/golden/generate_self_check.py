"""Write the cases of the self-check that is shipped in the package.

Run by hand, ``python -m tests.golden.generate_self_check``, where a change of output bytes is
meant. The expected results come from OpenCV and NumPy alone (`tests.reference.notebook_chain`);
with fewer bins than values, which OpenCV has not, from the slow twin (`tests.reference.enhance`).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import cxr_enhance._self_check as self_check
from tests.reference import enhance, notebook_chain

PATH = Path(self_check.__file__).parent / "_golden" / "self_check.json"

# content, height, width, bits, channels, clip limit, grid (columns, rows), low percentile
CASES = (
    ("radiograph", 224, 224, 8, 1, 2.0, (16, 16), 0.05),
    ("radiograph", 224, 224, 8, 3, 2.0, (16, 16), 0.05),
    ("radiograph", 512, 420, 8, 1, 2.0, (16, 16), 0.05),
    ("radiograph", 257, 511, 8, 3, 3.7, (4, 7), 0.5),
    ("radiograph", 300, 251, 12, 1, 2.0, (16, 16), 0.05),
    ("radiograph", 256, 256, 16, 1, 40.0, (8, 8), 0.05),
    ("radiograph", 131, 97, 16, 3, 0.5, (8, 8), 1.0),
    ("pattern", 128, 128, 8, 1, 2.0, (8, 8), 0.05),
    ("pattern", 129, 128, 8, 1, 300.0, (16, 4), 0.05),
    ("pattern", 67, 71, 8, 3, 0.0, (8, 8), 2.0),
    ("pattern", 37, 53, 8, 1, 0.01, (8, 64), 0.05),
    ("pattern", 3, 5, 8, 1, 2.0, (8, 8), 0.05),
    ("pattern", 1, 17, 8, 3, 2.0, (2, 3), 0.05),
    ("pattern", 100, 77, 12, 1, 5.0, (4, 7), 0.05),
    ("pattern", 64, 96, 16, 3, 62.0, (8, 8), 0.05),
)
# The same, and the number of bins and of bits.
CASES_OF_BINS = (
    ("radiograph", 256, 211, 16, 1, 2.0, (16, 16), 0.05, 256, None),
    ("radiograph", 131, 97, 12, 3, 2.0, (8, 8), 0.05, 256, 12),
    ("pattern", 67, 71, 16, 1, 5.0, (4, 7), 1.0, 1000, None),
)


def build():
    """Compute every case; returns the content of the file."""
    import cv2

    rows = [(*row, None, None) for row in CASES]
    cases = [_case(seed, *row) for seed, row in enumerate((*rows, *CASES_OF_BINS))]
    made_with = {"opencv": cv2.__version__, "numpy": np.__version__}
    return {"made_with": made_with, "cases": cases}


def _case(seed, content, height, width, bits, channels, clip_limit, grid, low, num_bins, depth):
    spec = {
        "content": content,
        "height": height,
        "width": width,
        "bits": bits,
        "channels": channels,
        "seed": seed,
    }
    params = {
        "percentiles": [low, 100.0 - low],
        "clip_limit": clip_limit,
        "tile_grid_size": list(grid),
    }
    name = (
        f"{content}-h{height}w{width}-{bits}bit-{channels}ch"
        f"-clip{clip_limit:g}-grid{grid[0]}x{grid[1]}"
    )
    image = self_check.make_input(spec)
    if num_bins is None:
        # The reference names the order of what it is given; cv2 needs a copy of its own.
        result = notebook_chain(image.copy(), clip_limit, grid, low, "rgb")
    else:
        cuts = (low, 100.0 - low)
        result = enhance(image, cuts, clip_limit, grid, num_bins=num_bins, bits=depth)
        params |= {"num_bins": num_bins, "bits": depth}
        name += f"-bins{num_bins}"
    return {
        "name": name,
        "input": spec,
        "input_sha256": self_check.digest(image),
        "params": params,
        "output_sha256": self_check.digest(result),
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(build(), indent=1) + "\n", encoding="utf-8")
