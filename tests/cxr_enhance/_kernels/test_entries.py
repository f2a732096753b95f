"""Kernels as Python calls them: from packed code, from the cache, compiled once among processes."""

from __future__ import annotations

import os
import shutil
import sys
import time

import numba
import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance._engine.planning import plan_of
from cxr_enhance._kernels import code_files, entries
from tests.cxr_enhance._kernels.test_code_files import (
    NO_TEMPORARY_DIRECTORY,
    copy_of_the_package,
    nowhere_to_write,
)
from tests.helpers.fresh_process import run_code, started_program

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")

GRAY = """
import numpy as np, cxr_enhance as cxe
print(cxe.__file__)
print(cxe.rgb_to_gray(np.full((4, 4, 3), 7, np.uint8)).tolist() == [[7] * 4] * 4)
print("numba" in sys.modules)
"""


# --- packed with the package -------------------------------------------------------------------


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Install a copy of the package with the code that a wheel would hold; give its folder."""
    folder = tmp_path_factory.mktemp("packed")
    package = copy_of_the_package(folder)
    cache = folder / "cache"
    env = {"NUMBA_CACHE_DIR": cache, "CXR_ENHANCE_CACHE": None, "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import cxr_enhance; cxr_enhance.warmup()"
    run_code(code, env=env, path=[package.parent], timeout=900)
    (compiled,) = (cache / "cxr-enhance").iterdir()
    shutil.copytree(compiled, package / "_compiled" / compiled.name)
    return package


def run_packed(package, program):
    """Run `program` where nothing can be written; give its lines."""
    env = nowhere_to_write() | {"CXR_ENHANCE_CACHE": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = run_code(NO_TEMPORARY_DIRECTORY + program, env=env, path=[package.parent], timeout=900)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith(str(package)), "another install was imported"
    return lines[1:]


@pytest.fixture
def changed(packed, tmp_path):
    """Give a copy of the packed package, for a test to change."""
    package = tmp_path / "site" / "cxr_enhance"
    shutil.copytree(packed, package)
    return package


@pytest.mark.slow
def test_packed_code_gives_the_stored_bytes_and_numba_is_not_imported(packed):
    folders = [packed, *(path for path in packed.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        program = """
import cxr_enhance
from cxr_enhance._self_check import run_self_check
print(cxr_enhance.__file__)
print({result.verdict for result in run_self_check()})
cxr_enhance.warmup()
print("numba" in sys.modules)
"""
        assert run_packed(packed, program) == ["{'same'}", "False"]
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(6))
def test_packed_code_of_another_key_is_passed_over_in_silence(changed, part):
    (folder,) = (changed / "_compiled").iterdir()
    parts = folder.name.split("-")
    parts[part] += "x"
    folder.rename(folder.with_name("-".join(parts)))
    assert run_packed(changed, GRAY) == ["True", "True"]


@pytest.mark.slow
def test_packed_code_of_other_sources_is_passed_over_in_silence(changed):
    source = changed / "_kernels" / "gray.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert run_packed(changed, GRAY) == ["True", "True"]


@pytest.mark.slow
def test_damaged_packed_code_is_passed_over_in_silence(changed):
    assert run_packed(changed, GRAY) == ["True", "False"]
    (path,) = (changed / "_compiled").rglob("gray_image-uint8.code")
    stored = path.read_bytes()
    path.write_bytes(stored[: len(stored) // 2])
    assert run_packed(changed, GRAY) == ["True", "True"]
    path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))
    assert run_packed(changed, GRAY) == ["True", "True"]


def test_importing_the_package_imports_neither_numba_nor_llvmlite_nor_what_reads_files():
    code = """
        import cxr_enhance
        print([name for name in ("numba", "llvmlite", "cxr_enhance.io") if name in sys.modules])
        print(cxr_enhance.read_image.__module__, cxr_enhance.io.__name__)
        print({"io", "read_image", "write_image"} <= set(dir(cxr_enhance)))
    """
    expected = ["[]", "cxr_enhance.io.read cxr_enhance.io", "True"]
    assert run_code(code).stdout.splitlines() == expected


# --- compiled by one process for all -----------------------------------------------------------


@pytest.mark.slow
def test_of_processes_that_start_at_once_one_compiles(tmp_path):
    code = """
