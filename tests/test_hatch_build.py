"""How a wheel is built: with the kernels' code where that can be, and in any case built."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("hatchling", reason="hatchling, of the extra dev, is not installed")

ROOT = Path(__file__).parent.parent


@pytest.fixture
def hatch_build(monkeypatch):
    """Load the build's own module, from the root of the repository."""
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("CXR_ENHANCE_PACK", raising=False)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built(hatch_build, version="standard"):
    """Let the hook prepare a wheel; give what it adds to it and what it warns of."""
    warnings, data = [], {"force_include": {}}
    app = SimpleNamespace(display_warning=warnings.append)
    hook = hatch_build.PackMachineCode(str(ROOT), {}, None, None, "", "wheel", app)
    hook.initialize(version, data)
    hook.finalize(version, data, "")
    return data["force_include"], warnings


def test_what_is_compiled_is_packed_under_its_key(hatch_build, monkeypatch):
    monkeypatch.setattr(hatch_build, "_compile", lambda root, cache: cache / "cxr-enhance" / "key")
    added, warnings = built(hatch_build)
    assert list(added.values()) == ["cxr_enhance/_compiled/key"]
    assert warnings == []


@pytest.mark.parametrize(
    "name", ["RuntimeError", "OSError", "subprocess.TimeoutExpired", "subprocess.SubprocessError"]
)
def test_kernels_that_cannot_be_compiled_cost_a_warning_and_no_installation(
    hatch_build, monkeypatch, name
):
    kind = eval(name, vars(hatch_build))
    error = kind("python", 1)

    def fail(*_):
        raise error

    monkeypatch.setattr(hatch_build, "_compile", fail)
    added, (warning,) = built(hatch_build)
    assert added == {}
    assert warning == f"cxr-enhance: kernels are compiled when first used: {error}"


def test_a_process_that_fails_to_compile_is_told_by_its_last_line(hatch_build, tmp_path):
    (tmp_path / "cxr_enhance.py").write_text("raise OSError('a broken\\nkernel')")
    with pytest.raises(RuntimeError, match=r"^kernel$"):
        hatch_build._compile(tmp_path, tmp_path / "cache")


def test_editable_installs_and_those_that_want_no_code_compile_nothing(hatch_build, monkeypatch):
    monkeypatch.setattr(hatch_build, "_compile", None)
    assert built(hatch_build, "editable") == ({}, [])
    monkeypatch.setenv("CXR_ENHANCE_PACK", "0")
    assert built(hatch_build) == ({}, [])


def test_a_wheel_needs_numba_to_be_built_only_where_code_is_packed(hatch_build, monkeypatch):
    def names(required):
        return {line.partition(">")[0] for line in required}

    assert names(hatch_build.get_requires_for_build_wheel()) == {"numpy", "numba"}
    assert hatch_build.get_requires_for_build_editable() != []
    assert not names(hatch_build.get_requires_for_build_editable()) & {"numpy", "numba"}
    monkeypatch.setenv("CXR_ENHANCE_PACK", "0")
    assert hatch_build.get_requires_for_build_wheel() == []
