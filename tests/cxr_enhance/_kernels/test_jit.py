"""How kernels are compiled: one decorator, no GIL, no parallel loops, no fastmath."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

import cxr_enhance as cxe
from cxr_enhance import _kernels
from cxr_enhance._kernels import entries
from tests.helpers import strategies
from tests.helpers.fresh_process import run_code

MODULES = [
    importlib.import_module(f"{_kernels.__name__}.{module.name}")
    for module in pkgutil.iter_modules(_kernels.__path__)
]
SOURCES = sorted(Path(cxe.__file__).parent.rglob("*.py"))
COMPILING = {"jit.py", "entries.py", "forking.py", "start.py"}
KERNEL_SOURCES = [
    path
    for path in SOURCES
    if path.parent.name == "_kernels"
    and path.name not in COMPILING
    and not path.name.startswith("code_")
]


def dispatchers():
    """Give every compiled function of the kernel modules, by name."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, CPUDispatcher)
    }


def entries_by_name():
    """Give every entry, by the name it has in its module."""
    return {
        name: value
        for name, value in vars(entries).items()
        if isinstance(value, entries.KernelEntry)
    }


def names_in(path):
    """Give every name, attribute and import in a source file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.name for alias in node.names)
    return names


def names_of_numba_in(path):
    """Name what a file imports from Numba, and the attributes of Numba that it uses."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    imported = {
        alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba"
        for alias in node.names
    }
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("numba", "nb")
    }
    return imported | used


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
class TestCompilation:
    def test_there_are_kernels(self):
        assert len(dispatchers()) >= 5

    @pytest.mark.parametrize("name", dispatchers())
    def test_kernels_release_the_gil_and_are_neither_parallel_nor_fast_math(self, name):
        options = dispatchers()[name].targetoptions
        assert options["nopython"] is True
        assert options["nogil"] is True
        assert not options.get("parallel", False)
        assert not options.get("fastmath", False)
        assert options["error_model"] == "numpy"

    def test_warmup_leaves_nothing_to_compile(self):
        """Whatever the layout, access and order of the input: each form has one compiled type."""
        cxe.warmup()
        ready = {name: list(entry._calls) for name, entry in entries_by_name().items()}
        assert len(ready) >= 8
        assert [name for name in ready if not ready[name]] == []
        compiled = {name: list(kernel.signatures) for name, kernel in dispatchers().items()}
        assert entries.failures == {}
        for dtype in (np.uint8, np.uint16):
            for shape in ((9, 11), (9, 11, 1), (9, 11, 3)):
                image = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
                for layout in strategies.LAYOUTS:
                    use_every_operation(layout(image))
        assert {name: list(entry._calls) for name, entry in entries_by_name().items()} == ready
        assert {name: list(kernel.signatures) for name, kernel in dispatchers().items()} == compiled

    def test_each_kernel_has_one_entry_of_its_name(self):
        whole = {
            kernel.__name__
            for kernel in dispatchers().values()
            if not kernel.targetoptions.get("no_cpython_wrapper")
            and kernel.targetoptions.get("inline") != "always"
        }
        assert sorted(entries_by_name()) == sorted(whole)
        for name, entry in entries_by_name().items():
            assert entry._by_numba().__name__ == name

    def test_importing_compiles_nothing(self):
        run_code(
            """
            import cxr_enhance, pkgutil, importlib
            from numba.core.registry import CPUDispatcher
            from cxr_enhance import _kernels
            for module in pkgutil.iter_modules(_kernels.__path__):
                module = importlib.import_module(f"cxr_enhance._kernels.{module.name}")
                for value in vars(module).values():
                    assert not (isinstance(value, CPUDispatcher) and value.signatures), value
            """
        )


def use_every_operation(image):
    """Call each public operation that takes `image`, and a batch and a list of it."""
    cxe.white_balance(image)
    for output in ("gray", "rgb"):
        params = cxe.EnhanceParams(tile_grid_size=(2, 2), output=output)
        cxe.enhance(image, params)
        cxe.enhance_batch([image, image], params, num_threads=2)
    for num_bins in (2, None):
        cxe.enhance(image, cxe.EnhanceParams(num_bins=num_bins))
    cxe.enhance(image, cxe.EnhanceParams(clip_limit=None))
    cxe.enhance(image, cxe.EnhanceParams(percentiles=None, clip_limit=None))
    stack = np.stack([image, image])
    stack.flags.writeable = False
    cxe.enhance_batch(stack)
    if image.shape[2:] == (3,):
        cxe.rgb_to_gray(image)
    else:
        cxe.clahe(image)
        cxe.clahe(image, num_bins=2)


@pytest.mark.nojit
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_only_the_one_decorator_calls_numba_jit(path):
    if path.name == "jit.py":
        return
    banned = {"njit", "jit", "vectorize", "guvectorize", "generated_jit", "cfunc", "stencil"}
    assert not names_of_numba_in(path) & banned


@pytest.mark.nojit
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_touches_global_thread_counts_or_parallel_loops(path):
    banned = {"prange", "set_num_threads", "setNumThreads", "set_parallel_chunksize"}
    assert not names_in(path) & banned


@pytest.mark.nojit
@pytest.mark.parametrize("path", KERNEL_SOURCES, ids=lambda path: path.name)
def test_kernel_functions_raise_print_and_assert_nothing(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Raise | ast.Assert | ast.Global | ast.Nonlocal)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print"


@pytest.mark.nojit
@pytest.mark.parametrize("path", KERNEL_SOURCES, ids=lambda path: path.name)
def test_every_kernel_has_a_docstring(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            names = {getattr(decorator, "id", "") for decorator in node.decorator_list}
            if names & {"kernel", "inline_kernel"}:
                assert ast.get_docstring(node), node.name
