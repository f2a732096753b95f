"""The code of pages for users of OpenCV runs, block by block, where its libraries are installed."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.helpers.fresh_process import ROOT, run_code

PAGES = {
    name: (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("from-opencv.md", "sixteen-bit.md")
}
BLOCKS = [
    pytest.param(needs.split(","), code, id=f"{name}-{needs}")
    for name, page in PAGES.items()
    for needs, code in re.findall(
        r"^```python needs=(\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize(("needs", "code"), BLOCKS)
def test_a_block_of_the_page_runs(needs, code):
    for package in needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}, one of the libraries that the page compares with")
    run_code(code, env={"NO_ALBUMENTATIONS_UPDATE": "1"})


def test_every_python_block_says_what_it_needs():
    assert len(BLOCKS) == sum(page.count("```python") for page in PAGES.values())
    assert len(BLOCKS) == 7
