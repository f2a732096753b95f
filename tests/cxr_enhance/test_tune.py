import tomllib

import numpy as np
import pytest

import cxr_enhance as cxe
from tests.helpers.fresh_process import ROOT, run_code


def test_importing_the_package_loads_neither_panel_nor_the_page():
    code = (
        "import cxr_enhance; print([name for name in sys.modules if name.split('.')[0] in"
        " ('panel', 'bokeh', 'tornado') or name.startswith('cxr_enhance.tuner')])"
    )
    assert run_code(code).stdout == "[]\n"


def test_without_panel_a_cure_is_said_that_brings_no_second_opencv():
    code = """
        import numpy as np, cxr_enhance
        try:
            cxr_enhance.tune(np.zeros((4, 4), np.uint8))
        except ImportError as error:
            print(error)
    """
    said = run_code(code, without=("panel",)).stdout
    assert said == (
        'panel is needed to tune parameters. Install it with: pip install "panel>=1.9"\n'
    )
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "panel>=1.9" in extras["optional-dependencies"]["tune"]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ([[1]], TypeError, "`image` must be a NumPy array; got list"),
        ([np.zeros((4, 4))], TypeError, "`image` must have dtype uint8"),
        ([np.zeros(4, np.uint8)], ValueError, "`image` must have shape"),
        ([np.zeros((4, 4), np.uint8), {}], TypeError, "`params` must be an EnhanceParams or None"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_panel_is_loaded(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        cxe.tune(*arguments)
