"""The code of docs/adapters.md runs, block by block, where its framework is installed."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.helpers.fresh_process import ROOT, run_code

PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
BLOCKS = [
    pytest.param(needs.split(","), code, id=f"{section.splitlines()[0]}-{number}")
    for section in SECTIONS
    for number, (needs, code) in enumerate(
        re.findall(r"^```python needs=(\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL), 1
    )
]


@pytest.mark.parametrize(("needs", "code"), BLOCKS)
def test_a_block_of_the_page_runs(needs, code):
    for package in needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}; the table at the head of docs/adapters.md says how")
    run_code(code)


def test_every_python_block_says_what_it_needs():
    assert len(BLOCKS) == PAGE.count("```python")
    assert len(BLOCKS) >= 8
