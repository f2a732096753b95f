"""The code of docs/python.md runs from top to bottom, in one process and an empty folder."""

import importlib.util
import re

import pytest

from tests.helpers.fresh_process import ROOT, run_code

PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python(?: needs=(\S+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_code_of_the_page_runs(tmp_path):
    for package in ("tensorflow", "sklearn"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
    code = [code for needs, code in BLOCKS if not needs or importlib.util.find_spec(needs)]
    assert len(BLOCKS) == PAGE.count("```python") >= 7
    said = run_code("\n".join(code), cwd=tmp_path).stdout
    assert "('covid', 'normal')" in said
    assert "<Run 'runs/small': small, multiclass covid, normal, not calibrated>" in said
    assert (tmp_path / "small.keras").is_file()
    assert (tmp_path / "runs/small/evaluation/audit.json").is_file()
