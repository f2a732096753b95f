"""What a type checker makes of a program that uses the package."""

from __future__ import annotations

import re

import pytest

from tests.helpers.fresh_process import ROOT, run_module

PROGRAM = """
import numpy as np
import numpy.typing as npt
import cxr_enhance as cxe


def prepared(image: npt.NDArray[np.uint16]) -> int:
    reveal_type(cxe.enhance(image, cxe.EnhanceParams(bits=12)))
    reveal_type(cxe.Preparation())
    reveal_type(cxe.read_image("a.png"))
    reveal_type(cxe.io.read_image("a.png"))
    cxe.enhence(image)
    return cxe.usable_cpus()
"""


@pytest.mark.slow
def test_names_have_their_types_and_a_misspelt_one_is_an_error(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    options = ("--strict", "--config-file=", f"--cache-dir={tmp_path}", "--no-error-summary")
    done = run_module(
        "mypy", *options, "program.py", cwd=tmp_path, env={"MYPYPATH": ROOT}, status=1
    )
    lines = done.stdout.splitlines()
    array = "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.unsignedinteger[Any]]]"
    assert [re.sub(r"^program.py:\d+: |; maybe .*", "", line) for line in lines] == [
        f'note: Revealed type is "{array}"',
        'note: Revealed type is "cxr_enhance.preparation.options.Preparation"',
        f'note: Revealed type is "{array}"',
        f'note: Revealed type is "{array}"',
        'error: Module has no attribute "enhence"',
    ]
