"""What the archive stands on is loaded when it is used, and not before."""

from __future__ import annotations

import sys

import pytest

from tests.helpers.fresh_process import run_code


@pytest.mark.parametrize("module", ["cxr_enhance", "cxr_enhance.archive.run", "cxr_enhance.io"])
def test_importing_loads_neither_opencv_nor_pydicom_nor_dask(module):
    code = f"import sys, {module}; print(sorted({{'cv2', 'pydicom', 'dask'}} & set(sys.modules)))"
    assert run_code(code).stdout == "[]\n"


def test_missing_dask_names_the_pip_line(run, tmp_path, monkeypatch):
    pytest.importorskip("cv2")
    pytest.importorskip("typer")
    monkeypatch.setitem(sys.modules, "distributed", None)
    status, _, err = run(tmp_path, "--out", tmp_path / "out", "--engine", "dask")
    assert status == 1
    assert (
        'distributed is needed for --engine dask. Install it with: pip install "cxr-enhance[' in err
    )
