"""The README's Python lines run as they stand, and the docs name functions that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.opencv
def test_the_lines_of_python_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = synthetic_radiograph(160, 144)
    cxe.write_image("chest.png", image)
    lines = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert lines is not None
    exec(lines.group(1), {})
    written = cxe.read_image("enhanced.png")
    np.testing.assert_array_equal(written, cxe.enhance(image))


def test_every_kernel_named_in_the_table_of_roundings_exists():
    text = (REPOSITORY / "docs" / "bit-exactness.md").read_text(encoding="utf-8")
    names = re.findall(r"`([a-z_0-9]+)\.([a-z_0-9]+)`", text.split("## CLAHE step by step")[1])
    assert len(names) >= 8
    for module, function in names:
        kernels = importlib.import_module(f"cxr_enhance._kernels.{module}")
        assert hasattr(kernels, function), f"{module}.{function}"
