"""The folder of adapters: nothing is loaded before it is asked for, and all keep the contract."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

import cxr_enhance.adapters
from tests.helpers.fresh_process import run_code

ADAPTERS = [
    module.name
    for module in pkgutil.iter_modules(cxr_enhance.adapters.__path__)
    if not module.name.startswith("_") and module.name != "exit_guard"
]


def test_importing_the_package_loads_no_framework():
    done = run_code(
        """
        import cxr_enhance.adapters
        print([name for name in ("tensorflow", "keras", "torch", "albumentations", "monai", "cv2")
               if name in sys.modules])
        """
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_adapter_is_tested_by_the_contract(adapter):
    tests = Path(__file__).with_name(f"test_{adapter}.py").read_text()
    assert re.search(r"^class TestContract\(AdapterContract\b", tests, re.MULTILINE)
    assert f'adapter, framework, extra = "{adapter}", ' in tests