import sys, time, numpy as np, cxr_enhance as cxe
time.sleep(max(float(sys.argv[1]) - time.time(), 0))
cxe.rgb_to_gray(np.full((4, 4, 3), 7, np.uint8))
print("cxr_enhance._kernels.code_object" in sys.modules)
"""
    env = {"NUMBA_CACHE_DIR": tmp_path, "CXR_ENHANCE_CACHE": None}
    command = (sys.executable, "-P", "-c", code, time.time() + 3)
    with (
        started_program(*command, env=env) as first,
        started_program(*command, env=env) as second,
        started_program(*command, env=env) as third,
        started_program(*command, env=env) as fourth,
    ):
        said = [running.communicate(timeout=280) for running in (first, second, third, fourth)]
    assert sorted(out.strip() for out, _ in said) == [b"False", b"False", b"False", b"True"], said


@pytest.fixture
def directory(monkeypatch, tmp_path):
    """Make an empty cache directory the one of this process."""
    monkeypatch.setattr(code_files, "cache_directory", lambda: tmp_path)
    return tmp_path


@pytest.mark.skipif(
    os.name != "posix", reason="locks of two descriptors of one process are POSIX's"
)
def test_a_process_waits_for_another_that_compiles_and_not_for_ever(directory, monkeypatch):
    monkeypatch.setattr(code_files, "_PATIENCE", 0.2)
    with code_files.compile_lock("kernel"):
        started = time.monotonic()
        with code_files.compile_lock("another kernel"):
            assert time.monotonic() - started < 0.2
        with code_files.compile_lock("kernel"):
            assert time.monotonic() - started >= 0.2
    started = time.monotonic()
    with code_files.compile_lock("kernel"):
        assert time.monotonic() - started < 0.2
    assert sorted(path.name for path in directory.iterdir()) == [
        "another kernel.lock",
        "kernel.lock",
    ]


def test_without_a_directory_or_locks_in_it_nobody_waits(directory, monkeypatch):
    def fail(*_):
        raise OSError("no locks here")

    monkeypatch.setattr(code_files.os, "open", fail)
    with code_files.compile_lock("kernel"):
        pass
    monkeypatch.setattr(code_files, "cache_directory", lambda: None)
    with code_files.compile_lock("kernel"):
        pass


# --- calls -------------------------------------------------------------------------------------


def test_arrays_of_another_kind_are_left_to_numba():
    images = np.arange(48, dtype=np.uint8).reshape(4, 12)
    for given in (images, images[:, ::2], np.asfortranarray(images), images[::2]):
        out = np.zeros((*given.shape, 3), np.uint8)
        entries.repeat_gray(given, out)
        np.testing.assert_array_equal(out, np.repeat(given[..., None], 3, axis=2))


def test_a_kernel_that_cannot_allocate_raises_a_memory_error():
    image = np.zeros((1, 8, 8), np.uint8)
    out = np.full_like(image, 7)
    plan = plan_of((8, 8), image.dtype, cxe.EnhanceParams(tile_grid_size=(2, 2)))
    with pytest.raises(MemoryError, match="a kernel could not allocate what it needs"):
        entries.enhance_u8(image, out, *plan._replace(tiles_x=2**40))
    assert (out == 7).all()


def test_code_that_cannot_be_made_leaves_the_kernel_to_numba(monkeypatch):
    def fail(*_):
        raise NotImplementedError("a kernel of another kind")

    monkeypatch.setattr(code_files, "read_code", fail)
    monkeypatch.setattr(entries, "failures", {})
    entry = entries.KernelEntry("enhance", "repeat_gray")
    out = np.zeros((2, 2, 3), np.uint8)
    entry(np.full((2, 2), 7, np.uint8), out)
    assert (out == 7).all()
    assert entries.failures == {
        "repeat_gray-uint8": "NotImplementedError: a kernel of another kind"
    }
