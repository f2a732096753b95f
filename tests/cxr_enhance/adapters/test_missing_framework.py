"""Without its framework an adapter says what to install; the library itself loads none."""

from __future__ import annotations

import pytest

from tests.helpers.fresh_process import run_fresh

ADAPTERS = {
    "tf_data": ("tensorflow", "tf"),
    "keras_layers": ("keras", "tf"),
    "torch_transform": ("torch", "torch"),
    "albumentations_transform": ("albumentations", "albumentations"),
    "monai_transform": ("monai", "monai"),
}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_missing_framework_is_named_with_the_command_that_installs_it(adapter):
    framework, extra = ADAPTERS[adapter]
    said = run_fresh(
        f"""
        try:
            import cxr_enhance.adapters.{adapter}
        except ImportError as error:
            print(error)
        """,
        without=[framework],
    )
    assert said == (
        f"{framework} is needed for cxr_enhance.adapters.{adapter}. "
        f'Install it with: pip install "cxr-enhance[{extra}]"'
    )


def test_importing_the_adapters_package_loads_no_framework():
    said = run_fresh(
        """
        import cxr_enhance.adapters
        print([name for name in ("tensorflow", "keras", "torch", "albumentations", "monai", "cv2")
               if name in sys.modules])
        """
    )
    assert said == "[]"
